"""Climbing with a terminal, for methods that take a password from nothing else.

A terminal is no way for a command's streams: it has one for both outputs, alters bytes, and knows
no end of input. So it carries the password alone. The streams go through another session, and on
the host through three named pipes, which are gone as soon as they are open.
"""

from __future__ import annotations

import contextlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.connections import shells
from engine.connections.ascent import Behind
from engine.connections.base import Script
from engine.connections.command import errand
from engine.connections.conversation import Conversation, Overheard
from engine.connections.ending import Leader
from engine.connections.entrance import Entered, send
from engine.connections.output import LINGER
from engine.errors import HostError

if TYPE_CHECKING:
    import threading

    from engine.connections.ascent import Ascent
    from engine.connections.entrance import Channel, Hear, Login
    from engine.connections.methods import Call
    from engine.connections.output import Ending

# The directory is ours alone; the method inherits the pipes and needs no right to open them. Where
# the other side never comes, because the link was cut off, nothing but the end of what is to be
# read tells: whoever opens a named pipe waits for that side.
RELAY = """\
umask 077
d=${TMPDIR:-/tmp}/quell-$1
mkdir "$d" || exit
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM
mkfifo "$d/in" "$d/out" "$d/err" || exit
cat "$d/out" &
cat "$d/err" >&2 &
{
  cat
  [ ! -d "$d" ] || sleep 1
  [ ! -d "$d" ] || kill 0
} | {
  exec 3>"$d/in"
  rm -rf "$d"
  exec cat >&3
}
wait
"""
"""Runs beside the terminal, with the pipes' name as its argument."""

# This shell keeps the terminal open: sshd believes one that nobody has open to be at its end.
_ON_TERMINAL = """\
[ -t 0 ]; terminal=$?
d=${TMPDIR:-/tmp}/quell-$1
n=0
until [ -p "$d/err" ]; do
  [ $n -lt 50 ] || { echo "no named pipes could be made in $d"; exit 1; }
  n=$((n + 1))
  sleep 0.1 2>/dev/null || sleep 1
done
(
[ $terminal = 0 ] || { echo "the SSH server gives no terminal (PermitTTY)" >&2; exit 1; }
@METHOD@
) >"$d/out" 2>"$d/err" <"$d/in"
"""
_READ = f"exec /bin/sh -c '{shells.READER}' /bin/sh"


def climb(
    call: Call,
    ascent: Ascent,
    stdout: Ending,
    stderr: Ending,
    deadline: float,
    hear: Hear | None,
) -> Entered:
    """Open two sessions that are one; arguments and errors as of `Ascent.enter`."""
    talk = Conversation(call)
    marker, name = secrets.token_hex(12), secrets.token_hex(16)
    spoken = _Spoken(talk)
    terminal = ascent.login.enter_terminal(spoken, deadline, _READ)
    out, err = (Behind(marker, Overheard(talk, sink)) for sink in (stdout, stderr))
    try:
        entered = ascent.login.enter(out, err, deadline, hear=hear)
    except BaseException:
        terminal.close()
        raise
    relay = spoken.relay = entered.channel
    try:
        _say(relay, Script(RELAY, (name,)), deadline, marker)
        text = _ON_TERMINAL.replace("@METHOD@", shells.program(call.argv))
        _say(terminal, Script(text, (name,)), deadline)
        group = talk.hold(partial(send, terminal, deadline=deadline), deadline)
    except BaseException as error:
        terminal.close()
        _give_up(entered, ascent.login, out.pid)
        ascent.check(error, relay)
        raise
    return Entered(_Joined(relay, terminal), entered.ended, group)


def _say(channel: Channel, script: Script, deadline: float, marker: str = "") -> None:
    send(channel, shells.on_stdin(shells.program(script), b"", marker), deadline)


def _give_up(entered: Entered, login: Login, pid: int | None) -> None:
    """Let the relay end, and see to it where it still waits for the other side."""
    with contextlib.suppress(OSError):
        entered.channel.shutdown_write()
    if not entered.ended.wait(LINGER) and pid is not None:
        with contextlib.suppress(HostError):
            errand(login, Leader(pid).end)
    entered.channel.close()


class _Spoken:
    """The terminal's own stream, all of it the method's; at its end the relay's input ends."""

    def __init__(self, talk: Conversation) -> None:
        talk.opened(self)
        self._talk = talk
        self.relay: Channel | None = None

    def feed(self, data: bytes) -> None:
        self._talk.hear(self, data)

    def finish(self) -> None:
        self._talk.closed()
        if self.relay is not None:
            with contextlib.suppress(OSError):
                self.relay.shutdown_write()


class _Joined:
    """Two sessions as one channel: the relay has the streams, the terminal's the status."""

    def __init__(self, relay: Channel, terminal: Any) -> None:
        self._terminal = terminal
        self.recv = relay.recv
        self.send = relay.send
        self.sendall = relay.sendall
        self.settimeout = relay.settimeout
        self.shutdown = relay.shutdown
        self.shutdown_write = relay.shutdown_write
        self._relay = relay

    @property
    def exit_status(self) -> int:
        return int(self._terminal.exit_status)

    @property
    def ended_by(self) -> int:
        return getattr(self._terminal, "ended_by", 0)

    @property
    def event_ready(self) -> bool:
        return bool(self._terminal.event_ready)

    @property
    def status_event(self) -> threading.Event:
        event: threading.Event = self._terminal.status_event
        return event

    @status_event.setter
    def status_event(self, event: threading.Event) -> None:
        self._terminal.status_event = event

    @property
    def closed(self) -> bool:
        return self._relay.closed or bool(self._terminal.closed)

    def close(self) -> None:
        self._terminal.close()
        self._relay.close()
