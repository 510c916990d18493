"""paramiko's Transport with its faults put right.

Its private names are used here, in `living` and in `channels` alone, and `paramiko>=5.1,<6` is
pinned because of them. Each remedy has a regression test.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_REQUEST,
    cMSG_CHANNEL_OPEN,
)

from engine.connections.channels import on_channel_request
from engine.connections.living import WAKES, LinkDown, Living, OpenTimeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    class _Living(Living):
        """The names used here that the type stubs leave out."""

        active: bool
        _channels: Any
        _channel_handler_table: dict[int, Any]

        def _next_channel(self) -> int: ...
        def _send_message(self, data: Any) -> None: ...
        def _parse_newkeys(self, m: Any) -> None: ...
        def _parse_channel_open_success(self, m: Any) -> None: ...

else:
    _Living = Living

_LOGGER = "engine.connections.paramiko"
"""Of what paramiko logs past `Link._log`."""
logging.getLogger(_LOGGER).setLevel(logging.CRITICAL + 1)

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Preferred: they need no MAC, which paramiko compares byte by byte."""

_KEX = ("mlkem768x25519-sha256", "ecdh-sha2-nistp256")
"""Preferred: what is proof against quantum computers, and then what costs the host least. That is
OpenSSL's arithmetic; OpenSSH's own for curve25519 takes a fifth more CPU for each login.
"""

_WINDOW = 4 * 1024 * 1024
_PACKET = 32 * 1024


def _first(preferred: Sequence[str], known: Sequence[str]) -> list[str]:
    """What paramiko knows, the preferred before the rest."""
    return [
        *(name for name in preferred if name in known),
        *(name for name in known if name not in preferred),
    ]


