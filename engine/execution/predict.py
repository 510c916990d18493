"""What a phase would change, found on the live hosts; nothing is changed by asking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from engine.contract import Change, to_plain
from engine.errors import GuardRefused
from engine.events import ChangePredicted, GuardHeld, NotPredicted
from engine.execution.approval import Proposal
from engine.execution.waves import defines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.events import Event, Intent
    from engine.execution.orders import Key, Order, Outcome
    from engine.execution.stage import Stage
    from engine.language.model import Approve, Phase, Task
    from engine.registry import Registry


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a phase would do.

    Args:
        proposals: the changes, in the playbook's order.
        unpredicted: the hosts with a task that depends on the outcome of a change.
        settled: what ended by being asked: it failed, or had taken effect before.
    """

    proposals: tuple[Proposal, ...]
    unpredicted: frozenset[str]
    settled: Mapping[Key, Outcome]

    def hosts(self) -> frozenset[str]:
        """Every host that would or could be changed."""
        return frozenset(p.host for p in self.proposals) | self.unpredicted


class Predictor:
    """Asks a phase's actions what they would do."""

    def __init__(
        self,
        stage: Stage,
        registry: Registry,
        tell: Callable[[Event], None],
        unknown: Mapping[Key, Intent],
    ) -> None:
        """Ask on this stage.

        Args:
            stage: where orders are expanded and sent.
            registry: knows which actions can be observed afterwards.
            tell: makes predictions known.
            unknown: intents of an earlier session whose outcome nobody saw.
        """
        self._stage = stage
        self._registry = registry
        self._tell = tell
        self._unknown = unknown

    def predict(self, phase: Phase, tasks: Sequence[Task]) -> Prediction:
        """Observe and decide for every action on every host, all together.

        Raises:
            GuardRefused: a target is protected.
        """
        orders: list[Order] = []
        unpredicted: set[str] = set()
        not_known: set[str] = set()
        for task in tasks:
            depends = task.uses & not_known
            not_known |= defines(task)
            if task.kind != "action":
                continue
            for _, host in self._stage.cells(phase, [task]):
                if depends:
                    self._not_predicted(task, host, f"depends on {', '.join(sorted(depends))}")
                    unpredicted.add(host)
                else:
                    orders += self._expand(phase, task, host)
        outcomes = list(self._stage.dispatch([order] for order in orders))
        place = {order.key: n for n, order in enumerate(orders)}
        outcomes.sort(key=lambda outcome: place[outcome.order.key])
        proposals: list[Proposal] = []
        settled: dict[Key, Outcome] = {}
        for outcome in outcomes:
            changing = {p.host for p in proposals}
            sorted_ = self._sort(outcome, changing, unpredicted)
            if isinstance(sorted_, Proposal):
                proposals.append(sorted_)
            elif sorted_ is not None:
                settled[sorted_.order.key] = sorted_
        return Prediction(tuple(proposals), frozenset(unpredicted), settled)

    def _expand(self, phase: Phase, task: Task, host: str) -> list[Order]:
        orders, settled = self._stage.expand(phase, task, host, "predict")
        for outcome in settled:
            if outcome.failed:
                self._stage.tell(outcome)
        return [self._with_unknown(order) for order in orders]

    def _with_unknown(self, order: Order) -> Order:
        intent = self._unknown.get(order.key)
        if intent is None:
            return order
        change = msgspec.convert(intent.change, Change)
        return replace(order, unknown=change, intent=intent.intent)

    def _sort(
        self, outcome: Outcome, changing: set[str], unpredicted: set[str]
    ) -> Proposal | Outcome | None:
        """An outcome is a proposal, an end, nothing to do, or the reason why that is not known."""
        order = outcome.order
        if outcome.guard:
            self._refused(outcome)
        if outcome.failed and order.host in changing:
            # What fails now may well work after the change before it.
            self._not_predicted(order.task, order.host, outcome.message)
            unpredicted.add(order.host)
        elif outcome.failed or outcome.intent:
            self._stage.tell(outcome)
            return outcome
        elif outcome.change is not None:
            self._predicted(order, outcome.change)
            return Proposal(order.key, order.name, outcome.change, self._approve(order))
        return None

    def _approve(self, order: Order) -> Approve:
        entry = self._registry[order.task.module]
        if order.unknown is not None and not getattr(entry.cls, "observable", True):
            # It may have run already and nothing can tell: a person decides, even under --yes.
            return "always_ask"
        return order.task.text.approve

    def _refused(self, outcome: Outcome) -> None:
        order = outcome.order
        self._tell(
            GuardHeld(
                guard=outcome.guard, message=outcome.message, host=order.host, task=order.task.id
            )
        )
        raise GuardRefused(f"{order.name} on {order.host}: {outcome.message}")

    def _predicted(self, order: Order, change: Change) -> None:
        self._tell(
            ChangePredicted(
                task=order.task.id,
                name=order.name,
                module=order.task.module,
                host=order.host,
                item=order.item,
                change=to_plain(change),
            )
        )

    def _not_predicted(self, task: Task, host: str, why: str) -> None:
        self._tell(NotPredicted(task=task.id, name=task.name, host=host, why=why))
