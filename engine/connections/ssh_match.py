"""For which hosts a block of ssh_config holds: `Host` patterns, and `Match` with its criteria."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.connections.ssh_tokens import Tokens, hostname
from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.ssh_options import Options

_ALONE = frozenset({"all", "final", "canonical"})
_TEXTS: dict[str, Callable[[Subject], str]] = {
    "host": lambda subject: subject.address.lower(),
    "originalhost": lambda subject: subject.original.lower(),
    "user": lambda subject: subject.user,
    "localuser": lambda subject: subject.account,
}
_EXEC_TIME = 30


class Subject(Struct, frozen=True):
    """The host that is asked for, in one pass over the files.

    Args:
        original: as it was given.
        host: the same; in the second pass what HostName made of it, in lower case.
        options: what has been said so far.
        account: that quell runs as.
        executed: commands of `Match exec` with their outcome, each run once.
        final: whether this is the second pass.
    """

    original: str
    host: str
    options: Options
    account: str
    executed: dict[str, bool]
    final: bool = False

    def again(self) -> Subject:
        """The second pass, which `Match final` asks for."""
        address = self.address.lower()
        # What is found now is the address: no HostName of the second pass changes it.
        self.options.add("hostname", (address.replace("%", "%%"),), "the first pass")
        return replace(self, host=address, final=True)

    @property
    def address(self) -> str:
        """What HostName has made of the host so far."""
        return hostname(self.options, self.host)

    @property
    def user(self) -> str:
        """Who would log in, as far as is known."""
        said = self.options.get("user")
        return said.text if said else self.account

    def runs(self, command: str) -> bool:
        """Whether a command of the user's own configuration succeeds."""
        tokens = Tokens.of(self.options, self.original, self.address, self.account)
        line = tokens.command(command, "Match exec")
        if line not in self.executed:
            shell = os.environ.get("SHELL") or "/bin/sh"
            try:
                done = subprocess.run(
                    [shell, "-c", line],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_EXEC_TIME,
                    check=False,
                )
                self.executed[line] = done.returncode == 0
            except (OSError, subprocess.TimeoutExpired):
                self.executed[line] = False
        return self.executed[line]


class Condition(Protocol):
    """What a block asks of a host."""

    @property
    def final(self) -> bool:
        """Whether it asks for a second pass."""
        ...

    def holds(self, subject: Subject) -> bool:
        """Whether the block is for this host."""
        ...


class Patterns:
    """The words of a `Host` line: one must fit, and none of those with `!`."""

    final = False

    def __init__(self, words: tuple[str, ...]) -> None:
        """Make them ready to be compared with many hosts."""
        self._wanted = [_glob(word) for word in words if not word.startswith("!")]
        self._unwanted = [_glob(word[1:]) for word in words if word.startswith("!")]

    def fit(self, text: str) -> bool:
        """Whether they fit a text."""
        if any(pattern.fullmatch(text) for pattern in self._unwanted):
            return False
        return any(pattern.fullmatch(text) for pattern in self._wanted)

    def holds(self, subject: Subject) -> bool:
        """As `Condition`."""
        return self.fit(subject.host)


def _glob(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in pattern), re.DOTALL)


class _Criterion(Struct, frozen=True):
    name: str
    negated: bool
    value: str
    patterns: Patterns
    where: str

    def holds(self, subject: Subject) -> bool:
        return self._plainly(subject) != self.negated

    def _plainly(self, subject: Subject) -> bool:
        if self.name in _TEXTS:
            return self.patterns.fit(_TEXTS[self.name](subject))
        if self.name == "exec":
            return subject.runs(self.value)
        if self.name not in _ALONE:
            # Said only of a host that the rest fits: such a block may be about other hosts.
            raise InputError(Problem(f"{self.where}: Match {self.name} is not supported"))
        # Names are not made canonical here.
        return self.name == "all" or (self.name == "final" and subject.final)


class _Match(Struct, frozen=True):
    criteria: tuple[_Criterion, ...]

    @property
    def final(self) -> bool:
        return any(criterion.name == "final" for criterion in self.criteria)

    def holds(self, subject: Subject) -> bool:
        return all(criterion.holds(subject) for criterion in self.criteria)


def parse(words: tuple[str, ...], where: str) -> Condition:
    """The condition of a `Match` line.

    Args:
        words: after `Match`.
        where: `file:line`, for messages.

    Raises:
        ValueError: it cannot be understood, and why.
    """
    left = list(words)
    criteria: list[_Criterion] = []
    while left:
        word = left.pop(0).lower()
        name = word.removeprefix("!")
        if name not in _ALONE and not left:
            raise ValueError(f"Match {name} needs a value")
        value = "" if name in _ALONE else left.pop(0)
        # Like ssh: hosts are compared in small letters, users as they are.
        small = value.lower() if name in ("host", "originalhost") else value
        patterns = Patterns(tuple(small.split(",")))
        criteria.append(_Criterion(name, word != name, value, patterns, where))
    if not criteria:
        raise ValueError("Match needs a criterion")
    return _Match(tuple(criteria))
