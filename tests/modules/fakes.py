"""A connection whose host says what a test wants it to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.connections.base import Argv, Finished, Output, Platform, Script
from engine.connections.local import LocalConnection
from engine.contract import Deadline, Target

if TYPE_CHECKING:
    import socket
    from contextlib import AbstractContextManager

    from engine.connections.base import Address, Become, Connection, Listener, OsFamily

Answer = tuple[int, str, str]
"""Exit status, stdout, stderr."""


@dataclass
class FakeConnection:
    """Answers every command, and remembers what it was asked.

    Args:
        answer: what each command answers, in turn; the last one again and again.
        family: what the host is.
        uid: as whom we are there.
        refuse: raised by `dial` and `forward`.
    """

    answer: list[Answer] = field(default_factory=lambda: [(0, "", "")])
    family: OsFamily = "linux"
    uid: int = 0
    refuse: Exception = field(default_factory=lambda: AssertionError("nothing may be dialled"))
    commands: list[Argv | Script] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)

    alive = True

    @property
    def platform(self) -> Platform:
        shell = "cmd" if self.family == "windows" else "sh"
        user = "root" if self.uid == 0 else "alice"
        return Platform(self.family, shell, "x86_64", user, self.uid)  # type: ignore[arg-type]

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        assert timeout > 0
        assert become is None
        assert listener is None
        status, out, err = self.answer[min(len(self.commands), len(self.answer) - 1)]
        self.commands.append(command)
        self.given.append(stdin)
        return Finished(status, _output(out, keep), _output(err), 0.25)

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        del address, timeout, become
        raise self.refuse

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        del address, timeout, become
        raise self.refuse

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        del data, mode, timeout, become
        raise AssertionError(f"{path}: no module writes files")

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        del limit, timeout, become
        raise AssertionError(f"{path}: no module reads files")

    def interrupt(self) -> None:
        raise AssertionError("no module interrupts")

    def close(self) -> None:
        pass


def _output(text: str, keep: int | None = None) -> Output:
    data = text.encode("utf-8", "surrogateescape")
    return Output(data[:keep], size=len(data))


def target(connection: Connection, *, within: float = 30) -> Target:
    """The host behind a connection, for so many seconds."""
    return Target("web1", connection, Deadline(within))


def here(*, within: float = 30) -> Target:
    """This machine, for so many seconds."""
    return target(LocalConnection(), within=within)
