"""Acting as another account: who says so, and what one host's refusal means for the whole run."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, get_args

from engine.connections.base import Become, BecomeMethod
from engine.connections.methods import NeedsTerminal, PasswordRefused, PasswordUnanswered
from engine.connections.timers import Timers
from engine.discreet import Discreet
from engine.errors import BecomeRefused, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from engine.connections.base import Platform

    T = TypeVar("T")


METHODS: tuple[BecomeMethod, ...] = get_args(BecomeMethod)


class BecomeSaid(Discreet, frozen=True):
    """What one source says of it: a host's variables, a task, the command line.

    Args:
        become: whether to; None where nothing is said.
        user: as whom.
        method: how to get there.
        password: for the method's prompt.
    """

    hides: ClassVar[tuple[str, ...]] = ("password",)

    become: bool | None = None
    user: str | None = None
    method: BecomeMethod | None = None
    password: str | None = None


def settled(*sources: BecomeSaid) -> Become | None:
    """As whom to act, by the first source that says something, for each part; None: as we are."""
    if not next((one.become for one in sources if one.become is not None), False):
        return None
    return Become(
        user=next((one.user for one in sources if one.user is not None), "root"),
        method=next((one.method for one in sources if one.method is not None), "sudo"),
        password=next((one.password for one in sources if one.password is not None), None),
    )


def is_account(text: str) -> bool:
    """Whether a text can be an account's name; sudo takes `#1001`, too."""
    return re.fullmatch(r"[^-\s:/][^\s:/]*", text) is not None


def as_method(text: str) -> BecomeMethod | None:
    """A method by its name, or by the name of Ansible's plugin for it; None: there is no such."""
    own = text.rpartition(".")[2]
    return next((method for method in METHODS if method == own), None)


def needed(become: Become, platform: Platform, where: str) -> bool:
    """Whether there is anything to do to act as this account.

    Args:
        become: as whom.
        platform: of the host, with the account that we are.
        where: for the message.

    Raises:
        BecomeRefused: the host has no way to.
    """
    if platform.family == "windows":
        raise BecomeRefused(
            f"{where}: become is not supported on Windows hosts: log in as the account that is "
            f"needed (ansible_user), and say ansible_become: false for this host"
        )
    return platform.user != become.user


class _Password:
    """One that several ladders may share: who tries it now, and why nobody must any more."""

    def __init__(self) -> None:
        self.trying = threading.Lock()
        self.refused: str | None = None


class Ladder:
    """The way to one account on one host, by one method.

    The first climb is alone: only once it has led to the account may others go the same way at
    once. What refused it is remembered, for a wrong password that is tried again and again locks
    the account. What has the same password shares that.

    Args:
        become: as whom.
        password: what is known of it.
    """

    def __init__(self, become: Become, password: _Password | None = None) -> None:
        """Nobody has tried yet."""
        self.become = become
        self.timers = Timers()
        """Of the account's commands."""
        self._password = password or _Password()
        self._proven = False
        self._terminal = False
        self._refused: str | None = None

    def climb(self, attempt: Callable[[bool], T], deadline: float) -> T:
        """Go up.

        Args:
            attempt: does so, with a terminal or without.
            deadline: on the monotonic clock.

        Returns:
            What the attempt returned.

        Raises:
            BecomeRefused: now or before, in the same words.
            DeadlineExceeded: another climb took all of the time.
        """
        if not self._proven:
            with self._alone(deadline):
                self._check()
                if not self._proven:
                    return self._attempt(attempt)
        self._check()
        return self._attempt(attempt)

    def _check(self) -> None:
        refused = self._refused or self._password.refused
        if refused is not None:
            raise BecomeRefused(refused)

    def _attempt(self, attempt: Callable[[bool], T]) -> T:
        try:
            done = self._with_what_it_needs(attempt)
        except BecomeRefused as refusal:
            self._remember(refusal)
            raise
        self._proven = True
        return done

    def _remember(self, refusal: BecomeRefused) -> None:
        wrong = isinstance(refusal, PasswordRefused) and not isinstance(refusal, PasswordUnanswered)
        if self._proven and not wrong:
            return  # it has led there before, and may again
        if isinstance(refusal, PasswordRefused):
            self._password.refused = refusal.message
        else:
            self._refused = refusal.message

    def _with_what_it_needs(self, attempt: Callable[[bool], T]) -> T:
        if not self._terminal:
            try:
                return attempt(False)
            except NeedsTerminal:
                self._terminal = True
        return attempt(True)

    @contextmanager
    def _alone(self, deadline: float) -> Iterator[None]:
        if not self._password.trying.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DeadlineExceeded(
                f"{self.become.method} to {self.become.user} was still being tried for another "
                f"task; nothing was run"
            )
        try:
            yield
        finally:
            self._password.trying.release()


class Ladders:
    """One host's ladders; they outlive its links, and so does what they remember."""

    def __init__(self) -> None:
        """None is needed yet."""
        self._lock = threading.Lock()
        self._ladders: dict[Become, Ladder] = {}
        self._passwords: dict[tuple[str | None, ...], _Password] = {}

    def to(self, become: Become) -> Ladder:
        """The one to an account."""
        # sudo and doas ask for the login account's password, whoever it is to become.
        whose = become.user if become.method == "su" else None
        with self._lock:
            if become not in self._ladders:
                key = (whose, become.password)
                password = self._passwords.setdefault(key, _Password())
                self._ladders[become] = Ladder(become, password)
            return self._ladders[become]

    def known(self) -> list[Ladder]:
        """Those that were asked for so far."""
        with self._lock:
            return list(self._ladders.values())
