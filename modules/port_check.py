"""`port_check`: whether something listens on a TCP port, and what."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Pattern, Port, Probe, Struct, Target, contains
from engine.contract.listeners import listeners, why_hidden
from engine.contract.port_holders import PortHolder


class Held(Struct, frozen=True, kw_only=True):
    """What was found on the port.

    Args:
        listening: whether anything listens on it.
        addresses: that are listened on.
        processes: that hold the sockets, with pid, name, account, start and command line.
        container: that Docker publishes on the port; empty if none is known.
        unseen: why the process cannot be seen; None where all can.
    """

    listening: bool
    addresses: list[str]
    processes: list[PortHolder]
    container: str
    unseen: str | None


class PortCheck(Probe[Held], frozen=True, kw_only=True):
    """See whether something listens on a TCP port of the host, and which process it is.

    Without `expect` it is a finding when nothing listens, or not what should; with
    `listening: false` it is one when anything does. Whether it answers is another question:
    `tcp_probe`, `http_probe`. Passwords in command lines are masked.

    Args:
        port: the TCP port, on any address of the host, IPv4 or IPv6.
        listening: whether something should.
        process: an RE2 pattern that each that listens must match with its name or the first 300
            characters of its command line.

    **Source:** proc_net(5) /proc/net/tcp, ss(8), lsof(8); Windows commands `netstat -ano`,
    `tasklist /FO CSV`; `Win32_Process`.
    """

    primary: ClassVar[str] = "port"

    port: Port
    listening: bool = True
    process: Pattern | None = None

    def __post_init__(self) -> None:
        """Refuse a pattern that RE2 cannot read, and one for what should not be there.

        Raises:
            ValueError: the arguments do not go together.
        """
        if self.process is not None:
            contains("", self.process)
            if not self.listening:
                raise ValueError("process is given, but nothing should listen")

    def observe(self, target: Target) -> Held:
        """Find who listens."""
        seen = listeners(target, self.port)
        return Held(
            listening=bool(seen.addresses),
            addresses=seen.addresses,
            processes=seen.processes,
            container=seen.container,
            unseen=why_hidden(target, self.port, seen) if seen.hidden else None,
        )

    def finding(self, seen: Held) -> str | None:
        """Nothing where something should, or something else."""
        if not seen.listening:
            return f"nothing listens on port {self.port}" if self.listening else None
        if not self.listening:
            return self._held(seen)
        if self.process is None:
            return None
        if any(not self._is_wanted(each) for each in seen.processes):
            return f"{self._held(seen)}, expected {self.process!r}"
        return seen.unseen

    def summary(self, seen: Held) -> str:
        """`nginx (pid 4711, root) on 0.0.0.0:80`."""
        if not seen.listening:
            return f"nothing listens on port {self.port}"
        return f"{_names(seen) or 'a process that is not seen'} on {', '.join(seen.addresses)}"

    def _is_wanted(self, process: PortHolder) -> bool:
        assert self.process is not None
        return any(contains(text, self.process) for text in (process.name, process.command))

    def _held(self, seen: Held) -> str:
        names = _names(seen)
        return f"port {self.port} is held by {names}" if names else str(seen.unseen)


def _names(seen: Held) -> str:
    names = ", ".join(
        f"{each.name} (pid {each.pid}{', ' if each.user else ''}{each.user})"
        for each in seen.processes
    )
    return f"{names} for container {seen.container}" if seen.container else names


EXAMPLE = """
name: The backend has its port
port_check: {port: 8080, process: backend}
"""
