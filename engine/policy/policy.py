"""A policy, and what follows from it for a change: pure."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Struct

from engine.contract import seconds
from engine.policy.text import ApproveText, BreakerText, PolicyText

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.contract import Identity

_KINDS = {
    "container": "containers",
    "process": "processes",
    "backend": "roles",
    "service": "services",
    "file": "files",
}
"""What an identity is of, and the word for these in `protect`."""


class AtMost(Struct, frozen=True):
    """So many times within so many seconds."""

    times: int
    within: float


class Policy(Struct, frozen=True, kw_only=True):
    """What a file says; an empty one forbids nothing that is not forbidden anyway.

    Args:
        path: of the file; empty for what holds without one.
        text: what it says.
    """

    path: str = ""
    text: PolicyText = PolicyText()

    def protects_host(self, names: Collection[str]) -> str:
        """Why a host is never changed; empty where it may be.

        Args:
            names: the host's own, and those of its groups.
        """
        for pattern in self.text.protect.hosts:
            if any(fnmatchcase(name, pattern) for name in names):
                return f'{self.path} protects the hosts "{pattern}"'
        return ""

    def protects(self, on: Identity) -> str:
        """Why something is never changed; empty where it may be."""
        word = _KINDS.get(on.kind)
        for pattern in getattr(self.text.protect, word) if word else ():
            if fnmatchcase(on.name, pattern):
                return f'{self.path} protects the {word} "{pattern}"'
        port = on.key.get("port")
        for said in self.text.protect.ports:
            if isinstance(port, int) and _holds(said, port):
                return f"{self.path} protects the port {said}"
        return ""

    def approval(self, module: str, hosts: Collection[str]) -> ApproveText:
        """What a yes to a change must be.

        Args:
            module: what is to be done.
            hosts: the name of the host, and those of its groups.
        """
        for rule in self.text.approve:
            if _fits(module, rule.modules) and any(_fits(host, rule.hosts) for host in hosts):
                return rule
        return ApproveText()

    def cooldown(self, module: str) -> float:
        """Seconds that this action leaves its target alone; the longest that fits."""
        fitting = (
            seconds(d) for glob, d in self.text.cooldown.items() if fnmatchcase(module, glob)
        )
        return max(fitting, default=0.0)

    def at_most(self, module: str) -> list[AtMost]:
        """How often this action may hit one target."""
        return [
            _at_most(said) for glob, said in self.text.at_most.items() if fnmatchcase(module, glob)
        ]

    @property
    def breaker(self) -> BreakerText | None:
        """When a target is left alone because nothing helps; None where it does not say."""
        return None if self.text.breaker is UNSET else self.text.breaker

    @property
    def clock(self) -> dict[str, timedelta | None]:
        """How long each level gives that it says something of; None: no time at all."""
        said = msgspec.structs.asdict(self.text.severity)
        return {
            level: None if given is None else timedelta(seconds=seconds(given))
            for level, given in said.items()
            if given is not UNSET
        }


def _fits(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _holds(said: int | str, port: int) -> bool:
    if isinstance(said, int):
        return said == port
    first, last = port_range(said)
    return first <= port <= last


def port_range(said: str) -> tuple[int, int]:
    """The first and the last port of `5000-5999`.

    Raises:
        ValueError: it is no range of ports.
    """
    first, _, last = said.partition("-")
    found = int(first), int(last or first)
    if not 1 <= found[0] <= found[1] <= 65535:
        raise ValueError(said)
    return found


def _at_most(said: str) -> AtMost:
    times, _, within = said.split(maxsplit=2)
    return AtMost(int(times), seconds(within))
