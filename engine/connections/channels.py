"""What is done with one of paramiko's channels that it has no public way for."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from msgspec import Struct
from paramiko.common import cMSG_CHANNEL_REQUEST, cMSG_CHANNEL_WINDOW_ADJUST

if TYPE_CHECKING:
    from engine.connections.output import Ending

_NO_ECHO = b"\x35\0\0\0\0\x48\0\0\0\0\0"
"""RFC 4254, 8: neither ECHO nor ONLCR; the end."""


class Drain(Struct):
    """Stands in for a channel's input buffer: what comes goes on at once, on the reading thread.

    So no thread of ours waits for output, a command's stdin and output cannot block each other,
    and a gigabyte passes through without being kept.
    """

    channel: Any
    sink: Ending
    ended: threading.Event

    def feed(self, data: bytes) -> None:
        """The next chunk; the server may then send as much again."""
        self.sink.feed(data)
        size = self.channel._check_add_window(len(data))
        if size > 0:
            message = paramiko.Message()
            message.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
            message.add_int(self.channel.remote_chanid)
            message.add_int(size)
            self.channel.transport._send_user_message(message)

    def close(self) -> None:
        """The stream's end, or the channel's."""
        if not self.ended.is_set():
            self.sink.finish()
            self.ended.set()


def drain(channel: Any, stdout: Ending, stderr: Ending) -> threading.Event:
    """Let a channel's output run into sinks, before its command is started.

    Returns:
        What is set when both have ended.
    """
    drain_output(channel, stdout)
    return drain_errors(channel, stderr)


def drain_output(channel: Any, stdout: Ending) -> None:
    """The same for stdout alone."""
    channel.in_buffer = Drain(channel, stdout, threading.Event())


def drain_errors(channel: Any, stderr: Ending) -> threading.Event:
    """The same for stderr alone, which ends last."""
    ended = threading.Event()
    channel.in_stderr_buffer = Drain(channel, stderr, ended)
    return ended


def request_exec(channel: Any, line: str) -> None:
    """Start a command without waiting for the server to say yes: that is one round trip less.

    A refusal closes the channel, and `channel.event_ready` stays False.
    """
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(line)
    channel._event_pending()
    channel.transport._send_user_message(message)


def request_terminal(channel: Any) -> None:
    """Let the command that is started next have a terminal; it may do without if there is none."""
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("pty-req")
    message.add_boolean(False)
    message.add_string("dumb")
    for size in (80, 24, 0, 0):
        message.add_int(size)
    message.add_string(_NO_ECHO)
    channel.transport._send_user_message(message)


def on_channel_request(channel: Any, m: Any) -> None:
    """Take note of how a command ended."""
    # paramiko knows exit-status only; a command that a signal ended has exit-signal instead.
    if m.get_text() == "exit-signal":
        m.get_boolean()
        name = f"SIG{m.get_text()}"
        channel.ended_by = signal.Signals[name] if name in signal.Signals.__members__ else 1
        channel.status_event.set()
        return
    m.rewind()
    m.get_int()  # the channel's number, which the reading thread had taken off
    channel._handle_request(m)
