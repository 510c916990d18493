"""Large inputs: an inventory of ten thousand hosts, a thousand playbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import startup
from benchmarks.measure import Case, Contender

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from benchmarks.programs import Programs

GROUPS = 100
HOSTS_PER_GROUP = 100
PLAYBOOKS = 1_000


def cases(programs: Programs, directory: Path) -> Generator[Case]:
    """Inventories in both forms, and many playbooks."""
    for name, text in (("INI", "".join(_ini())), ("YAML", "".join(_yaml()))):
        path = directory / f"inventory.{name.lower()}"
        path.write_text(text, encoding="utf-8")
        arguments = ("-i", str(path), "--list")
        yield Case(
            f"Inventory of {GROUPS * HOSTS_PER_GROUP:,} hosts in {GROUPS} groups, {name}",
            (
                Contender("`quell inventory --list`", programs.quell("inventory", *arguments)),
                Contender(
                    "`ansible-inventory --list`", programs.ansible("ansible-inventory", *arguments)
                ),
            ),
        )
    ours = _copies(directory / "quell", startup.QUELL_PLAYBOOK)
    theirs = _copies(directory / "ansible", startup.ANSIBLE_PLAYBOOK)
    check = programs.ansible("ansible-playbook", "--syntax-check", "-i", "localhost,", *theirs)
    yield Case(
        f"{PLAYBOOKS:,} playbooks checked by one command",
        (
            Contender("`quell validate`", programs.quell("validate", *ours)),
            Contender("`ansible-playbook --syntax-check`", check),
        ),
    )


def _hosts(group: int) -> Iterator[tuple[str, str]]:
    for number in range(HOSTS_PER_GROUP):
        yield f"host{group * HOSTS_PER_GROUP + number:05}", f"10.0.{group}.{number + 1}"


def _ini() -> Iterator[str]:
    for group in range(GROUPS):
        yield f"[group{group:03}]\n"
        for name, address in _hosts(group):
            yield f"{name} ansible_host={address}\n"
        yield f"[group{group:03}:vars]\nhttp_port={8000 + group}\n"


def _yaml() -> Iterator[str]:
    for group in range(GROUPS):
        yield f"group{group:03}:\n  vars: {{http_port: {8000 + group}}}\n  hosts:\n"
        for name, address in _hosts(group):
            yield f"    {name}: {{ansible_host: {address}}}\n"


def _copies(directory: Path, text: str) -> list[str]:
    directory.mkdir()
    paths = [directory / f"{number:04}.yml" for number in range(PLAYBOOKS)]
    for number, path in enumerate(paths):
        # No two alike, so that nobody has an answer from the one before.
        path.write_text(text.replace("8080", str(8000 + number)), encoding="utf-8")
    return [str(path) for path in paths]
