"""A command's deadline kept on its host too, for where the link does not last as long."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, slots=True)
class Command:
    """A command on the host.

    Args:
        leader: that it begins with.
        began: monotonic time.
        ends: its deadline, likewise.
        tries: how often its host was told in vain.
    """

    leader: Leader
    began: float
    ends: float
    tries: int = 0

    def timer(self, *, certain: bool) -> Script:
        """What ends it on its host, so many seconds after the deadline.

        Args:
            certain: the leader is known to be there. Its pid may be another's by now otherwise, but
                that process is younger.
        """
        now = time.monotonic()
        left = max(0, round(self.ends + _MARGIN - now))
        age = 0 if certain else max(0, int(now - self.began) - 1)
        return self.leader.timer(left, age)


class Timers:
    """Of one host's commands; outlives its links. Thread-safe."""

    def __init__(self) -> None:
        """There are none yet."""
        self._one_at_a_time = threading.Lock()
        self._lost: list[Command] = []

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
        self._lost.append(command)

    def settle(self, run: Run) -> None:
        """Tell the host of those, now that it can be reached again."""
        while self._lost:
            command = self._lost.pop()
            try:
                run(command.timer(certain=False))
            except HostError:
                if command.tries < _TRIES:
                    self._lost.append(replace(command, tries=command.tries + 1))
                return
