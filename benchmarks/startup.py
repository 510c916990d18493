"""Start-up: what a person waits before anything happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Case, Contender

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from benchmarks.programs import Programs

ANSIBLE_PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  vars: {service: "http://localhost:8080/health"}
  tasks:
    - name: Who listens
      ansible.builtin.command: ss -ltn
      register: listeners
    - name: The service answers
      ansible.builtin.uri: {url: "{{ service }}"}
      when: listeners.rc == 0
"""

QUELL_PLAYBOOK = """\
name: The same in quell
hosts: localhost
vars: {service: "http://localhost:8080/health"}
investigate:
  - name: Who listens
    command: {argv: [ss, -ltn], probe: true}
    register: listeners
  - name: The service answers
    http_probe: {url: "{{ service }}"}
    when: listeners is not failed
"""


def cases(programs: Programs, directory: Path) -> Generator[Case]:
    """Version and syntax check."""
    ours, theirs = directory / "quell.yml", directory / "ansible.yml"
    ours.write_text(QUELL_PLAYBOOK, encoding="utf-8")
    theirs.write_text(ANSIBLE_PLAYBOOK, encoding="utf-8")
    yield Case(
        "Version",
        (
            Contender("`quell --version`", programs.quell("--version")),
            Contender(
                "`ansible-playbook --version`", programs.ansible("ansible-playbook", "--version")
            ),
            Contender("`pyinfra --version`", programs.pyinfra("--version")),
        ),
    )
    check = programs.ansible("ansible-playbook", "--syntax-check", "-i", "localhost,", str(theirs))
    yield Case(
        "One playbook checked",
        (
            Contender("`quell validate`", programs.quell("validate", str(ours))),
            Contender("`ansible-playbook --syntax-check`", check),
        ),
    )
