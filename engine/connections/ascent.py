"""Sessions of another account than the login's: each begins with the climb to it."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.connections import platform as platforms
from engine.connections import shells
from engine.connections.conversation import Conversation, Overheard
from engine.connections.entrance import send
from engine.connections.methods import Call
from engine.connections.output import Marked
from engine.errors import BecomeRefused, HostError, LinkLost, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.become import Ladder
    from engine.connections.entrance import Channel, Entered, Hear, Login
    from engine.connections.output import Ending

_NOBODYS = "-"
"""A marker that nobody waits for."""


class Ascent:
    """Opens sessions that act as another account.

    Args:
        login: opens those of the account that we are.
        ladder: to the other one.
    """

    def __init__(self, login: Login, ladder: Ladder) -> None:
        """Open nothing yet."""
        self.login = login
        self.where = login.where
        self.timers = ladder.timers
        self._ladder = ladder

    @property
    def alive(self) -> bool:
        """As in `Entrance`."""
        return self.login.alive

    def attend(self, timeout: float) -> None:
        """As in `Entrance`."""
        self.login.attend(timeout)

    def send(self, channel: Channel, data: bytes, deadline: float) -> bool:
        """As in `Entrance`."""
        return self.login.send(channel, data, deadline)

    def hurried(self, patience: float) -> Ascent:
        """As in `Entrance`; the climb itself has all of the time."""
        return Ascent(self.login.hurried(patience), self._ladder)

    @contextmanager
    def apart(self) -> Iterator[Ascent]:
        """As in `Entrance`."""
        with self.login.apart() as login:
            yield Ascent(login, self._ladder)

    def lost(self) -> LinkLost:
        """As in `Entrance`."""
        return self.login.lost()

    def enter(
        self,
        stdout: Ending,
        stderr: Ending,
        deadline: float,
        *,
        line: str = shells.LOGIN_LINE,
        hear: Hear | None = None,
    ) -> Entered:
        """As in `Entrance`, but that it returns when we are there."""

        def attempt(terminal: bool) -> Entered:
            call = Call(self._ladder.become, self.where, terminal)
            if not terminal:
                return self._climb(call, line, stdout, stderr, deadline, hear)
            from engine.connections.terminal import climb

            return climb(call, self, stdout, stderr, deadline, hear)

        return self._ladder.climb(attempt, deadline)

    def enter_shell(
        self, marker: str, stdout: Ending, stderr: Ending, deadline: float, *, ask: bool = False
    ) -> Entered:
        """As in `Entrance`."""
        line = platforms.asking(shells.LOGIN_LINE) if ask else shells.LOGIN_LINE
        entered = self.enter(stdout, stderr, deadline, line=line)
        send(entered.channel, shells.on_stdin(shells.bare(marker), b"", _NOBODYS), deadline)
        return entered

    def _climb(
        self,
        call: Call,
        line: str,
        stdout: Ending,
        stderr: Ending,
        deadline: float,
        hear: Hear | None,
    ) -> Entered:
        talk = Conversation(call)
        marker = secrets.token_hex(12)
        out, err = (Behind(marker, Overheard(talk, sink)) for sink in (stdout, stderr))
        entered = self.login.enter(out, err, deadline, line=line, hear=hear)
        channel = entered.channel
        try:
            method = shells.program(call.argv)
            send(channel, shells.on_stdin(method, b"", marker), deadline)
            group = talk.hold(partial(send, channel, deadline=deadline), deadline)
        except BaseException as error:
            self.check(error, channel)
            channel.close()
            raise
        return replace(entered, group=group)

    def check(self, error: BaseException, channel: Channel) -> None:
        """Whether it was the method that refused; it is not, where the session ended under it.

        Raises:
            Unreachable: the link is gone.
            HostError: the server runs no command for us.
        """
        if not isinstance(error, BecomeRefused):
            return
        if self.login.cut_off(channel):
            raise Unreachable(f"{self.where}: the connection was cut off; nothing was run")
        if not channel.event_ready:
            raise HostError(f"{self.where}: its SSH server runs no commands for this account")


class Behind:
    """A sink: the login shell's stream, in which the method's begins behind a marker.

    Args:
        marker: of the login shell's reader.
        heard: is fed the rest.
    """

    def __init__(self, marker: str, heard: Overheard) -> None:
        """Wait for the marker."""
        self._marked = Marked(marker, heard)
        self._heard = heard

    @property
    def pid(self) -> int | None:
        """Of the login shell."""
        return self._marked.pid

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        self._marked.feed(data)

    def finish(self) -> None:
        """The stream ended."""
        self._marked.finish()
        self._heard.finish()
