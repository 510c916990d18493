"""What is known of those who listen on a TCP port, on every platform in the same words."""

from __future__ import annotations

from msgspec import Struct

from engine.contract.change import Identity

PUBLISHERS = frozenset(
    {"docker-proxy", "dockerd", "dockerd.exe", "com.docker.backend.exe", "wslrelay.exe"}
)
"""They hold a port in a container's name."""
COMMAND_LIMIT = 300
"""Characters of a command line that are kept."""


class PortHolder(Struct, frozen=True, kw_only=True):
    """A process that listens.

    Args:
        pid: its number.
        start: when it began: clock ticks since boot on Linux, a date elsewhere, units of 100 ns
            since 1601 on Windows; empty where a Windows host does not tell. With the pid it is
            the process's identity.
        name: what the kernel calls it.
        user: its account, by name where the host knows one; empty on Windows.
        parent: its parent's pid; 0 where a Windows host does not tell.
        command: its command line, the first 300 characters; passwords are masked. It is empty
            where a Windows host does not tell.
    """

    pid: int
    start: str
    name: str
    user: str
    parent: int
    command: str

    @property
    def identity(self) -> Identity:
        """The pid with the start time."""
        return Identity("process", self.name, {"pid": self.pid, "start": self.start})


class Listeners(Struct, frozen=True, kw_only=True):
    """Who listens on the port.

    Args:
        addresses: that are listened on.
        processes: that hold the sockets.
        hidden: the owners' uids of sockets whose process cannot be seen; -1: not even that.
        ancestors: pids from the shell that looked up to the first process.
        container: that Docker publishes on the port; empty if none is known.
    """

    addresses: list[str]
    processes: list[PortHolder]
    hidden: list[int]
    ancestors: list[int]
    container: str = ""
