"""All policies that hold at once: whatever one of them forbids is forbidden."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.contract import seconds
from engine.policy.text import BreakerText

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from engine.contract import Identity
    from engine.language.keywords import Limits
    from engine.policy.policy import AtMost, Policy
    from engine.policy.text import ApproveText

CLOCK: dict[str, timedelta] = {
    "P1": timedelta(minutes=15),
    "P2": timedelta(hours=1),
    "P3": timedelta(hours=4),
}
"""Until somebody must have taken the incident; P4 has no clock: next sprint."""


class Policies(Struct, frozen=True):
    """The machine's policy and the user's, the one that goes further first; both may be missing.

    Args:
        policies: each as its file says.
    """

    policies: tuple[Policy, ...] = ()

    @property
    def paths(self) -> list[str]:
        """Of their files."""
        return [policy.path for policy in self.policies]

    def protects(self, names: Collection[str], on: Identity) -> str:
        """Why something on a host is never changed; empty where it may be.

        Args:
            names: the host's own, and those of its groups.
            on: what is to be changed.
        """
        reasons = (p.protects_host(names) or p.protects(on) for p in self.policies)
        return next((reason for reason in reasons if reason), "")

    @property
    def limits(self) -> Iterator[tuple[str, Limits]]:
        """The most that a mitigation may change, with the file that says so."""
        yield from ((policy.path, policy.text.limits) for policy in self.policies)

    def approvals(self, module: str, names: Collection[str]) -> Iterator[tuple[str, ApproveText]]:
        """What a yes to a change must be, with the file that says so."""
        yield from ((policy.path, policy.approval(module, names)) for policy in self.policies)

    def cooldown(self, module: str) -> float:
        """Seconds that an action leaves its target alone; the longest that any of them says."""
        return max((policy.cooldown(module) for policy in self.policies), default=0.0)

    def at_most(self, module: str) -> list[AtMost]:
        """How often an action may hit one target."""
        return [limit for policy in self.policies for limit in policy.at_most(module)]

    @property
    def breaker(self) -> tuple[int, float]:
        """After how many actions that did not help a target is left alone, and for how long."""
        said = [policy.breaker for policy in self.policies if policy.breaker is not None]
        found = said or [BreakerText()]
        return min(one.after for one in found), max(seconds(one.rest) for one in found)

    @property
    def clock(self) -> dict[str, timedelta]:
        """How long each level gives until somebody must have taken the incident."""
        clock: dict[str, timedelta | None] = dict(CLOCK)
        for policy in reversed(self.policies):
            clock.update(policy.clock)
        return {level: time for level, time in clock.items() if time is not None}
