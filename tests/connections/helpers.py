"""What several tests of connections need."""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.connections.links import Links
from engine.connections.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Host


@dataclass(frozen=True)
class Server:
    """What `echo.py` serves, as its host sees it."""

    echo: int
    hang_up: int
    mute: int
    path: str


def settings_for(host: Host, **changes: Any) -> Settings:
    """How to reach a host of the lab, as its inventory says."""
    variables = {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": host.user,
        "ansible_ssh_private_key_file": str(host.key_path),
        "ansible_ssh_known_hosts_file": str(host.known_hosts),
    }
    return Settings.from_variables(host.name, {**variables, **changes})


def connected(settings: Settings) -> Iterator[Connection]:
    """A Linux host's connection, for a fixture to yield from."""
    links = Links({settings.name: settings})
    connection = links.get(settings.name)
    platform = connection.platform  # what a test does next has all its time for itself
    assert (platform.family, platform.shell) == ("linux", "sh")
    yield connection
    links.close()


class Resources:
    """The file descriptors and threads of this process, once the connection is open.

    They are compared with what is there after a test's work: nothing may have been left behind.
    """

    def __init__(self, connection: Connection) -> None:
        assert connection.platform.family == "linux"  # opens it
        self._before = self._now()

    @staticmethod
    def _now() -> tuple[int, int]:
        gc.collect()  # some libraries leave what they gave up to the collector
        return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir())), threading.active_count()

    def back(self) -> bool:
        """Whether they are back to what they were, now or soon."""
        return eventually(
            lambda: all(a <= b for a, b in zip(self._now(), self._before, strict=True))
        )


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes to hold before the time is over."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
