"""What a phase would change, found on the live hosts; nothing is changed by asking."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.errors import GuardRefused
from engine.events import ChangePredicted, GuardHeld, NotPredicted
from engine.execution.approval import Proposal
from engine.execution.handlers import notified_by
from engine.execution.orders import Order
from engine.execution.results import told
from engine.execution.waves import defines
from engine.language.model import Block, tasks_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence

    from engine.contract import Change
    from engine.events import Event
    from engine.execution.orders import Outcome
    from engine.execution.stage import Stage
    from engine.language.keywords import Phase
    from engine.language.model import Node, Task
    from engine.registry import Registry

Hosts = frozenset[str]


class Prediction(Struct, frozen=True):
    """What a phase would do.

    Args:
        proposals: the changes, in the playbook's order.
        unpredicted: the hosts with a task that depends on the outcome of a change.
    """

    proposals: tuple[Proposal, ...]
    unpredicted: frozenset[str]

    def hosts(self) -> frozenset[str]:
        """Every host that would or could be changed."""
        return frozenset(p.where for p in self.proposals) | self.unpredicted


class _Open(Struct, frozen=True):
    """A task that cannot be asked yet on a host, and why."""

    task: Task
    host: str
    why: str


class _Expected(Struct, frozen=True):
    """A task on its way, with the hosts that come to it; `only_if` that block fails, or always."""

    task: Task
    hosts: Hosts
    only_if: Block | None = None


class _Tally(Struct):
    proposals: list[Proposal] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)


class Predictor:
    """Asks a phase's actions what they would do."""

    def __init__(
        self,
        stage: Stage,
        registry: Registry,
        tell: Callable[[Event], None],
    ) -> None:
        """Ask on this stage.

        Args:
            stage: where orders are expanded and sent.
            registry: knows which actions can be observed afterwards.
            tell: makes predictions known.
        """
        self._stage = stage
        self._registry = registry
        self._tell = tell

    def predict(self, phase: Phase, nodes: Sequence[Node], hosts: Collection[str]) -> Prediction:
        """Observe and decide for every action on every host, all together.

        Raises:
            GuardRefused: a target is protected.
        """
        tally = _Tally()
        expected = list(self._expected(nodes, frozenset(hosts)))
        self._ask(self._cells(phase, [e for e in expected if not e.only_if]), tally)
        self._ask(list(self._handlers(phase, nodes, tally)), tally)
        self._tell_open(tally.open)
        rescues = [
            _Open(e.task, host, f'only if "{self._stage.called(e.only_if, host)}" fails')
            for e in expected
            if e.only_if and e.task.kind == "action"
            for _, host in self._stage.cells([e.task], e.hosts)
        ]
        self._tell_open(rescues)
        return Prediction(tuple(tally.proposals), frozenset(one.host for one in tally.open))

    def _tell_open(self, cells: Iterable[_Open]) -> None:
        """Tell what cannot be predicted: once for all hosts that it is true of."""
        alike: dict[tuple[str, str, str], list[str]] = {}
        for cell in cells:
            name = self._stage.called(cell.task, cell.host)
            alike.setdefault((cell.task.id, name, cell.why), []).append(cell.host)
        for (task, name, why), hosts in alike.items():
            self._tell(NotPredicted(task=task, name=name, hosts=hosts, why=why))

    def _ask(self, cells: Sequence[Order | _Open], tally: _Tally) -> None:
        orders = [cell for cell in cells if isinstance(cell, Order)]
        outcomes = {
            o.order.key: o for o in chain(*self._stage.dispatch([order] for order in orders))
        }
        for cell in cells:
            if isinstance(cell, _Open):
                tally.open.append(cell)
            elif (outcome := outcomes.get(cell.key)) is not None:
                self._sort(outcome, tally)

    def _handlers(
        self, phase: Phase, nodes: Sequence[Node], tally: _Tally
    ) -> Iterator[Order | _Open]:
        """What the handlers of the predicted changes would do, and of those made before."""
        tasks = {task.id: task for task in tasks_in(nodes)}
        not_known = frozenset().union(*(defines(task) for task in tasks.values()))
        changed = {proposal.key for proposal in tally.proposals} | self._stage.past.changed()
        for handler in self._stage.plan.playbook.handlers:
            notified = {
                host
                for task, host, _ in changed
                if task in tasks and handler.name in notified_by(tasks[task])
            }
            depends = handler.uses & not_known
            not_known |= defines(handler)
            if handler.kind == "action" and notified:
                for _, host in self._stage.cells([handler], notified):
                    yield from self._cell(phase, handler, host, depends)

    def propose(self, order: Order, change: Change) -> Proposal:
        """Make a change known that waits for a yes."""
        shown = told(change, order.task)
        unsure = self._unsure(order)
        if unsure:
            shown = {
                **shown,
                "summary": f"{shown['summary']} · sent before: it may have taken effect",
            }
        self._tell(
            ChangePredicted(
                task=order.task.id,
                name=order.name,
                module=order.task.module,
                host=order.host,
                delegate=order.delegate,
                item=order.item,
                change=shown,
            )
        )
        return Proposal(
            key=order.key,
            name=order.name,
            module=order.task.module,
            where=order.where,
            change=change,
            summary=shown["summary"],
            approve=order.task.approve,
            unsure=unsure,
        )

    def _expected(
        self, nodes: Iterable[Node], hosts: Hosts, only_if: Block | None = None
    ) -> Generator[_Expected, None, Hosts]:
        """The tasks that run if nothing fails, beside what has failed before the run was resumed.

        Those that run only if something fails come with the name of what that is.

        Returns:
            The hosts that come to the end of it.
        """
        for node in nodes:
            if not isinstance(node, Block):
                yield _Expected(node, hosts, only_if)
                hosts -= self._stage.past.failed(node, hosts)
                continue
            left = yield from self._expected(node.block, hosts, only_if)
            saved: Hosts = frozenset()
            if node.rescue and left != hosts:
                saved = yield from self._expected(node.rescue, hosts - left, only_if)
            yield from self._expected(node.rescue, left - self._through(node, left), node)
            yield from self._expected(node.always, hosts, only_if)
            hosts = left | saved
        return hosts

    def _through(self, block: Block, hosts: Hosts) -> Hosts:
        """The hosts where nothing in the block can fail any more: they had come to its end."""
        last = [*tasks_in(block.block)][-1:]  # none where tags have left no task in it
        past = self._stage.past
        return frozenset(host for host in hosts if all(past.is_over(task, host) for task in last))

    def _cells(self, phase: Phase, expected: Iterable[_Expected]) -> list[Order | _Open]:
        """What is to be asked, and what cannot be, in the playbook's order."""
        cells: list[Order | _Open] = []
        # What fails last is seen when it has failed; in `always` nothing more is to fail.
        not_known = {"failure"} if phase == "mitigate" else set()
        for task, hosts in ((e.task, e.hosts) for e in expected):
            depends = task.uses & not_known
            not_known |= defines(task)
            if task.kind != "action":
                continue
            for _, host in self._stage.cells([task], hosts):
                cells += self._cell(phase, task, host, depends)
        return cells

    def _cell(
        self, phase: Phase, task: Task, host: str, depends: Collection[str]
    ) -> Sequence[Order | _Open]:
        if depends and not self._stage.past.is_over(task, host):
            return [_Open(task, host, f"depends on {', '.join(sorted(depends))}")]
        return self._expand(phase, task, host)

    def _expand(self, phase: Phase, task: Task, host: str) -> list[Order]:
        orders, settled = self._stage.expand(phase, task, host, "predict")
        for outcome in settled:
            if outcome.failed and not outcome.past:
                self._stage.end_early(outcome)
        return orders

    def _sort(self, outcome: Outcome, tally: _Tally) -> None:
        """An outcome is a proposal, an end, nothing to do, or the reason why that is not known."""
        order = outcome.order
        if outcome.guard:
            self._refused(outcome)
        if outcome.failed and any(p.host == order.host for p in tally.proposals):
            # What fails now may well work after the change before it.
            tally.open.append(_Open(order.task, order.host, outcome.message))
        elif outcome.failed:
            self._stage.end_early(outcome)
        elif outcome.change is not None:
            tally.proposals.append(self.propose(order, outcome.change))

    def _unsure(self, order: Order) -> bool:
        """Whether it may have run already, and nothing can tell."""
        entry = self._registry[order.task.module]
        observable = getattr(entry.cls, "observable", True) and order.task.text.no_log is not True
        return order.unknown is not None and not observable

    def _refused(self, outcome: Outcome) -> None:
        order = outcome.order
        self._tell(
            GuardHeld(
                guard=outcome.guard, message=outcome.message, host=order.host, task=order.task.id
            )
        )
        message = f"{order.name} on {order.host}: {outcome.message}"
        raise GuardRefused(message, guard=outcome.guard)
