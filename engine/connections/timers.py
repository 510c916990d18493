"""A command's deadline kept on its host too, for where the link does not last as long."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from engine.connections.base import Script
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Finished
    from engine.connections.ending import Leader

    Run = Callable[[Script], Finished]

AFTER = 1.0
"""Seconds that a command runs before its host is told: most have ended by then."""

_MARGIN = 3.0
"""Seconds that we have to end it ourselves, before the host does."""

_TRIES = 3


class Command(Struct, frozen=True):
    """A command on the host.

    Args:
        leader: that it begins with.
        ends: its deadline, monotonic time.
        tries: how often its host was told in vain.
    """

    leader: Leader
    ends: float
    tries: int = 0

    def timer(self, *, certain: bool) -> Script:
        """What ends it on its host, so many seconds after the deadline.

        Args:
            certain: the leader is known to be there. Its pid may be another's by now otherwise, but
                that process is younger; a loop is found by its marker then.
        """
        now = time.monotonic()
        left = max(0, round(self.ends + _MARGIN - now))
        if certain:
            return self.leader.timer(left, 0)
        if self.leader.loop:
            return replace(self.leader, pid=None).timer(left, 0)
        return self.leader.timer(left, max(0, int(now - self.leader.since) - 1))


class Timers:
    """Of one host's commands; outlives its links. Thread-safe."""

    def __init__(self) -> None:
        """There are none yet."""
        self._one_at_a_time = threading.Lock()
        self._lock = threading.Lock()
        self._lost: list[Command] = []
        self.obeyed = False
        """Whether the account is known to run what it is told, and not something else instead."""

    def start(self, run: Run, command: Command, over: threading.Event) -> None:
        """Tell the host of a command that goes on; it is not waited for.

        Args:
            run: runs a script there.
            command: that is under way.
            over: is set when it has ended.
        """
        if command.ends - time.monotonic() > AFTER:
            threading.Thread(
                target=self._start, args=(run, command, over), daemon=True, name="timer"
            ).start()

    def _start(self, run: Run, command: Command, over: threading.Event) -> None:
        # One at a time, since each takes one of the few sessions that a server allows.
        with self._one_at_a_time, contextlib.suppress(HostError):
            if over.is_set():
                return
            timer = run(command.timer(certain=True)).stdout.text.strip()
            if over.is_set() and timer:
                # A shell may have been at its next command already when the host looked.
                run(Script('kill "$1" 2>/dev/null', (timer,)))

    def lose(self, command: Command) -> None:
        """Take note of a command that could not be ended, or that a link died under."""
        with self._lock:
            self._lost.append(command)

    def _next(self) -> Command | None:
        """One of those, but none that may not even have begun where that is not what was run."""
        if not self._lost:
            return None
        with self._lock:
            ready = (one for one in self._lost if self.obeyed or one.leader.pid is not None)
            command = next(ready, None)
            if command is not None:
                self._lost.remove(command)
            return command

    def settle(self, run: Run) -> None:
        """Tell the host of those, now that it can be reached again."""
        while (command := self._next()) is not None:
            try:
                run(command.timer(certain=False))
            except HostError:
                if command.tries < _TRIES:
                    self.lose(replace(command, tries=command.tries + 1))
                return
