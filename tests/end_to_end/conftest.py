"""The command, and the ways to a host."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.quell import LOCAL, Ended, Quell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.lab import Host, Lab

_NUMBERS = itertools.count(18000)


@pytest.fixture
def quell(tmp_path: Path) -> Iterator[Quell]:
    """The command, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    command = Quell(home)
    yield command
    command.close()


@pytest.fixture
def inventory(lab: Lab, tmp_path: Path) -> Path:
    """Both hosts: h1 in `app`, h2 in `db`."""
    return lab.inventory(tmp_path)


@pytest.fixture
def port() -> int:
    """A port that no other test uses on the lab's hosts."""
    return next(_NUMBERS)


@dataclass(frozen=True)
class Way:
    """How a playbook gets to a host: over SSH from here, or run on the host itself."""

    name: str
    quell: Quell
    inventory: Path

    def run(self, host: Host, playbook: Path, *arguments: str | Path) -> Ended:
        """Run a playbook there."""
        if self.name == "local":
            return self.quell("run", playbook, "-i", LOCAL, *arguments, inside=host)
        return self.quell("run", playbook, "-i", self.inventory, *arguments)

    def called(self, host: Host) -> str:
        """What the host is called in the inventory."""
        return "localhost" if self.name == "local" else host.name


@pytest.fixture(params=["ssh", "local"])
def way(request: pytest.FixtureRequest, quell: Quell, inventory: Path) -> Way:
    """Each way in turn."""
    return Way(request.param, quell, inventory)
