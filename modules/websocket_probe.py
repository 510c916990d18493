"""`websocket_probe`: open a WebSocket, on the host's own network."""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import field
from msgspec.structs import replace

from engine.contract import (
    DeadlineExceeded,
    DialRefused,
    Duration,
    HeaderName,
    HeaderValue,
    Meta,
    ModuleFailed,
    Pattern,
    Probe,
    Struct,
    Target,
    Tcp,
    contains,
    count,
    cut,
    duration,
    seconds,
    since,
    tls_context,
)
from engine.contract.http import check_address
from engine.contract.streams import Stream, dialled, tls_reason

if TYPE_CHECKING:
    from websockets.frames import Frame

MESSAGE_LIMIT = 64 * 1024
"""Bytes of the longest message that is taken."""
MESSAGES = 20
"""The first messages that are kept."""
REFUSAL_LIMIT = 300
"""Characters shown of what is wrong with a server's handshake."""
FAREWELL = 1.0
"""Seconds that the server gets to answer our goodbye."""

Url = Annotated[
    str,
    Meta(pattern=r"^wss?://[^\s#]+$", title="WebSocket URL", examples=["ws://localhost:8080/ws"]),
]


class Conversation(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        opened: whether the server agreed to speak WebSocket.
        status: of its HTTP answer, 101 if it agreed; None where there was none.
        opening: seconds until then; None if it did not.
        subprotocol: that was agreed on.
        messages: what the server sent, the first 20; bytes as UTF-8, others replaced.
        matched: whether one of its messages has what was to be matched; None where nothing was.
        close_code: with which the server closed it before we did; None if it did not.
        close_reason: in its words.
        elapsed: seconds for all of it.
        error: why it went no further; None where all went well.
    """

    elapsed: float
    opened: bool = False
    status: int | None = None
    opening: float | None = None
    subprotocol: str | None = None
    messages: list[str] = field(default_factory=list)
    matched: bool | None = None
    close_code: int | None = None
    close_reason: str = ""
    error: str | None = None


class WebsocketProbe(Probe[Conversation], frozen=True, kw_only=True):
    r"""Open a WebSocket from the host's own network, perhaps say something, and close it.

    `localhost`, private names and addresses are the host's; nothing is needed there. A server
    that does not answer is evidence and not an error: `error` then says why. Without `expect` it
    is a finding when the WebSocket does not open, and when no message comes that `matches`.

    Args:
        url: `ws://` or `wss://`, as the host sees it.
        send: a text message to send once it is open.
        matches: an RE2 pattern that one of the server's messages must contain; they are read
            until one does. Without it none is read.
        subprotocols: that are offered, the preferred one first.
        headers: sent with the opening request, such as `Origin` or `Cookie`.
        max_time: how long all of it may take.
        verify: whether to check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust.

    **Source:** RFC 6455.
    """

    primary: ClassVar[str] = "url"

    url: Url
    send: str | None = None
    matches: Pattern | None = None
    subprotocols: tuple[HeaderName, ...] = ()
    headers: dict[HeaderName, HeaderValue] = field(default_factory=dict)
    max_time: Duration = "10s"
    verify: bool = True
    ca: str | None = None

    def __post_init__(self) -> None:
        """Refuse a URL without a host, and a pattern that RE2 cannot read.

        Raises:
            ValueError: the arguments are wrong.
        """
        check_address(self.url)
        if self.matches is not None:
            contains("", self.matches)

    def observe(self, target: Target) -> Conversation:
        """Open it, speak, and close it."""
        narrowed = target.within(seconds(self.max_time))
        talk = _Talk(self)
        try:
            return talk.told(talk.have(narrowed))
        except DeadlineExceeded:
            return talk.told(f"no answer within {narrowed.deadline.seconds:g} s")
        except DialRefused as refused:
            return talk.told(refused.message)
        except ssl.SSLError as failed:
            return talk.told(f"no TLS: {tls_reason(failed)}")

    def finding(self, seen: Conversation) -> str | None:
        """It does not open, or the message that should come does not."""
        if not seen.opened:
            return self.summary(seen)
        if self.matches is None or seen.matched:
            return seen.error
        came = "no message" if seen.messages else "nothing came, and so no message"
        return f"{came} matches {self.matches!r} ({seen.error})"

    def summary(self, seen: Conversation) -> str:
        """`open in 12 ms, 2 messages`."""
        if seen.opening is None:
            return f"the WebSocket does not open: {seen.error}"
        parts = [f"open in {duration(seen.opening)}"]
        if seen.messages:
            parts.append(count(len(seen.messages), "message"))
        if seen.close_code is not None:
            parts.append(_closed(seen))
        return ", ".join(parts)


class _Talk:
    """One conversation. What is known of it is known at any moment, however it ends."""

    def __init__(self, probe: WebsocketProbe) -> None:
        from websockets.client import ClientProtocol
        from websockets.exceptions import InvalidURI
        from websockets.typing import Subprotocol
        from websockets.uri import parse_uri

        try:
            self._uri = parse_uri(probe.url)
        except InvalidURI as error:
            raise ModuleFailed(str(error)) from error
        self._probe = probe
        self._started = time.monotonic()
        self._protocol = ClientProtocol(
            self._uri,
            subprotocols=[Subprotocol(name) for name in probe.subprotocols] or None,
            max_size=MESSAGE_LIMIT,
        )
        self._part = b""
        self._seen = Conversation(elapsed=0, matched=None if probe.matches is None else False)

    def told(self, error: str | None = None) -> Conversation:
        """What is known, with why it went no further."""
        done = self._seen.opened and self._seen.matched is not False
        elapsed = since(self._started)
        return replace(self._seen, elapsed=elapsed, error=None if done else error)

    def have(self, target: Target) -> str | None:
        """Open, speak, listen, close.

        Returns:
            What went wrong.
        """
        with dialled(target, Tcp(self._uri.host, self._uri.port)) as stream:
            if self._uri.secure:
                context = tls_context(verify=self._probe.verify, ca=self._probe.ca)
                stream.secure(context, self._uri.host)
            wrong = self._open(stream)
            if wrong is None:
                wrong = self._speak(stream)
                self._leave(stream)
            return wrong

    def _open(self, stream: Stream) -> str | None:
        from websockets.exceptions import InvalidStatus
        from websockets.protocol import State

        request = self._protocol.connect()
        for name, value in self._probe.headers.items():
            request.headers.pop(name, None)  # a second assignment would add a second one
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush(stream)
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            self._read(stream)
        refused = self._protocol.handshake_exc
        if isinstance(refused, InvalidStatus):
            status = refused.response.status_code
            self._seen = replace(self._seen, status=status)
            return f"status {status}, expected 101"
        if refused is not None:
            return cut(str(refused), REFUSAL_LIMIT)
        self._seen = replace(
            self._seen,
            opened=True,
            status=101,
            opening=since(self._started),
            subprotocol=self._protocol.subprotocol,
        )
        return None

    def _speak(self, stream: Stream) -> str | None:
        from websockets.protocol import State

        if self._probe.send is not None and self._protocol.state is State.OPEN:
            self._protocol.send_text(self._probe.send.encode())
            self._flush(stream)
        while self._seen.matched is False and self._protocol.state is State.OPEN:
            self._read(stream)
        if self._seen.matched is not False:
            return None
        return _closed(self._seen) or str(
            self._protocol.parser_exc or "then it ended the connection"
        )

    def _leave(self, stream: Stream) -> None:
        """Say goodbye, and give the server a moment to hear it."""
        from websockets.protocol import State

        with suppress(DeadlineExceeded, DialRefused):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
            last = stream.within(FAREWELL)
            self._flush(last)
            while last.receive():
                pass

    def _read(self, stream: Stream) -> None:
        from websockets.frames import Frame

        data = stream.receive()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._hear(event)
        self._flush(stream)

    def _hear(self, frame: Frame) -> None:
        from websockets.frames import Close, Opcode

        if frame.opcode is Opcode.CLOSE:
            close = Close.parse(frame.data)
            self._seen = replace(self._seen, close_code=close.code, close_reason=close.reason)
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        self._part += bytes(frame.data)
        if frame.fin:
            message = self._part.decode("utf-8", "replace")
            self._part = b""
            self._take(message)

    def _take(self, message: str) -> None:
        if len(self._seen.messages) < MESSAGES:
            messages = [*self._seen.messages, message]
            self._seen = replace(self._seen, messages=messages)
        if self._probe.matches is not None and contains(message, self._probe.matches):
            self._seen = replace(self._seen, matched=True)

    def _flush(self, stream: Stream) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            stream.send(data)


def _closed(seen: Conversation) -> str:
    if seen.close_code is None:
        return ""
    reason = f": {seen.close_reason}" if seen.close_reason else ""
    return f"the server closed it with {seen.close_code}{reason}"


EXAMPLE = """
name: Live updates work
websocket_probe:
  url: ws://localhost:8080/ws
  send: '{"type": "ping"}'
  matches: '"type":\\s*"pong"'
"""
