"""The hosts of a batch on their way through a phase: blocks, rescue, always, rollback, handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.events import BlockFailed, BlockRescued, RollbackStarted, RunHalted
from engine.execution.handlers import Handlers
from engine.execution.stage import Extra
from engine.execution.undo import Undo, rounds
from engine.execution.waves import stretches, waves
from engine.language.model import Block, Task, tasks_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from engine.events import Event
    from engine.execution.batches import Budget
    from engine.execution.halt import Halt
    from engine.execution.orders import Order, Outcome
    from engine.execution.stage import Stage
    from engine.execution.undo import Marks
    from engine.language.keywords import Phase
    from engine.language.model import Node

Hosts = frozenset[str]


class Waves(Protocol):
    """Runs the tasks of a wave, whatever they are."""

    def run(
        self,
        phase: Phase,
        tasks: Sequence[Task],
        hosts: Collection[str],
        extras: Mapping[str, Extra] | None = None,
    ) -> list[Outcome]:
        """Run them to their end on these hosts; as `Stage.run`."""
        ...


class Manner(Struct, frozen=True):
    """How a list of tasks and blocks is gone through.

    Args:
        lenient: a failure ends nothing: what follows is done all the same.
        cleanup: it is done whatever happened, after a signal too.
        rescued: a failure may still be dealt with by a `rescue` around it.
    """

    lenient: bool = False
    cleanup: bool = False
    rescued: bool = False


class Walk:
    """Goes through phases; used by the run's own thread only."""

    def __init__(
        self,
        stage: Stage,
        waves_: Waves,
        halt: Halt,
        budget: Budget,
        tell: Callable[[Event], None],
        stepper: Callable[[Task, int], bool] | None,
    ) -> None:
        """Go with these.

        Args:
            stage: knows the plan and the hosts.
            waves_: runs what is to be run.
            halt: says when to stop.
            budget: of failures in `mitigate`.
            tell: makes events known.
            stepper: whether a task is to be run, on so many hosts; None: each is.
        """
        self._stage = stage
        self._waves = waves_
        self._halt = halt
        self._budget = budget
        self._tell = tell
        self._stepper = stepper
        self._undo = Undo()
        self._handlers = Handlers(stage.plan.playbook.handlers)
        self._lost: set[str] = set()
        self._cut_off: set[str] = set()
        self._fatal: dict[str, str] = {}
        self.unforgiven: list[Outcome] = []
        """What failed so far, and was not to be ignored."""
        self.changed: list[Outcome] = []
        """What was changed or recorded so far."""
        self.answered: list[Outcome] = []
        """Checkpoints at which a person has answered."""

    def go(self, phase: Phase, nodes: Sequence[Node], hosts: Hosts) -> Hosts:
        """Take hosts through a phase, or a part of it, and then through the handlers.

        Returns:
            The hosts that failed.
        """
        manner = Manner(lenient=phase != "mitigate", cleanup=phase == "always")
        failed = self._section(phase, nodes, hosts, manner)
        failed |= self._flush(phase, hosts - failed, manner)
        self._handlers.drop(failed)
        if phase == "mitigate":
            self._lost |= failed
            self._stage.memory.stopped |= failed
        for host in self._fatal.keys() & failed:
            self.stop(self._fatal[host])
        return failed

    def stop(self, reason: str) -> None:
        """Begin no further host."""
        if not self._halt.reason:
            self._halt.reason = reason
            self._tell(RunHalted(reason=reason))

    def _section(self, phase: Phase, nodes: Sequence[Node], hosts: Hosts, manner: Manner) -> Hosts:
        """Go through tasks and blocks one after the other; returns the hosts that failed."""
        marks = self._undo.marks()
        failed: Hosts = frozenset()
        for part in _parts(nodes):
            left = hosts if manner.lenient else hosts - failed
            if not left or self._ends(manner):
                break
            if isinstance(part, Block):
                failed |= self._block(phase, part, left, manner)
            else:
                failed |= self._tasks(phase, part, left, manner)
        self._roll_back(phase, failed, hosts, marks, manner)
        return failed

    def _ends(self, manner: Manner) -> bool:
        if manner.cleanup:
            self._halt.go_on()
            return self._halt.abandons
        return self._halt.stops

    def _goes_on(self) -> bool:
        return not self._halt.stops

    def _tasks(self, phase: Phase, tasks: Sequence[Task], hosts: Hosts, manner: Manner) -> Hosts:
        failed: Hosts = frozenset()
        for waves_ in self._stretches(phase, tasks, manner):
            left = hosts if manner.lenient else hosts - failed
            if not left or self._ends(manner):
                break
            if len(waves_) > 1:
                ended = self._stage.run_through(phase, waves_, left, self._goes_on)
                failed |= self._note(ended, left)
            else:
                failed |= self._wave(phase, waves_[0], left)
            self._spend(phase, failed, manner)
        return failed

    def _stretches(
        self, phase: Phase, tasks: Sequence[Task], manner: Manner
    ) -> list[list[tuple[Task, ...]]]:
        """Waves, and which of them a host may go through by itself: where no failure ends it."""
        found = waves(tasks)
        if phase == "investigate" and manner.lenient and self._stepper is None:
            return stretches(found)
        return [[wave] for wave in found]

    def _wave(
        self,
        phase: Phase,
        tasks: Sequence[Task],
        hosts: Hosts,
        extras: Mapping[str, Extra] | None = None,
    ) -> Hosts:
        if self._stepper is not None:
            tasks = [task for task in tasks if self._stepper(task, len(hosts))]
        return self._note(self._waves.run(phase, tasks, hosts, extras) if tasks else [], hosts)

    def _note(self, outcomes: Iterable[Outcome], hosts: Hosts) -> Hosts:
        """Take note of what a wave came to; returns the hosts that it failed."""
        failed: set[str] = set()
        for outcome in outcomes:
            if outcome.status == "changed":
                self.changed.append(outcome)
            if outcome.order.task.kind == "checkpoint" and outcome.result.get("by"):
                self.answered.append(outcome)
            self._undo.note(outcome)
            self._handlers.note(outcome)
            if outcome.failed and not self._stage.forgives(outcome):
                self.unforgiven.append(outcome)
                self._stage.memory.fail(outcome)
                failed |= self._failing(outcome, hosts)
        if self._halt.signal:
            self._cut_off |= failed
        return frozenset(failed)

    def _failing(self, outcome: Outcome, hosts: Hosts) -> Hosts:
        """The hosts that an outcome fails: its own, or all that are on the way with it."""
        order = outcome.order
        if order.task.text.any_errors_fatal:
            reason = f'"{order.name}" failed on {order.host}, which is fatal to all'
            self._fatal.update(dict.fromkeys(hosts, reason))
            return hosts
        # What was done once, was done for all.
        return hosts if order.task.once else frozenset({order.host})

    def _spend(self, phase: Phase, failed: Hosts, manner: Manner) -> None:
        """Stop everywhere once more hosts have failed than may, and nothing can rescue them."""
        if phase != "mitigate" or manner.rescued or manner.cleanup or self._halt.reason:
            return
        if reason := self._budget.exceeded(len(self._lost | failed)):
            self.stop(reason)

    # ── blocks ──

    def _block(self, phase: Phase, block: Block, hosts: Hosts, manner: Manner) -> Hosts:
        inner = replace(manner, lenient=False)
        rescuable = replace(inner, rescued=manner.rescued or bool(block.rescue))
        before = len(self.unforgiven)
        failed = self._section(phase, block.block, hosts, rescuable)
        if failed and block.rescue and not self._ends(manner):
            because = [*self.unforgiven[before:], *self._stage.failed_early(tasks_in(block.block))]
            again = self._section(phase, block.rescue, failed, inner)
            self._rescued(block, failed - again, because)
            failed = again
        if block.always:
            failed |= self._section(phase, block.always, hosts, replace(inner, cleanup=True))
        if failed and (block.rescue or block.always):
            for name, called in self._by_name(block, failed).items():
                self._tell(BlockFailed(block=block.id, name=name, hosts=called))
        self._spend(phase, failed, manner)
        return failed

    def _rescued(self, block: Block, hosts: Hosts, because: Sequence[Outcome]) -> None:
        if not hosts or self._halt.signal:
            return
        for host in hosts:
            self._fatal.pop(host, None)
            failures = {o.order.key: o for o in because if o.order.host == host}
            self._stage.memory.rescue(host, failures.values())
        for name, called in self._by_name(block, hosts).items():
            self._tell(BlockRescued(block=block.id, name=name, hosts=called))

    def _by_name(self, block: Block, hosts: Hosts) -> dict[str, list[str]]:
        """What the block is called, which a template may say of each host, and where."""
        names: dict[str, list[str]] = {}
        for host in sorted(hosts):
            names.setdefault(self._stage.called(block, host), []).append(host)
        return names

    # ── taking back ──

    def _roll_back(
        self, phase: Phase, failed: Hosts, hosts: Hosts, since: Marks, manner: Manner
    ) -> None:
        said = self._stage.plan.playbook.text.rollback_on
        # What was cut off by a signal may have helped: that is not known, and no failure.
        whose: Hosts = failed - self._cut_off if "failure" in said else frozenset()
        if self._halt.signal and "interrupt" in said and not manner.cleanup:
            whose = hosts
        taken = self._undo.take(whose, since)
        for host, outcomes in taken.items():
            ids = {(t.id, host, o.order.item) for o in outcomes for t in o.order.task.rollback}
            if self._stage.past.has_all(ids):
                continue  # it was told when it was done
            why = f"interrupted by {self._halt.signal}" if host not in failed else ""
            why = why or self._stage.memory.failed_at(host)
            names = [_called(outcome.order) for outcome in outcomes]
            self._tell(RollbackStarted(host=host, tasks=names, why=why))
        stopped: set[str] = set()
        for together in rounds(taken):
            stopped |= self._take_back(
                phase, [outcome for outcome in together if outcome.order.host not in stopped]
            )

    def _take_back(self, phase: Phase, outcomes: Sequence[Outcome]) -> Hosts:
        """Take back what one task did on several hosts; returns those where that failed."""
        extras = {
            outcome.order.host: Extra(
                {**outcome.order.data, "result": outcome.result}, outcome.order.item
            )
            for outcome in outcomes
        }
        failed: Hosts = frozenset()
        for task in outcomes[0].order.task.rollback if outcomes else ():
            left = extras.keys() - failed
            if not left or self._ends(Manner(cleanup=True)):
                break
            failed |= self._wave(phase, [task], frozenset(left), extras)
        return failed

    # ── handlers ──

    def _flush(self, phase: Phase, hosts: Hosts, manner: Manner) -> Hosts:
        failed: Hosts = frozenset()
        for task, notified in self._handlers.due(hosts):
            left = notified - failed
            if self._ends(manner):
                break
            if left:
                failed |= self._wave(phase, [task], left)
        return failed


def _called(order: Order) -> str:
    return order.name if order.item is None else f"{order.name} [{order.item}]"


def _parts(nodes: Sequence[Node]) -> Iterator[Block | list[Task]]:
    """Blocks, and the tasks between them."""
    tasks: list[Task] = []
    for node in nodes:
        if isinstance(node, Task):
            tasks.append(node)
            continue
        if tasks:
            yield tasks
        tasks = []
        yield node
    if tasks:
        yield tasks
