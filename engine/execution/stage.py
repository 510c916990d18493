"""Tasks become orders, orders become outcomes, outcomes are told and remembered."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs
from msgspec.structs import replace

from engine.contract import seconds
from engine.errors import HostError
from engine.events import EVIDENCE_PHASES, TaskEnded, WaveEnded
from engine.execution.march import March
from engine.execution.naming import name_of, said
from engine.execution.orders import Order, Outcome, Wave
from engine.execution.results import NO_LOG, hidden, names_of_result, registered
from engine.language.model import tasks_in
from engine.language.templates import Scope
from engine.nearest import did_you_mean
from engine.units import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from engine.events import Event, PhaseName
    from engine.execution.fleet import Fleet, Heed
    from engine.execution.march import Expand
    from engine.execution.memory import Memory
    from engine.execution.orders import Key, Lane, Mode
    from engine.execution.past import Past
    from engine.execution.plan import Plan
    from engine.language.keywords import Phase
    from engine.language.model import Node, Task
    from engine.language.templates import Templates
    from engine.sinks import Tell

LABEL = 60
"""Characters of a loop item in its label."""


class Extra(Struct, frozen=True):
    """What a task that belongs to another's outcome is given of it.

    Args:
        data: names and values.
        item: the label of the loop item that the outcome is of.
    """

    data: Mapping[str, Any]
    item: str | None = None


class Stage:
    """Expands tasks for hosts, sends waves to the fleet, and keeps what comes back."""

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        fleet: Fleet,
        templates: Templates,
        tell: Tell,
        past: Past,
        release: Callable[[str], None],
    ) -> None:
        """Work for one run.

        Args:
            plan: the grid of tasks and hosts.
            memory: what is known of the hosts.
            fleet: where waves run.
            templates: evaluates `when` and `loop`.
            tell: makes events known.
            past: what came before, of a run that was resumed.
            release: is told of hosts that nothing more is asked of, while others still work.
        """
        self.plan = plan
        self.memory = memory
        self._fleet = fleet
        self.templates = templates
        self._tell = tell
        self.past = past
        self._release = release
        self._early: dict[Key, Outcome] = {}
        self._positions = {task_id: number for number, task_id in enumerate(plan.grid)}

    def run(
        self,
        phase: Phase,
        tasks: Sequence[Task],
        hosts: Collection[str] | None = None,
        extras: Mapping[str, Extra] | None = None,
    ) -> list[Outcome]:
        """Run a wave of probes and records to its end.

        Args:
            phase: that they belong to.
            tasks: of the wave.
            hosts: that take part; None for all.
            extras: by host, for tasks that belong to another's outcome.
        """

        def expand(task: Task, host: str) -> tuple[list[Lane], list[Outcome]]:
            mode: Mode = "probe" if task.kind == "probe" else "apply"
            return self._in_lanes(phase, task, host, mode, (extras or {}).get(host))

        return self._marched([tasks], hosts, expand)

    def run_through(
        self,
        phase: Phase,
        waves: Sequence[Sequence[Task]],
        hosts: Collection[str],
        goes_on: Callable[[], bool],
    ) -> list[Outcome]:
        """Run waves of probes to their end, where no host waits for another.

        Args:
            phase: that they belong to.
            waves: each of what can run together.
            hosts: that take part.
            goes_on: whether a host's next wave may begin.
        """

        def expand(task: Task, host: str) -> tuple[list[Lane], list[Outcome]]:
            return self._in_lanes(phase, task, host, "probe") if goes_on() else ([], [])

        return self._marched(waves, hosts, expand)

    def run_again(self, waves: Sequence[Sequence[Task]]) -> None:
        """Look once more at what these waves of the investigation look at: fresh evidence.

        In the journal each is another task, `severity.investigate.2`.
        """

        def expand(task: Task, host: str) -> tuple[list[Lane], list[Outcome]]:
            again = structs.replace(task, id=f"severity.{task.id}")
            return self._in_lanes("severity", again, host, "probe")

        self._marched(waves, None, expand)

    def _in_lanes(
        self, phase: PhaseName, task: Task, host: str, mode: Mode, extra: Extra | None = None
    ) -> tuple[list[Lane], list[Outcome]]:
        """As `expand`; a loop's items run side by side, unless it pauses between them.

        They are probes, or records that may be repeated.
        """
        orders, settled = self.expand(phase, task, host, mode, extra)
        if orders and task.text.loop_control.pause:
            return [tuple(orders)], settled
        return [(order,) for order in orders], settled

    def _marched(
        self, waves: Sequence[Sequence[Task]], hosts: Collection[str] | None, expand: Expand
    ) -> list[Outcome]:
        """What waves came to; all of it is told and remembered."""
        ended: list[Outcome] = []

        def remember(outcomes: list[Outcome]) -> None:
            ended.extend(outcomes)
            self._register(outcomes)

        cells = [self.cells(wave, hosts) for wave in waves]
        through = self._release if self._is_all(waves) else lambda _: None
        march = March(cells, expand, remember, self._over, through)

        def heed(outcomes: list[Outcome]) -> list[Lane]:
            self.tell(*outcomes)
            return march.heed(outcomes)

        begun = march.begin()
        with self._holding_back() as tell_now:
            for _ in self.dispatch(begun, heed):
                tell_now()
        march.end()
        return ended

    def _is_all(self, waves: Sequence[Sequence[Task]]) -> bool:
        """Whether the run asks nothing of any host but these waves."""
        playbook = self.plan.playbook
        tasks = {task.id for wave in waves for task in wave}
        return tasks >= self.plan.grid.keys() and not (playbook.severity or playbook.handlers)

    @contextlib.contextmanager
    def _holding_back(self) -> Iterator[Callable[[], None]]:
        """Nothing is made known before the function is called: the hosts need not wait for it."""
        tell = self._tell
        held: list[Event] = []

        def tell_now() -> None:
            events, held[:] = [*held], ()
            tell(*events)

        self._tell = lambda *events: held.extend(events)
        try:
            yield tell_now
        finally:
            self._tell = tell
            if held:
                tell_now()

    def end_early(self, outcome: Outcome) -> None:
        """An order ended when it was only asked what it would do; it is not run any more."""
        self._early[outcome.order.key] = outcome
        self.tell(outcome)

    def failed_early(self, tasks: Iterable[Task]) -> list[Outcome]:
        """Of these tasks, what failed when it was only asked what it would do."""
        ids = {task.id for task in tasks}
        early = [o for o in self._early.values() if o.order.task.id in ids]
        return [outcome for outcome in early if outcome.failed and not self.forgives(outcome)]

    def cells(
        self, tasks: Iterable[Task], hosts: Collection[str] | None = None
    ) -> list[tuple[Task, str]]:
        """The task × host cells of a wave, in the plan's order.

        Args:
            tasks: of the wave. One that no phase holds, such as a handler, runs on each host.
            hosts: that take part; None for all.
        """
        return [(task, host) for task in tasks for host in self._hosts_of(task, hosts)]

    def _hosts_of(self, task: Task, hosts: Collection[str] | None) -> Sequence[str]:
        # A limit may leave a task no host at all, which is not the same as to be in no phase.
        grid = self.plan.grid
        own = grid[task.id] if task.id in grid else self.plan.every_host()
        found = [host for host in own if hosts is None or host in hosts]
        return self.past.once(task, found) if task.once else found

    def called(self, node: Node, host: str) -> str:
        """What people call a task or a block on a host, before it is expanded."""
        first = next(tasks_in([node]))  # a block's variables stand in its tasks
        texts = {**self.memory.texts(host), **first.text.vars}
        return name_of(node, self.templates, Scope(self.memory.data(host), texts, self.templates))

    def expand(
        self, phase: PhaseName, task: Task, host: str, mode: Mode, extra: Extra | None = None
    ) -> tuple[list[Order], list[Outcome]]:
        """A cell's orders, one for each loop item; and what is settled without a worker.

        Skipped items, failed templates and what ended before the run was resumed are settled;
        they are told here.
        """
        extra = extra or Extra({})
        texts = {**self.memory.texts(host), **task.text.vars}
        given = {**self.memory.data(host), **extra.data}
        blank = Order(task, phase, host, mode, task.name, given, texts, extra.item)
        try:
            items = self._items(task, given, texts)
        except HostError as error:
            early = self._early.get(blank.key)
            return [], [early or self._settle(blank, "failed", error.message)]
        if not items and mode != "predict":
            return [], [self._settle(blank, "skipped", "loop: nothing to go over")]
        orders: list[Order] = []
        settled: list[Outcome] = []
        for number, (label, names) in enumerate(items):
            data = {**given, **names}
            scope = Scope(data, texts, self.templates)
            order = replace(
                blank,
                name=name_of(task, self.templates, scope),
                data=data,
                item=label if task.text.loop is not None else blank.item,
                number=number,
            )
            found = self._ended_already(order) or self._judged(order, scope)
            if isinstance(found, Order):
                orders.append(found)
            elif found.status != "skipped" or mode != "predict":
                settled.append(found)
                if found.past and self._ends_its_loop(found):
                    break
        return orders, settled

    def _ends_its_loop(self, outcome: Outcome) -> bool:
        """An action's items are done one after the other, until one fails."""
        return outcome.order.task.kind == "action" and outcome.failed and not self.forgives(outcome)

    def _ended_already(self, order: Order) -> Outcome | None:
        """What came of it when it was only asked, or before the run was resumed."""
        if (early := self._early.get(order.key)) is not None:
            return early
        outcome = self.past.outcome(order)
        if outcome and order.mode != "predict":
            self.memory.count(outcome, ignored=outcome.failed and self.forgives(outcome))
        return outcome

    def _judged(self, order: Order, scope: Scope) -> Order | Outcome:
        """The order, ready to go, or its end: its condition does not hold, or cannot be judged."""
        if order.task.kind == "record" and (why := self._not_to_be_told(order)):
            return self._settle(order, "skipped", why)
        try:
            if self._wanted(order.task, scope):
                return self._ready(order, scope)
        except HostError as error:
            return self._settle(order, "failed", error.message)
        return self._settle(order, "skipped", f"when: {said(order.task.text.when)}")

    def _not_to_be_told(self, order: Order) -> str:
        """Why a record must not be sent, whatever its condition says; empty if it may be."""
        if self.memory.incident["check"]:
            return "nobody is told in check mode"
        if order.phase == "resolve" and self.memory.unheld:
            return f"not resolved: {self.memory.unheld}"
        return ""

    def _items(
        self, task: Task, data: Mapping[str, Any], texts: Mapping[str, Any]
    ) -> list[tuple[str | None, dict[str, Any]]]:
        """Each item's label, and the names that it brings."""
        if task.text.loop is None:
            return [(None, {})]
        control = task.text.loop_control
        items = self.templates.items(task.text.loop, Scope(data, texts, self.templates))
        counts: dict[str, int] = {}
        labelled: list[tuple[str | None, dict[str, Any]]] = []
        for number, item in enumerate(items):
            names = {control.loop_var: item}
            if control.index_var:
                names[control.index_var] = number
            scope = Scope({**data, **names}, texts, self.templates)
            shown = self.templates.render(control.label, scope) if control.label else item
            label = cut(str(shown), LABEL)
            counts[label] = counts.get(label, 0) + 1
            again = f" ({counts[label]})" if counts[label] > 1 else ""
            labelled.append((label + again, names))
        return labelled

    def _wanted(self, task: Task, scope: Scope) -> bool:
        try:
            return self.templates.holds(task.text.when, scope)
        except HostError as error:
            raise HostError(f"when: {error.message}") from None

    def _ready(self, order: Order, scope: Scope) -> Order:
        """The order with who does it in the host's stead, and how long it waits before."""
        text = order.task.text
        waits = order.number and order.mode != "predict"
        pause = seconds(text.loop_control.pause or 0) if waits else 0.0
        if order.task.kind != "probe":
            intent = secrets.token_hex(8)
            order = replace(order, intent=intent, unknown=self.past.unsure.get(order.key))
        if text.delegate_to is None:
            return replace(order, pause=pause) if pause else order
        name = str(self.templates.render(text.delegate_to, scope))
        if name not in self.plan.reached():
            hint = did_you_mean(name, self.plan.reached())
            raise HostError(f'delegate_to: there is no host "{name}"' + (hint and f" — {hint}"))
        return replace(order, pause=pause, delegate=name)

    def _settle(self, order: Order, status: Any, message: str) -> Outcome:
        outcome = Outcome(order, status, message, result=registered(None, status, message=message))
        if order.mode != "predict":
            self.tell(outcome)
        return outcome

    def dispatch(
        self, lanes: Iterable[Sequence[Order]], heed: Heed | None = None
    ) -> Iterable[list[Outcome]]:
        """Send lanes to the fleet; outcomes come as they arrive, some of them together.

        Args:
            lanes: of orders; empty ones are left out.
            heed: as `Fleet.run`.
        """
        full = tuple(tuple(lane) for lane in lanes if lane)
        return self._fleet.run(Wave(full), heed) if full else ()

    def tell(self, *outcomes: Outcome) -> None:
        """Make outcomes known, and let them count."""
        self._tell(*[self._counted(outcome) for outcome in outcomes])

    def _counted(self, outcome: Outcome) -> TaskEnded:
        order = outcome.order
        ignored = outcome.failed and self.forgives(outcome)
        if order.phase != "severity":  # a second look at what has counted already
            self.memory.count(outcome, ignored=ignored)
        shown = self._without_secrets(outcome)
        return TaskEnded(
            phase=order.phase,
            task=order.task.id,
            name=order.name,
            module=order.task.module,
            place=str(order.task.place),
            host=order.host,
            delegate=order.delegate,
            item=order.item,
            status=outcome.status,
            ignored=ignored,
            message=outcome.message,
            summary=shown.summary,
            result=shown.result,
            seconds=round(outcome.seconds, 4),
            intent=outcome.intent or None,
            verified=outcome.verified,
            applied=outcome.applied,
            hostless=order.task.kind == "checkpoint",
        )

    def _without_secrets(self, outcome: Outcome) -> Outcome:
        """The outcome as `no_log` lets it be seen: why it failed is never hidden."""
        said = outcome.order.task.text.no_log
        if said is True:
            return replace(outcome, summary=f"({NO_LOG})", result=hidden(outcome.result))
        for expression in said or ():
            data = {**outcome.order.data, **names_of_result(outcome)}
            scope = Scope(data, outcome.order.texts, self.templates)
            with contextlib.suppress(HostError):  # what is not there cannot be told
                self.memory.keep_secret(self.templates.evaluate(expression, scope))
        return outcome

    def forgives(self, outcome: Outcome) -> bool:
        """Whether a failure lets its host go on."""
        text = outcome.order.task.text
        ignores = text.ignore_errors
        if outcome.status == "unreachable":
            ignores = text.ignore_unreachable
        return outcome.order.phase in EVIDENCE_PHASES or ignores

    def remember(self, outcomes: list[Outcome]) -> None:
        """Register what a wave's tasks came to, and say that the wave is over."""
        self._register(outcomes)
        if outcomes:
            self._over({outcome.order.task.id for outcome in outcomes})

    def _register(self, outcomes: list[Outcome]) -> None:
        by_cell = {
            cell: list(group)
            for cell, group in itertools.groupby(sorted(outcomes, key=_place), key=_cell)
        }
        for (task_id, host), found in by_cell.items():
            task = found[0].order.task
            # What is done once, is done for all.
            hosts = self.plan.grid.get(task_id, (host,)) if task.once else (host,)
            for each in hosts:
                self.memory.register(task, each, found)

    def _over(self, ended: Collection[str]) -> None:
        self._tell(WaveEnded(tasks=sorted(ended, key=self._position)))

    def _position(self, task_id: str) -> int:
        """Where a task stands in the playbook; a handler stands behind all of them."""
        return self._positions.get(task_id.removeprefix("severity."), len(self._positions))


def _cell(outcome: Outcome) -> tuple[str, str]:
    return (outcome.order.task.id, outcome.order.host)


def _place(outcome: Outcome) -> tuple[str, str, int]:
    # Items end in any order; their results stand in the loop's.
    return (*_cell(outcome), outcome.order.number)
