"""Whether a link still stands, and what ended it: paramiko's Transport tells neither in time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.packet import NeedRekeyException

if TYPE_CHECKING:

    class _Transport(paramiko.Transport):
        """The names used here that the type stubs leave out."""

        def _send_user_message(self, data: Any) -> None: ...
        def _parse_debug(self, m: Any) -> None: ...
        def _parse_request_success(self, m: Any) -> None: ...
        def _parse_request_failure(self, m: Any) -> None: ...

else:
    _Transport = paramiko.Transport

WAKES = 5.2
"""How often an idle reading thread wakes: at paramiko's 0.1 s, 500 hosts cost 16 % of a core."""


class OpenTimeout(Exception):
    """The server has not answered in time; should it still open the channel, it is closed."""


class LinkDown(Exception):
    """The transport is not connected, or no longer."""


class Packetizer(paramiko.packet.Packetizer):
    """Takes note of the stream's end before anybody is told of it."""

    ended = False

    def start_handshake(self, timeout: float) -> None:
        """Start no timer, which is a thread: who waits for the handshake ends it in time."""

    def set_outbound_cipher(  # type: ignore[override]  # paramiko says them by name, too
        self, *, aead: bool = False, sdctr: bool = False, **said: Any
    ) -> None:
        """Ask the system for no random padding where the cipher needs none.

        That is a system call for each message, and another wait for Python's lock.
        """
        super().set_outbound_cipher(aead=aead, sdctr=sdctr or aead, **said)

    def read_message(self) -> Any:
        """The next message."""
        try:
            return super().read_message()
        except NeedRekeyException:
            raise
        except BaseException:
            self.ended = True
            raise


class Living(_Transport):
    """A transport that knows whether it stands."""

    packetizer: Packetizer

    _unanswered = 0
    _closed_by_us = False

    def __init__(self, sock: Any, **options: int) -> None:
        """As `paramiko.Transport`."""
        super().__init__(sock, packetizer_class=Packetizer, **options)  # type: ignore[arg-type]
        self._heard = threading.Event()
        self._heard.set()

    @property
    def alive(self) -> bool:
        """Whether it stands, as far as is known.

        paramiko's `is_active` still says so while it tells the channels of the end.
        """
        return self.is_active() and not self.packetizer.ended

    @property
    def cause(self) -> str:
        """What ended it, in brackets; empty where that is not known, or where we did.

        **Source:** paramiko, `Transport.run`: what the reading thread came upon.
        """
        error = self.saved_exception
        if error is None or self._closed_by_us or self.alive:
            return ""
        if isinstance(error, EOFError):
            return " (the server hung up)"
        said = error.strerror if isinstance(error, OSError) else str(error)
        return f" ({said})" if said else ""

    def watch(self, interval: float, count: int) -> None:
        """Ask a silent server from time to time whether it is there, and end the link if not.

        Args:
            interval: seconds of silence before each question; 0 for none.
            count: how many may stay unanswered.
        """
        self.packetizer.set_keepalive(interval, lambda: self._ask(interval, count))
        if interval:
            # A little more than the interval: who wakes a little too early asks at the next time.
            self.sock.settimeout(min(interval * 1.02, WAKES))

    def _ask(self, interval: float, count: int) -> None:
        # paramiko's own question wants no answer, and so never finds a dead peer.
        if self._unanswered >= count:
            raise paramiko.SSHException(f"no answer for {interval * (count + 1):g} s")
        self._unanswered += 1
        self._heard.clear()
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self._send_user_message(message)

    def _hear(self) -> None:
        """The server has answered, or never will."""
        self._unanswered = 0
        self._heard.set()

    def _parse_debug(self, m: Any) -> None:
        """What a server says for whoever mends it; paramiko makes it readable for a log."""

    def _parse_request_success(self, m: Any) -> None:
        self._hear()
        super()._parse_request_success(m)

    def _parse_request_failure(self, m: Any) -> None:
        self._hear()
        super()._parse_request_failure(m)

    def attend(self, timeout: float) -> None:
        """Make sure that the server is there, where a question of ours has no answer yet.

        So what is sent next is not lost on a server that has gone without a word.

        Args:
            timeout: seconds.

        Raises:
            OpenTimeout: no answer came.
            LinkDown: the connection is gone.
        """
        heard = self._heard.wait(timeout)
        if not self.alive:
            raise LinkDown(f"the SSH connection is gone{self.cause}")
        if not heard:
            raise OpenTimeout

    def run(self) -> None:
        """Read until the link ends."""
        try:
            super().run()
        finally:
            self._hear()

    def close(self) -> None:
        """End the link."""
        self._closed_by_us = True
        super().close()
        self._hear()
