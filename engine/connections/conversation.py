"""What is said on the way to another account: the password goes out only after the prompt."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from engine.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.methods import Call
    from engine.connections.output import Ending

PATIENCE = 20.0
"""Seconds that a method may take: its own delays, a directory service that is slow to answer."""

_MOST = 64 * 1024
"""Bytes of what was said that are kept."""


class Conversation:
    """Hears both streams of a method, answers its prompt once, and learns how it ended.

    Where it asks for no password it is given none: what runs then would take it for its input.

    Args:
        call: of the method.
    """

    def __init__(self, call: Call) -> None:
        """Nothing has been said yet."""
        self._call = call
        self._changed = threading.Condition()
        self._said: dict[object, bytes] = {}
        self._open = 0
        self._over = False

    def opened(self, stream: object) -> None:
        """There is one more stream."""
        with self._changed:
            self._said[stream] = b""
            self._open += 1

    @property
    def over(self) -> bool:
        """Whether we are there, and what is said is no longer the method's."""
        return self._over

    def hear(self, stream: object, data: bytes) -> None:
        """The next of a stream."""
        with self._changed:
            self._said[stream] = (self._said[stream] + data)[-_MOST:]
            self._changed.notify()

    def closed(self) -> None:
        """One of the streams ended."""
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def hold(self, answer: Callable[[bytes], object], deadline: float) -> int:
        """Take part in it.

        Args:
            answer: sends the password's line.
            deadline: on the monotonic clock.

        Returns:
            The process group of what now reads as the account.

        Raises:
            BecomeRefused, NeedsTerminal: it let us not in.
            DeadlineExceeded: the time was over.
        """
        until = min(deadline, time.monotonic() + PATIENCE)
        answered = False
        while True:
            with self._changed:
                self._changed.wait_for(self._told, max(0.0, until - time.monotonic()))
                group = self._arrived()
                if group is not None:
                    self._over = True
                    return group
                if not self._asks():
                    raise self._end(until=until, deadline=deadline, answered=answered)
                self._said = dict.fromkeys(self._said, b"")
            if answered:
                raise self._call.wrong_password()
            answer(self._password())
            answered = True

    def _told(self) -> bool:
        """Whether there is an answer, a prompt, or nothing more to come."""
        return not self._open or self._asks() or self._arrived() is not None

    def _asks(self) -> bool:
        return any(self._call.asks(said) for said in self._said.values())

    def _arrived(self) -> int | None:
        groups = map(self._call.group, self._said.values())
        return next((group for group in groups if group is not None), None)

    def _password(self) -> bytes:
        password = self._call.become.password
        if password is None:
            raise self._call.no_password()
        return f"{password}\n".encode("utf-8", "surrogateescape")

    def _end(self, *, until: float, deadline: float, answered: bool) -> Exception:
        """Why there will be no more."""
        said = b"".join(self._said.values())
        if not self._open:
            return self._call.ended(said)
        words = said.decode("utf-8", "replace").strip()
        heard = f"; it said: {words}" if words else ""
        if answered:
            return self._call.unanswered(heard)
        if until < deadline:
            return self._call.refused(f"no prompt and no answer within {PATIENCE:g} s{heard}")
        way = f"{self._call.become.method} to {self._call.become.user}"
        return DeadlineExceeded(f"{way} did not answer in time; nothing was run{heard}")


class Overheard:
    """A sink: a stream of the method first, and then of what runs as the account.

    Args:
        conversation: hears it, until it is over.
        onward: is fed the rest.
    """

    def __init__(self, conversation: Conversation, onward: Ending) -> None:
        """Nothing has come yet."""
        conversation.opened(self)
        self._conversation = conversation
        self._onward = onward

    def feed(self, data: bytes) -> None:
        """Take the next chunk."""
        if self._conversation.over:
            self._onward.feed(data)
        else:
            self._conversation.hear(self, data)

    def finish(self) -> None:
        """The stream ended."""
        if self._conversation.over:
            self._onward.finish()
        else:
            self._conversation.closed()
