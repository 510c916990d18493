"""`tcp_probe`: connect to a TCP port, on the host's own network."""

from __future__ import annotations

import time

from engine.contract import (
    DeadlineExceeded,
    DialRefused,
    Duration,
    HostName,
    Pattern,
    Port,
    Probe,
    Struct,
    Target,
    Tcp,
    contains,
    cut,
    duration,
    seconds,
    since,
)
from engine.contract.streams import Stream, dialled

ANSWER_LIMIT = 4096
"""Bytes that are read of what the server says."""
SHOWN = 80
"""Characters of it that a message shows."""


class Reached(Struct, frozen=True, kw_only=True):
    """What came of it.

    Args:
        connected: whether the connection was accepted.
        connect_time: seconds that this took, the way to the host included; None if it was not.
        answer: what the server said, the first 4 KiB as UTF-8, undecodable bytes replaced.
        matched: whether that has what was to be matched; None where nothing was.
        elapsed: seconds for all of it.
        error: why it went no further; None where all went well.
    """

    connected: bool
    elapsed: float
    connect_time: float | None = None
    answer: str = ""
    matched: bool | None = None
    error: str | None = None


class TcpProbe(Probe[Reached], frozen=True, kw_only=True):
    r"""Connect to a TCP port from the host's own network, and see what the server says.

    `localhost`, private names and addresses are the host's; nothing is needed there. A port that
    does not answer is evidence and not an error: `connected` is then false, `error` says why,
    and the task has a finding. So it has where the server does not say what `matches`.

    Args:
        port: the TCP port.
        host: a name or an address, as the host sees it.
        send: text to send once connected, such as `"PING\r\n"`; with it the server must be one
            that changes nothing when it reads that.
        matches: an RE2 pattern that what the server says must contain; it is read until it does.
            Without it nothing is read.
        max_time: how long all of it may take.

    **Source:** RFC 9293; `nc -z` and `nc`.
    """

    port: Port
    host: HostName = "localhost"
    send: str | None = None
    matches: Pattern | None = None
    max_time: Duration = "5s"

    def __post_init__(self) -> None:
        """Refuse a pattern that RE2 cannot read.

        Raises:
            ValueError: it is none.
        """
        if self.matches is not None:
            contains("", self.matches)

    def observe(self, target: Target) -> Reached:
        """Connect, say something, and listen."""
        narrowed = target.within(seconds(self.max_time))
        started = time.monotonic()
        try:
            with dialled(narrowed, Tcp(self.host, self.port)) as stream:
                return self._speak(stream, started)
        except DeadlineExceeded:
            error = f"no answer within {narrowed.deadline.seconds:g} s"
        except DialRefused as refused:
            error = refused.message
        return Reached(connected=False, elapsed=since(started), error=error)

    def finding(self, seen: Reached) -> str | None:
        """No connection, or not the answer that should come."""
        if not seen.connected:
            return self.summary(seen)
        if self.matches is None or seen.matched:
            return seen.error
        said = repr(_short(seen.answer)) if seen.answer else "nothing"
        why = f" ({seen.error})" if seen.error else ""
        return f"the server says {said}, which does not match {self.matches!r}{why}"

    def summary(self, seen: Reached) -> str:
        """`connected in 2 ms: SSH-2.0-OpenSSH_9.2`."""
        if seen.connect_time is None:
            return f"no connection: {seen.error}"
        said = f": {_short(seen.answer)}" if seen.answer else ""
        return f"connected in {duration(seen.connect_time)}{said}"

    def _speak(self, stream: Stream, started: float) -> Reached:
        """What the server says from here on is evidence, too, however it ends."""
        connect_time = since(started)
        heard, error = b"", None
        try:
            if self.send is not None:
                stream.send(self.send.encode())
            while self.matches is not None and len(heard) < ANSWER_LIMIT:
                if heard and contains(_text(heard), self.matches):
                    break
                more = stream.receive(ANSWER_LIMIT - len(heard))
                if not more:
                    error = "then it ended the connection"
                    break
                heard += more
        except (DeadlineExceeded, DialRefused) as failure:
            error = failure.message
        answer = _text(heard)
        matched = None if self.matches is None else contains(answer, self.matches)
        return Reached(
            connected=True,
            connect_time=connect_time,
            answer=answer,
            matched=matched,
            elapsed=since(started),
            error=None if matched else error,
        )


def _text(heard: bytes) -> str:
    return heard.decode("utf-8", "replace")


def _short(answer: str) -> str:
    return cut(answer.strip().partition("\n")[0].rstrip("\r"), SHOWN)


EXAMPLE = """
name: The cache answers
tcp_probe: {port: 6379, send: "PING\\r\\n", matches: "^[+]PONG"}
"""
