"""Tasks become orders, orders become outcomes, outcomes are told and remembered."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import HostError
from engine.events import EVIDENCE_PHASES, TaskEnded, WaveEnded
from engine.execution.naming import name_of
from engine.execution.orders import Order, Outcome, Wave
from engine.execution.results import registered
from engine.language.templates import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.events import Event
    from engine.execution.fleet import Fleet
    from engine.execution.memory import Memory
    from engine.execution.orders import Key, Mode
    from engine.execution.plan import Plan
    from engine.language.keywords import Phase
    from engine.language.model import Task
    from engine.language.templates import Templates

LABEL = 60
"""Characters of a loop item in its label."""


class Stage:
    """Expands tasks for hosts, sends waves to the fleet, and keeps what comes back."""

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        fleet: Fleet,
        templates: Templates,
        tell: Callable[[Event], None],
        past: Mapping[Key, TaskEnded],
    ) -> None:
        """Work for one run.

        Args:
            plan: the grid of tasks and hosts.
            memory: what is known of the hosts.
            fleet: where waves run.
            templates: evaluates `when` and `loop`.
            tell: makes events known.
            past: tasks that ended before, which are not run again.
        """
        self.plan = plan
        self.memory = memory
        self._fleet = fleet
        self._templates = templates
        self._tell = tell
        self._past = past

    def run(self, phase: Phase, tasks: Sequence[Task]) -> list[Outcome]:
        """Run a wave of probes and records to its end."""
        lanes: list[list[Order]] = []
        ended: list[Outcome] = []
        for task, host in self.cells(phase, tasks):
            orders, settled = self.expand(phase, task, host, "probe" if _reads(task) else "apply")
            ended += settled
            # A loop's items run side by side: they are probes, or records that may be repeated.
            lanes += [[order] for order in orders]
        for outcome in self.dispatch(lanes):
            self.tell(outcome)
            ended.append(outcome)
        self.remember(tasks, ended)
        return ended

    def changed_before(self) -> frozenset[str]:
        """The hosts that were changed before the run was resumed."""
        return frozenset(ended.host for ended in self._past.values() if ended.intent)

    def ended_before(self, tasks: Sequence[Task]) -> bool:
        """Whether each of these tasks had ended somewhere before the run was resumed."""
        return {task.id for task in tasks} <= {task for task, _, _ in self._past}

    def cells(self, phase: Phase, tasks: Iterable[Task]) -> list[tuple[Task, str]]:
        """The task × host cells of a wave, without the hosts that have failed."""
        return [
            (task, host)
            for task in tasks
            for host in self.plan.grid[task.id]
            if phase != "mitigate" or host not in self.memory.stopped
        ]

    def expand(
        self, phase: Phase, task: Task, host: str, mode: Mode
    ) -> tuple[list[Order], list[Outcome]]:
        """A cell's orders, one for each loop item; and what is settled without a worker.

        Skipped items, failed templates and what ended before the run was resumed are settled;
        they are told here.
        """
        orders: list[Order] = []
        settled: list[Outcome] = []
        texts = self.memory.texts(host)
        try:
            items = self._items(task, host)
        except HostError as error:
            order = Order(task, phase, host, mode, task.name, self.memory.data(host), texts)
            return [], [self._settle(order, "failed", error.message)]
        for number, (label, extra) in enumerate(items):
            data = {**self.memory.data(host), **extra}
            scope = Scope(data, texts, self._templates)
            name = name_of(task, self._templates, scope)
            order = Order(task, phase, host, mode, name, data, texts, item=label, number=number)
            if (past := self._past.get(order.key)) is not None:
                settled.append(_from_past(order, past))
                if mode != "predict":
                    self.memory.count(settled[-1], ignored=past.ignored)
                continue
            try:
                wanted = self._templates.holds(task.text.when, scope)
            except HostError as error:
                settled.append(self._settle(order, "failed", f"when: {error.message}"))
                continue
            if wanted:
                orders.append(order)
            elif mode != "predict":
                settled.append(self._settle(order, "skipped", f"when: {_said(task.text.when)}"))
        return orders, settled

    def _items(self, task: Task, host: str) -> list[tuple[str | None, dict[str, Any]]]:
        if task.text.loop is None:
            return [(None, {})]
        items = self._templates.items(task.text.loop, self.memory.scope(host))
        counts: dict[str, int] = {}
        labelled: list[tuple[str | None, dict[str, Any]]] = []
        for item in items:
            label = str(item)[:LABEL]
            counts[label] = counts.get(label, 0) + 1
            again = f" ({counts[label]})" if counts[label] > 1 else ""
            labelled.append((label + again, {"item": item}))
        return labelled

    def _settle(self, order: Order, status: Any, message: str) -> Outcome:
        outcome = Outcome(order, status, message, result=registered(None, status, message=message))
        if order.mode != "predict":
            self.tell(outcome)
        return outcome

    def dispatch(self, lanes: Iterable[Sequence[Order]]) -> Iterable[Outcome]:
        """Send lanes to the fleet; outcomes come as they arrive."""
        full = tuple(tuple(lane) for lane in lanes if lane)
        return self._fleet.run(Wave(full)) if full else ()

    def tell(self, outcome: Outcome) -> None:
        """Make an outcome known, and let it count."""
        order = outcome.order
        ignored = outcome.failed and self.forgives(order)
        self.memory.count(outcome, ignored=ignored)
        if outcome.failed and not ignored and order.phase == "mitigate":
            self.memory.stopped.add(order.host)
        self._tell(
            TaskEnded(
                phase=order.phase,
                task=order.task.id,
                name=order.name,
                module=order.task.module,
                place=str(order.task.place),
                host=order.host,
                item=order.item,
                status=outcome.status,
                ignored=ignored,
                message=outcome.message,
                summary=outcome.summary,
                result=outcome.result,
                seconds=round(outcome.seconds, 4),
                intent=outcome.intent or None,
                verified=outcome.verified,
            )
        )

    def forgives(self, order: Order) -> bool:
        """Whether a failure of this order lets its host go on."""
        return order.phase in EVIDENCE_PHASES or order.task.text.ignore_errors

    def remember(self, tasks: Sequence[Task], outcomes: list[Outcome]) -> None:
        """Register what a wave's tasks came to, and say that the wave is over."""
        by_cell = {
            cell: list(group)
            for cell, group in itertools.groupby(sorted(outcomes, key=_place), key=_cell)
        }
        for task in tasks:
            for host in self.plan.grid[task.id]:
                if found := by_cell.get((task.id, host)):
                    self.memory.register(task, host, found)
        if outcomes:
            self._tell(WaveEnded(tasks=[task.id for task in tasks]))


def _cell(outcome: Outcome) -> tuple[str, str]:
    return (outcome.order.task.id, outcome.order.host)


def _place(outcome: Outcome) -> tuple[str, str, int]:
    # Items end in any order; their results stand in the loop's.
    return (*_cell(outcome), outcome.order.number)


def _reads(task: Task) -> bool:
    return task.kind == "probe"


def _said(when: object) -> str:
    return " and ".join(str(w) for w in when) if isinstance(when, list) else str(when)


def _from_past(order: Order, past: TaskEnded) -> Outcome:
    outcome = Outcome(order, past.status, past.message, past.summary, dict(past.result))
    return replace(outcome, seconds=past.seconds, intent=past.intent or "")
