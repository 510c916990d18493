"""What a phase would change, found on the live hosts; nothing is changed by asking."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from engine.contract import Change, to_plain
from engine.errors import GuardRefused
from engine.events import ChangePredicted, GuardHeld, NotPredicted
from engine.execution.approval import Proposal
from engine.execution.orders import Order
from engine.execution.waves import defines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.events import Event, Intent
    from engine.execution.orders import Key, Outcome
    from engine.execution.stage import Stage
    from engine.language.keywords import Approve, Phase
    from engine.language.model import Task
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


@dataclass(slots=True)
class _Tally:
    proposals: list[Proposal] = field(default_factory=list)
    unpredicted: set[str] = field(default_factory=set)
    settled: dict[Key, Outcome] = field(default_factory=dict)


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
        cells = self._cells(phase, tasks)
        orders = [cell for cell in cells if isinstance(cell, Order)]
        outcomes = {o.order.key: o for o in self._stage.dispatch([order] for order in orders)}
        tally = _Tally()
        for cell in cells:
            if isinstance(cell, NotPredicted):
                self._leave_open(cell, tally)
            elif (outcome := outcomes.get(cell.key)) is not None:
                self._sort(outcome, tally)
        return Prediction(tuple(tally.proposals), frozenset(tally.unpredicted), tally.settled)

    def propose(self, order: Order, change: Change) -> Proposal:
        """Make a change known that waits for a yes."""
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
        return Proposal(order.key, order.name, change, self._approve(order))

    def _cells(self, phase: Phase, tasks: Sequence[Task]) -> list[Order | NotPredicted]:
        """What is to be asked, and what cannot be, in the playbook's order."""
        cells: list[Order | NotPredicted] = []
        not_known: set[str] = set()
        for task in tasks:
            depends = task.uses & not_known
            not_known |= defines(task)
            if task.kind != "action":
                continue
            for _, host in self._stage.cells(phase, [task]):
                if depends:
                    why = f"depends on {', '.join(sorted(depends))}"
                    cells.append(NotPredicted(task=task.id, name=task.name, host=host, why=why))
                else:
                    cells += self._expand(phase, task, host)
        return cells

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

    def _sort(self, outcome: Outcome, tally: _Tally) -> None:
        """An outcome is a proposal, an end, nothing to do, or the reason why that is not known."""
        order = outcome.order
        if outcome.guard:
            self._refused(outcome)
        if outcome.failed and any(p.host == order.host for p in tally.proposals):
            # What fails now may well work after the change before it.
            why = outcome.message
            event = NotPredicted(task=order.task.id, name=order.name, host=order.host, why=why)
            self._leave_open(event, tally)
        elif outcome.failed or outcome.intent:
            self._stage.tell(outcome)
            tally.settled[order.key] = outcome
        elif outcome.change is not None:
            tally.proposals.append(self.propose(order, outcome.change))

    def _leave_open(self, event: NotPredicted, tally: _Tally) -> None:
        self._tell(event)
        tally.unpredicted.add(event.host)

    def _approve(self, order: Order) -> Approve:
        entry = self._registry[order.task.module]
        if order.unknown is not None and not getattr(entry.cls, "observable", True):
            # It may have run already and nothing can tell: a person decides, even under --yes.
            return "always_ask"
        return order.task.approve

    def _refused(self, outcome: Outcome) -> None:
        order = outcome.order
        self._tell(
            GuardHeld(
                guard=outcome.guard, message=outcome.message, host=order.host, task=order.task.id
            )
        )
        raise GuardRefused(f"{order.name} on {order.host}: {outcome.message}")
