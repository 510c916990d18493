"""A host's commands: in shells where they can be, else in sessions of their own."""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from engine.connections import files
from engine.connections.ascent import Ascent
from engine.connections.become import needed
from engine.connections.command import RemoteCommand, end_each, errand
from engine.connections.entrance import time_left
from engine.connections.output import Outputs
from engine.connections.pool import Shells
from engine.connections.session import NoShell

if TYPE_CHECKING:
    from engine.connections.base import Argv, Become, Finished, Platform, Script
    from engine.connections.become import Ladders
    from engine.connections.entrance import Entrance, Login
    from engine.connections.session import Shell


class Runner:
    """Runs commands as any account, and knows those that are under way.

    Args:
        login: opens sessions of the account that we are.
        ladders: to others.
    """

    def __init__(self, login: Login, ladders: Ladders) -> None:
        """Nothing runs yet."""
        self._login = login
        self.shells = Shells(login)
        self._ladders = ladders
        self._lock = threading.Lock()
        self._ascents: dict[Become, Ascent] = {}
        self._running: set[RemoteCommand] = set()

    def entrance(self, become: Become, platform: Platform) -> Entrance:
        """Where the sessions of an account come from; the login's if that is the one.

        Raises:
            BecomeRefused: on such a host nobody can become another.
        """
        if not needed(become, platform, self._login.where):
            return self._login
        with self._lock:
            if become not in self._ascents:
                self._ascents[become] = Ascent(self._login, self._ladders.to(become))
            return self._ascents[become]

    def run(
        self,
        command: Argv | Script,
        stdin: bytes,
        timeout: float,
        outputs: Outputs,
        entrance: Entrance,
        *,
        ask: bool = False,
    ) -> Finished:
        """Run a command to its end; raises as `Connection.run`.

        Args:
            command: what to run.
            stdin: given to it.
            timeout: seconds.
            outputs: takes what it writes.
            entrance: of the account that it runs as.
            ask: as `Shells.run`, which may then raise OnWindows.
        """
        deadline = time.monotonic() + timeout
        self._settle()
        if not stdin:
            with contextlib.suppress(NoShell):
                left, obeyed = time_left(deadline), entrance.timers.obeyed
                done = self.shells.run(command, outputs, left, entrance=entrance, ask=ask)
                if not obeyed:
                    self._settle()
                return done
        remote = RemoteCommand(entrance, outputs)
        with self._lock:
            self._running.add(remote)
        try:
            return remote.run(command, stdin, time_left(deadline))
        finally:
            with self._lock:
                self._running.discard(remote)

    def _settle(self) -> None:
        """Tell the host of commands that were cut off from us before, whichever account's."""
        accounts = (Ascent(self._login, ladder) for ladder in self._ladders.known())
        entrances: list[Entrance] = [self._login, *accounts]
        for entrance in entrances:
            entrance.timers.settle(partial(errand, entrance))

    def put(self, data: bytes, path: str, mode: int, timeout: float, entrance: Entrance) -> None:
        """Write a file as the entrance's account; as `Connection.put`."""
        script = files.put(path, mode, len(data))
        finished = self.run(script, data, timeout, Outputs(), entrance)
        files.check(f"put {path}", finished)

    def get(self, path: str, limit: int, timeout: float, entrance: Entrance) -> bytes:
        """Read a file as the entrance's account; as `Connection.get`."""
        script = files.get(path, limit)
        finished = self.run(script, b"", timeout, Outputs(keep=limit), entrance)
        files.check(f"get {path}", finished)
        return finished.stdout.head

    def end(self) -> None:
        """End all commands from another thread, and wait until that is done."""
        with self._lock:
            running: list[RemoteCommand | Shell] = [*self._running, *self.shells.busy()]
        end_each(running)
