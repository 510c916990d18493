"""The severity, from the evidence: pure, so that it can be judged again from the journal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from engine.language.model import Rule


class Judgement(Struct, frozen=True):
    """Which rule held, where, and which could not be asked.

    Args:
        level: P1 to P4; None: no rule held.
        hosts: on which the rule held.
        of: how many were asked.
        unjudged: `rule on host: why`, for the rules before the one that held.
    """

    level: str | None
    because: str = ""
    hosts: tuple[str, ...] = ()
    of: int = 0
    unjudged: tuple[str, ...] = ()


def judge(
    rules: Sequence[Rule],
    evidence: Mapping[str, frozenset[str]],
    hosts: Sequence[str],
    holds: Callable[[Rule, str], bool],
) -> Judgement:
    """The first rule that holds on as many hosts as its `on` says decides.

    Args:
        rules: in order.
        evidence: registered name → the hosts that ran its probe.
        hosts: the playbook's; asked by rules that use no evidence.
        holds: evaluates a rule's `when` on a host; raises HostError where it cannot.
    """
    unjudged: list[str] = []
    for rule in rules:
        asked = _asked(rule, evidence, hosts)
        used = rule.uses & evidence.keys()
        if not asked:
            unjudged.append(f"{rule.text.level}: no host has {_all_of(used)}")
            continue
        held = []
        for host in asked:
            try:
                if holds(rule, host):
                    held.append(host)
            except HostError as error:
                unjudged.append(f"{rule.text.level} on {host}: {error.message}")
        if len(held) >= needed(rule.text.on, len(asked)):
            level, because = rule.text.level, rule.text.because
            return Judgement(level, because, tuple(held), len(asked), tuple(unjudged))
    return Judgement(None, unjudged=tuple(unjudged))


def _asked(rule: Rule, evidence: Mapping[str, frozenset[str]], hosts: Sequence[str]) -> list[str]:
    used = rule.uses & evidence.keys()
    if not used:
        return list(hosts)
    return sorted(frozenset.intersection(*(evidence[name] for name in used)))


def _all_of(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def needed(on: int | str, asked: int) -> int:
    """How many of the hosts asked must agree: `any`, `all`, a count or a percentage."""
    if on == "any":
        return 1
    if on == "all":
        return asked
    if isinstance(on, str) and on.endswith("%"):
        return max(1, math.ceil(float(on[:-1]) / 100 * asked))
    return int(on)


def acknowledge_by(
    level: str | None, opened_at: datetime, clock: Mapping[str, timedelta]
) -> datetime | None:
    """When somebody must have taken it; None where the level has no clock."""
    length = clock.get(level or "")
    return opened_at + length if length else None