class OpenRefused(Exception):
    """The server would not open a channel.

    Args:
        code: 1 prohibited, 2 connect failed, 3 unknown kind, 4 shortage.
        reason: in its own words.
    """

    def __init__(self, code: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Gate:
    """What a channel sees as its transport: it marks the channel's messages as the channel's."""

    def __init__(self, transport: Link) -> None:
        self._transport = transport
        self.closed = False
        """Whether the channel's CLOSE has been sent; nothing of it may follow."""

    def _send_user_message(self, message: Any) -> None:
        message.gate = self
        try:
            self._transport._send_user_message(message)
        except EOFError:
            pass  # the link is gone: the reading thread ends every channel, and that is heard
        except paramiko.SSHException:  # keys were not agreed on anew in half a minute
            self._transport.close()

    def get_exception(self) -> None:
        """A channel's failure is its own; the transport's saved one may be any other channel's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Link(_Living):
    """One SSH connection."""

    _active_check_timeout = WAKES

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        """Take a connected socket, or another link's channel; nothing is sent yet."""
        super().__init__(sock, default_window_size=_WINDOW, default_max_packet_size=_PACKET)
        options = self.get_security_options()
        options.ciphers = _first(_CIPHERS, options.ciphers)
        options.kex = _first(_KEX, options.kex)
        self.set_log_channel(_LOGGER)
        self._refused: dict[int, OpenRefused] = {}
        self._late: dict[int, paramiko.Channel] = {}
        self._deferred: list[Any] = []
        self._channel_handler_table = {
            **self._channel_handler_table,
            MSG_CHANNEL_REQUEST: on_channel_request,
        }

    def _filter_algorithm(self, type_: str) -> Any:
        # None is disabled, and the base method looks for that one by one, sixteen times a link.
        return getattr(self, f"_preferred_{type_}")

    def _log(self, level: int, msg: Any, *args: Any) -> None:
        """What matters is raised; what paramiko would log besides must not land in the console."""

    # ── messages ──────────────────────────────────────────────────────────────────────────────

    def _send_message(self, data: Any) -> None:
        # Messages are built under their channel's lock but sent after it is released, so that one
        # thread's EOF, DATA or window update can come after another's CLOSE. sshd drops the link
        # for that. This method is always called one at a time: what is late is left out here.
        gate = getattr(data, "gate", None)
        if gate is not None:
            if gate.closed:
                return
            gate.closed = data.asbytes()[0] == MSG_CHANNEL_CLOSE
        super()._send_message(data)

    def _send_user_message(self, data: Any) -> None:
        # While keys are renegotiated the base method waits until that is done. On the thread that
        # reads, which alone can finish it, that is a deadlock: there it is sent afterwards.
        if threading.current_thread() is not self:
            super()._send_user_message(data)
            return
        with self.clear_to_send_lock:
            if self.clear_to_send.is_set():
                self._send_message(data)
            else:
                self._deferred.append(data)

    def _parse_newkeys(self, m: Any) -> None:
        super()._parse_newkeys(m)
        deferred, self._deferred = self._deferred, []
        for message in deferred:
            self._send_user_message(message)

    # ── channels ──────────────────────────────────────────────────────────────────────────────

    def open(self, kind: str, *fields: str | int, timeout: float) -> paramiko.Channel:
        """Open a channel; unlike `open_channel` it can carry any kind's fields.

        Args:
            kind: `session`, `direct-tcpip`, `direct-streamlocal@openssh.com`…
            fields: the kind's own, in order.
            timeout: seconds.

        Raises:
            OpenRefused: the server's word.
            OpenTimeout: none came.
            LinkDown: the connection is gone.
        """
        channel, answered = self._register()
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        for number in (channel.chanid, _WINDOW, _PACKET):
            message.add_int(number)
        for field in fields:
            if isinstance(field, int):
                message.add_int(field)
            else:
                message.add_string(field)
        with contextlib.suppress(EOFError):  # the link is gone, which is found below
            self._send_user_message(message)
            if self.active:
                answered.wait(timeout)
        return self._opened(channel)

    def _register(self) -> tuple[Any, threading.Event]:
        answered = threading.Event()
        with self.lock:
            chanid = self._next_channel()
            channel: Any = paramiko.Channel(chanid)
            self._channels.put(chanid, channel)
            self.channel_events[chanid] = answered
            self.channels_seen[chanid] = True  # else a late message for it ends the transport
            channel._set_transport(_Gate(self))
            channel._set_window(_WINDOW, _PACKET)
        return channel, answered

    def _opened(self, channel: Any) -> paramiko.Channel:
        with self.lock:
            self.channel_events.pop(channel.chanid, None)
            refused = self._refused.pop(channel.chanid, None)
            if not channel.active and refused is None and self.active:
                self._late[channel.chanid] = channel
        if refused is not None:
            raise refused
        if not self.active:
            raise LinkDown(f"the SSH connection is gone{self.cause}")
        if not channel.active:
            raise OpenTimeout
        return channel  # type: ignore[no-any-return]

    def _parse_channel_open_success(self, m: Any) -> None:
        chanid = m.get_int()
        m.rewind()
        super()._parse_channel_open_success(m)
        late = self._late.pop(chanid, None)
        if late is not None:
            late.close()

    def _parse_channel_open_failure(self, m: Any) -> None:
        # The base method keeps one exception for all threads, and leaves out the server's words.
        chanid, code, reason = m.get_int(), m.get_int(), m.get_text()
        with self.lock:
            self._channels.delete(chanid)
            self._late.pop(chanid, None)
            answered = self.channel_events.pop(chanid, None)
            if answered is not None:
                self._refused[chanid] = OpenRefused(code, reason)
                answered.set()

    # ── the end ───────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Read until the link ends, then wake whoever waits for an answer."""
        try:
            super().run()
        finally:
            self._wake()

    def close(self) -> None:
        """End the link at once."""
        # The reading thread sits in recv for up to 5 s; this ends it.
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        super().close()
        self.sock.close()
        self._wake()

    def _wake(self) -> None:
        with self.lock:
            waiting = list(self.channel_events.values())
        for answered in waiting:
            answered.set()
