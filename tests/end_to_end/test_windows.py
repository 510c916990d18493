"""A run on a Windows host and a Linux one at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.end_to_end.quell import PLAYBOOKS, results
from tests.lab.windows import HOME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab
    from tests.lab.windows import WindowsHost

pytestmark = pytest.mark.lab

PLAYBOOK = """
name: Both
hosts: app
environment: {NOTE: both-note}
investigate:
  - name: Who are we
    command: {argv: [whoami], probe: true}
    register: who
mitigate:
  - name: Leave a note
    shell:
      script: |
        :; printf '%s' "$1" >"$NOTE"; exit 0
        set /p "=!1!" <nul >"!NOTE!"
      args: ["it's ready"]
      creates: both-note
    verify:
      - shell:
          probe: true
          script: |
            :; cat "$1"; exit
            type "!1!"
          args: [both-note]
        expect: "'ready' in result.stdout"
        within: 10s
"""


@pytest.fixture
def both(windows: WindowsHost, inventory: Path) -> Path:
    """An inventory with both in `app`."""
    tree = yaml.safe_load(inventory.read_text())
    tree["all"]["children"]["app"]["hosts"]["win"] = {
        "ansible_host": windows.address,
        "ansible_port": windows.port,
    }
    inventory.write_text(yaml.safe_dump(tree))
    return inventory


def test_the_same_playbook_runs_on_both(
    quell: Quell, both: Path, lab: Lab, windows: WindowsHost, tmp_path: Path
) -> None:
    playbook = tmp_path / "both.yml"
    playbook.write_text(PLAYBOOK)
    ended = quell("run", playbook, "-i", both, "--yes")
    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("ok=2 changed=1 unreachable=0 failed=0") == 2
    assert windows.file("users/root/both-note") == "it's ready"
    again = quell("run", playbook, "-i", both, "--yes")
    assert again.code == 0, again.stderr
    assert again.stderr.count("ok=2 changed=0 unreachable=0 failed=0") == 2
    lab.h1.exec(["rm", "/srv/root/both-note"], check=True)
    windows.exec(["rm", f"{HOME}/both-note"], check=True)


def test_a_port_conflict_is_looked_into_on_both(quell: Quell, both: Path, port: int) -> None:
    ended = quell(
        "run", PLAYBOOKS / "port_conflict.yml", "-i", both, "--check", "-e", f"port={port}"
    )
    assert "P1  the service is down on half of its hosts or more" in ended.stderr
    listeners = results(quell.events(), "Who listens on the port")
    told = f"nothing listens on port {port}"
    assert {each.host: each.message for each in listeners} == {"h1": told, "win": told}
