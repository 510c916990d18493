"""A host's persistent shells: a command costs a round trip and its own process, nothing more."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import secrets
import threading
from typing import TYPE_CHECKING

from engine.connections import loop
from engine.connections import platform as platforms
from engine.connections.command import errand, status_of
from engine.connections.ending import Leader
from engine.connections.entrance import exit_status
from engine.connections.output import Framed, Marked, Outputs
from engine.connections.underway import UnderWay
from engine.errors import LinkLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Argv, Finished, Platform, Script
    from engine.connections.entrance import Channel, Entrance

_NONCE = 8
"""Bytes that nobody guesses."""

_FAREWELL = 2.0
"""Seconds for a shell that is not needed to end."""


def _unguessable() -> Iterator[str]:
    """Marks, each as good as the system's random bytes, without asking for those each time."""
    secret = secrets.token_bytes(32)
    for number in itertools.count():
        yield hashlib.sha256(secret + number.to_bytes(8, "big")).hexdigest()[: 2 * _NONCE]


class NoShell(Exception):
    """Our loop found that it cannot do its work on this host; the command was not begun."""


class OnWindows(Exception):
    """The account's own shell is that of a Windows host; the command was not begun.

    Args:
        platform: what the host says of itself.
    """

    def __init__(self, platform: Platform) -> None:
        """Keep it."""
        super().__init__()
        self.platform = platform


class Shell:
    """One shell on the host, which runs one command after the other.

    Args:
        sessions: of the account that its commands run as.
        ask: whether the account's own shell is to say first what it is.
    """

    def __init__(self, sessions: Entrance, *, ask: bool = False) -> None:
        """Nothing is opened before the first command."""
        self._sessions = sessions
        self._ask = ask
        self._marks = _unguessable()
        self._marker = next(self._marks)
        self._woken = threading.Event()
        self._out = Framed(loop.READY, self._wake)
        self._err = Framed(b"", self._wake)
        self._stdout = Marked(self._marker, self._out, hold=True)
        self._stderr = Marked(self._marker, self._err, hold=True)
        self._streams_ended = threading.Event()
        self._channel: Channel | None = None
        self._group: int | None = None
        self._under_way: UnderWay | None = None
        self._ending = False
        self.usable = True
        """Whether it may be given another command."""
        self.left = False
        """Whether a process that a command left behind may still write to it."""

    def run(self, command: Argv | Script, outputs: Outputs, timeout: float) -> Finished:
        """Run a command to its end.

        Raises:
            NoShell: none is to be had; the command was not begun.
            OnWindows: the host is none that has such a shell; the command was not begun.
            SessionRefused, Unreachable: nothing was sent.
            LinkLost: the link or the shell died under it.
            DeadlineExceeded: the time was over; the command was ended.
        """
        mark = f"={next(self._marks)}"
        data = loop.order(command, mark)
        self.usable = False  # until all has gone well
        try:
            with UnderWay(self._sessions, lambda: self._leader, timeout, errand) as under_way:
                channel, opening = self._opened(under_way.deadline)
                self._begin(mark.encode(), outputs)
                self._under_way = under_way
                sent = self._sessions.send(channel, opening + data, under_way.deadline)
                if not (sent and self._await(outputs)):
                    raise under_way.overdue(outputs)
                return under_way.finished(self._status(channel), outputs)
        finally:
            self._out.leave()
            self._err.leave()

    def _opened(self, deadline: float) -> tuple[Channel, bytes]:
        """The channel, and what is to be sent before anything else."""
        if self._channel is not None:
            return self._channel, b""
        entered = self._sessions.enter_shell(
            self._marker, self._stdout, self._stderr, deadline, ask=self._ask
        )
        channel = self._channel = entered.channel
        channel.status_event = self._woken
        self._streams_ended, self._group = entered.ended, entered.group
        return channel, loop.PROGRAM

    def _begin(self, mark: bytes, outputs: Outputs) -> None:
        self._out.begin(mark, outputs.stdout)
        self._err.begin(mark, outputs.stderr)
        self._watch()

    def _watch(self) -> None:
        """Wait for a new event from here on: a command's end, or the shell's."""
        self._woken.clear()
        if not self.alive:
            self._woken.set()

    def _wake(self) -> None:
        if self._out.end is not None and self._err.end is not None:
            self._woken.set()

    def _await(self, outputs: Outputs) -> bool:
        """Whether the command ended in time, or the shell did."""
        assert self._under_way is not None
        if not self._under_way.wait(self._woken):
            return False
        end = self._end()
        if end is None or end.last:
            # The shell ends; what its command wrote is on its way, or is still being written.
            outputs.grew_quiet(self._streams_ended, self._under_way.deadline)
        return True

    def _end(self) -> loop.End | None:
        """What the loop says of the command's end, once it has ended both streams."""
        said = self._out.end
        return None if said is None or self._err.end is None else loop.end(said)

    def _status(self, channel: Channel) -> int:
        end = self._end()
        if end is not None:
            self._sessions.timers.obeyed = True
            stray = self._out.stray or self._err.stray
            self.left = end.last and not self._streams_ended.is_set()
            self.usable = not (end.last or stray)
            return end.status
        if not self.begun:
            self._in_our_place()
            return status_of(channel, self._sessions)
        status = exit_status(channel)
        if status is None:
            raise self._sessions.lost()
        if not self._out.greeted:
            raise NoShell
        if self._ending:
            return status
        raise LinkLost(
            f"{self._sessions.where}: its shell was ended under a command; "
            f"whether it took effect is not known"
        )

    def _in_our_place(self) -> None:
        """The account ran something else: it is all that there is, unless it asks for cmd."""
        windows = platforms.windows_of(self._stdout.held.decode("utf-8", "replace"))
        if windows is not None:
            raise OnWindows(windows)
        self._stdout.release()
        self._stderr.release()

    @property
    def _leader(self) -> Leader | None:
        if self._channel is None:
            return None
        return Leader(self._pid, self._group, self._marker)

    @property
    def _pid(self) -> int | None:
        """Of the shell, once it has said that."""
        return self._stdout.pid or self._stderr.pid

    @property
    def begun(self) -> bool:
        """Whether the host has begun to run it: then the host is one that can."""
        return bool(self._group or self._pid)

    def end(self) -> None:
        """End its command from another thread, and wait a moment until `run` has heard of it."""
        self._ending = True
        if self._under_way is not None:
            self._under_way.end()

    def runs_as(self, entrance: Entrance) -> bool:
        """Whether its commands run as the account of this entrance."""
        return self._sessions is entrance

    @property
    def alive(self) -> bool:
        """Whether it is still there, as far as is known."""
        channel = self._channel
        return channel is not None and not channel.closed and exit_status(channel) is None

    def close(self) -> None:
        """Give it up; a process that it left behind can write no more."""
        if self._channel is not None:
            self._channel.close()

    def leave(self) -> None:
        """Let it end, and return when its session is free again."""
        if self._channel is not None:
            self._watch()
            with contextlib.suppress(OSError):
                self._channel.shutdown_write()
            self._woken.wait(_FAREWELL)
            self._channel.close()
