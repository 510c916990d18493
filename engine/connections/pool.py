"""The shells of one host: as many as are needed at once, within bounds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from engine.connections.entrance import SessionRefused
from engine.connections.session import NoShell, Shell
from engine.errors import DeadlineExceeded

if TYPE_CHECKING:
    from engine.connections.base import Argv, Finished, Script
    from engine.connections.entrance import Entrance
    from engine.connections.output import Outputs

SHELLS = 8
"""Of one host at once: sshd's MaxSessions is 10 by default, and what ends an overdue command needs
a session too."""

_LEFT = 2
"""Shells kept open for processes that their commands left behind."""


class Shells:
    """Runs each command in a shell that is free, and opens one where none is.

    Args:
        sessions: of the login account.
    """

    def __init__(self, sessions: Entrance) -> None:
        """Open none yet."""
        self._sessions = sessions
        self._without: set[Entrance] = set()
        self._changed = threading.Condition()
        self._limit = SHELLS
        self._idle: list[Shell] = []
        self._busy: set[Shell] = set()
        self._left: list[Shell] = []
        self._proven = False

    def run(
        self,
        command: Argv | Script,
        outputs: Outputs,
        timeout: float,
        *,
        entrance: Entrance | None = None,
        ask: bool = False,
    ) -> Finished:
        """Run a command in a shell.

        Args:
            command: what to run, without stdin.
            outputs: takes what it writes.
            timeout: seconds.
            entrance: of the account that it runs as; the login's unless given.
            ask: whether the account's own shell says what it is, if one must be opened for this.

        Raises:
            OnWindows: it is none of a Unix. The command was not begun.
            NoShell: the account has none as we need it. It was not begun, and none is tried again.
            DeadlineExceeded: also where none became free in time; then it was not begun either.
            HostError: as `Connection.run`.
        """
        deadline = time.monotonic() + timeout
        entrance = entrance or self._sessions
        while True:
            shell = self._take(entrance, deadline, ask=ask)
            try:
                return shell.run(command, outputs, max(0.01, deadline - time.monotonic()))
            except SessionRefused:
                if not self._make_do(shell):
                    raise
            except NoShell:
                self._without.add(entrance)
                raise
            finally:
                self._give_back(shell)

    def _take(self, entrance: Entrance, deadline: float, *, ask: bool) -> Shell:
        with self._changed:
            while entrance not in self._without:
                shell = self._idle_one(entrance)
                if shell is None and len(self._busy) < self._limit:
                    shell = Shell(entrance, ask=ask)
                if shell is not None:
                    self._busy.add(shell)
                    return shell
                if not self._changed.wait(deadline - time.monotonic()):
                    raise DeadlineExceeded(
                        f"{self._sessions.where}: no session became free in time (as many as its "
                        f"MaxSessions allows, {SHELLS} at most, were in use); nothing was run"
                    )
            raise NoShell

    def _idle_one(self, entrance: Entrance) -> Shell | None:
        for shell in [one for one in reversed(self._idle) if one.runs_as(entrance)]:
            self._idle.remove(shell)
            if shell.alive:
                return shell
            shell.close()
        return None

    def _make_do(self, refused: Shell) -> bool:
        """Whether there are other shells to wait for, where the server opens no more."""
        with self._changed:
            others = len(self._busy - {refused}) + len(self._idle)
            if others:
                self._limit = others
            return others > 0

    def _give_back(self, shell: Shell) -> None:
        done_with = []
        with self._changed:
            self._busy.discard(shell)
            if shell.usable:
                self._idle.append(shell)
            elif shell.left:
                self._left.append(shell)
            else:
                done_with.append(shell)
            if len(self._left) > _LEFT:
                done_with.append(self._left.pop(0))
            self._changed.notify_all()  # who waits may want another account's, or none any more
        for one in done_with:
            one.close()

    def busy(self) -> list[Shell]:
        """Those that run a command now."""
        with self._changed:
            return list(self._busy)

    @property
    def proven(self) -> bool:
        """Whether one has begun its work."""
        if not self._proven:
            with self._changed:
                every = (*self._idle, *self._busy, *self._left)
                self._proven = any(shell.begun for shell in every)
        return self._proven

    def spare(self) -> bool:
        """Give up one that is not in use, for a session that is; False if there is none."""
        with self._changed:
            unused = self._left or self._idle
            if not unused:
                return False
            shell = unused.pop(0)
        shell.leave()
        return True
