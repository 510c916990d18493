"""What was applied on each host and can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from engine.execution.orders import Outcome

Marks = dict[str, int]
"""How much had been applied on each host at some time."""


class Undo:
    """Remembers outcomes whose tasks have a `rollback`, in the order in which they came."""

    def __init__(self) -> None:
        """Nothing was applied yet."""
        self._applied: dict[str, list[Outcome]] = {}

    def note(self, outcome: Outcome) -> None:
        """An outcome came; only what was applied, and can be taken back, is kept."""
        if outcome.applied and outcome.order.task.rollback:
            self._applied.setdefault(outcome.order.host, []).append(outcome)

    def marks(self) -> Marks:
        """Now, to come back to."""
        return {host: len(outcomes) for host, outcomes in self._applied.items()}

    def take(self, hosts: Collection[str], since: Marks) -> dict[str, list[Outcome]]:
        """What was applied on hosts since then, the last first; it is forgotten here."""
        taken = {}
        for host in hosts:
            kept = since.get(host, 0)
            applied = self._applied.get(host, [])
            if applied[kept:]:
                taken[host] = applied[kept:][::-1]
            self._applied[host] = applied[:kept]
        return taken


def rounds(taken: Mapping[str, list[Outcome]]) -> Iterator[list[Outcome]]:
    """Outcomes of several hosts that are taken back together: of the same task, one a host."""
    left = {host: list(outcomes) for host, outcomes in taken.items()}
    while left:
        task = next(iter(left.values()))[0].order.task.id
        yield [outcomes.pop(0) for outcomes in left.values() if outcomes[0].order.task.id == task]
        left = {host: outcomes for host, outcomes in left.items() if outcomes}
