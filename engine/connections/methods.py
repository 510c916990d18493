"""sudo, su and doas: how each is called, how it asks for a password, and what its words mean."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.connections import shells
from engine.connections.base import Argv
from engine.errors import BecomeRefused

if TYPE_CHECKING:
    from engine.connections.base import Become

_NONCE = 8
"""Bytes that nobody guesses."""

# What runs as the account, before anything else. It says a word and its process group, which the
# method may lead, and goes home: the login account's directory may not be open to it. There is no
# single quote in it, so that su can hand it to the account's own shell, whichever that is.
_ARRIVAL = (
    '[ "${LC_ALL-}" = C ]&&unset LC_ALL;cd 2>/dev/null||cd /;'
    "if read -r _l 2>/dev/null </proc/$$/stat;then set -- ${_l##*) };_g=$3;set --;"
    "else _g=$(ps -o pgid= -p $$ 2>/dev/null);fi;"
    'echo "@WORD@ ${_g:-$$}" >&2;unset _g _l;'
) + shells.MARKED_READER

_PROMPT = re.compile(rb"password[^\n]*: *\Z", re.IGNORECASE)

_TERMINAL = re.compile(r"must have a tty|must be run from a terminal|must be a (tty|terminal)")
_NO_PASSWORD = re.compile(r"sudo: a (password|terminal) is required|doas: Authentication required")
_WRONG = re.compile(r"incorrect password|su: (incorrect|Sorry)|(su|doas): Authentication fail")
_REASONS = (
    (
        r"not in the sudoers file|is not allowed to|may not run|doas: Operation not permitted",
        "its rules do not let the login account run /bin/sh as {user}",
    ),
    (r"exec: .*(not found|No such file)", "it is not installed"),
    (r"[Uu]nknown user|unknown login|user .* does not exist", "there is no such account"),
    (r"account is (currently )?not available", "the account has no login shell; sudo needs none"),
)
"""What in a method's last words says why it refused."""

_WARNING = re.compile(r"sudo: unable to resolve host")


class NeedsTerminal(Exception):
    """The method does nothing without a terminal; it has not asked for a password yet."""


class PasswordRefused(BecomeRefused):
    """The password was given and has not led there; it must not be given again."""


class PasswordUnanswered(PasswordRefused):
    """It was given, and no word came of it in time."""


def _nonce() -> str:
    return secrets.token_hex(_NONCE)


class Call(Struct, frozen=True):
    """A method, called once for an account.

    Args:
        become: the account.
        where: `user@address`, for messages.
        terminal: it has one, and asks for the password there.
        word: is said, with the process group, by what then runs as the account.
        prompt: what sudo asks with.
    """

    become: Become
    where: str
    terminal: bool = False
    word: str = field(default_factory=_nonce)
    prompt: str = field(default_factory=lambda: f"[{_nonce()}]")

    @property
    def argv(self) -> Argv:
        """What leads to the marked reader, as the account; its messages are English."""
        arrival = _ARRIVAL.replace("@WORD@", self.word)
        user, asks = self.become.user, self.become.password is not None
        reader = ("/bin/sh", "-c", arrival, "sh")
        if self.become.method == "su":
            args: tuple[str, ...] = ("su", user, "-c", f"exec /bin/sh -c '{arrival}' sh")
        elif self.become.method == "doas":
            args = ("doas", *(() if self.terminal else ("-n",)), "-u", user, "--", *reader)
        else:
            stdin = () if self.terminal else ("-S",)
            how = (*stdin, "-p", self.prompt) if asks else ("-n",)
            args = ("sudo", *how, "-H", "-u", user, "--", *reader)
        return Argv(args, {"LC_ALL": "C"})

    def group(self, said: bytes) -> int | None:
        """The process group, once we are there."""
        found = re.search(rb"%s +([0-9]+)\r?\n" % self.word.encode(), said)
        return int(found[1]) if found else None

    def asks(self, said: bytes) -> bool:
        """Whether it waits for a password: a prompt is the last that is said."""
        if self.become.method == "sudo":
            return said.endswith(self.prompt.encode())
        return _PROMPT.search(said) is not None

    # ── what its end means ────────────────────────────────────────────────────────────────────

    def refused(self, reason: str) -> BecomeRefused:
        """The error, with who refused what."""
        return BecomeRefused(f"{self._by} to {self.become.user}: {reason}")

    def no_password(self) -> BecomeRefused:
        """It asks, and we have none."""
        return self.refused("it wants a password: -K asks for it, or set ansible_become_password")

    def wrong_password(self) -> PasswordRefused:
        """It asks again, or says so."""
        whose = self.become.user if self.become.method == "su" else "the login account"
        why = f"the password is wrong: it takes that of {whose}"
        return PasswordRefused(f"{self._by}: {why}; it is not tried again in this run")

    def unanswered(self, heard: str) -> PasswordUnanswered:
        """It took the password. Hung up on now, it may count it as a wrong one."""
        why = f"it took the password and said no more in time{heard}"
        return PasswordUnanswered(f"{self._by}: {why}; it is not tried again in this run")

    @property
    def _by(self) -> str:
        # Without the account: what a password does not open for one, it opens for no other.
        return f"{self.where}: {self.become.method}"

    def ended(self, said: bytes) -> Exception:
        """It ended before we were there, with these words."""
        text = said.decode("utf-8", "replace")
        if not self.terminal and self._wants_terminal(text):
            return NeedsTerminal()
        if _NO_PASSWORD.search(text):
            return self.no_password()
        if _WRONG.search(text) and self.become.password is not None:
            return self.wrong_password()
        lines = (line.strip() for line in text.splitlines() if not _WARNING.match(line))
        words = "; ".join(line for line in lines if line)
        found = (reason for pattern, reason in _REASONS if re.search(pattern, text))
        reason = next(found, "it failed").format(user=self.become.user)
        return self.refused(f"{reason}: {words}" if words else reason)

    def _wants_terminal(self, text: str) -> bool:
        # doas takes a password from nothing else; without one it may have been let in.
        by_password = self.become.method == "doas" and self.become.password is not None
        return bool(_TERMINAL.search(text) or (by_password and _NO_PASSWORD.search(text)))
