"""What changes hosts: predicted, guarded, asked for, applied, verified."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from engine.errors import ApprovalNeeded, GuardRefused
from engine.events import GuardHeld
from engine.execution.orders import Outcome
from engine.execution.results import registered, told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from engine.contract import Change
    from engine.events import Event
    from engine.execution.approval import Approvals, Proposal
    from engine.execution.checkpoints import Checkpoints
    from engine.execution.guard import Guards
    from engine.execution.neighbours import Neighbours
    from engine.execution.orders import Key, Order
    from engine.execution.predict import Predictor
    from engine.execution.stage import Extra, Stage
    from engine.language.keywords import Phase
    from engine.language.model import Node, Task


class Changes:
    """Runs waves: probes and records at once, actions on what was approved, checkpoints."""

    def __init__(
        self,
        stage: Stage,
        predictor: Predictor,
        approvals: Approvals,
        guards: Guards,
        neighbours: Neighbours,
        checkpoints: Checkpoints,
        tell: Callable[[Event], None],
    ) -> None:
        """Run them on this stage."""
        self._stage = stage
        self._predictor = predictor
        self._approvals = approvals
        self._guards = guards
        self._neighbours = neighbours
        self._checkpoints = checkpoints
        self._tell = tell
        self._proposals: tuple[Proposal, ...] = ()
        self._approved: dict[Key, Change | None] = {}
        self._changing: set[str] = set()
        self.predicted = 0
        """Changes found so far."""
        self.refused = ""
        """The first word of a guard that refused an action which was under way."""

    def predict(self, phase: Phase, nodes: Sequence[Node], hosts: Collection[str]) -> None:
        """Find out what a phase would change on these hosts.

        Raises:
            GuardRefused: a guard forbids it; nothing was changed.
        """
        prediction = self._predictor.predict(phase, nodes, hosts)
        self._proposals = prediction.proposals
        self.predicted += len(prediction.proposals)
        if phase != "mitigate":
            return
        self._changing = set(prediction.hosts() | self._stage.past.changed_hosts())
        with self._telling():
            self._guards.check_radius(self._changing)

    def ask(self) -> bool:
        """Ask for a yes to what was predicted, and keep other runs from it until `release`.

        Returns:
            Whether a person was asked.

        Raises:
            ApprovalNeeded: nobody said yes; nothing was changed.
            GuardRefused: all actions are on hold, or another run is at it; nothing was changed.
        """
        if not self._proposals:
            return False
        with self._telling():
            self._neighbours.check_hold()
            said_yes = self._approvals.settle(self._proposals)
            if not said_yes:
                raise ApprovalNeeded("nothing was approved")
            self._neighbours.take([p for p in self._proposals if p.key in said_yes])
        self._approved |= {p.key: p.change if p.key in said_yes else None for p in self._proposals}
        return self._approvals.asked

    def release(self) -> None:
        """Let other runs act on what was to be changed."""
        self._neighbours.release()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Make a guard's refusal known that ends the phase."""
        try:
            yield
        except GuardRefused as error:
            self._tell(GuardHeld(guard=error.guard, message=str(error)))
            raise

    def run(
        self,
        phase: Phase,
        tasks: Sequence[Task],
        hosts: Collection[str],
        extras: Mapping[str, Extra] | None = None,
    ) -> list[Outcome]:
        """Run a wave; an action is one by itself, and so is a checkpoint. As `Stage.run`."""
        if tasks[0].kind == "checkpoint":
            return self._checkpoints.run(phase, tasks[0], hosts)
        if tasks[0].kind == "action":
            return self._apply(phase, tasks[0], hosts, extras or {})
        return self._stage.run(phase, tasks, hosts, extras)

    def _apply(
        self, phase: Phase, task: Task, hosts: Collection[str], extras: Mapping[str, Extra]
    ) -> list[Outcome]:
        """Apply one action on all its hosts; a loop's items one after the other."""
        ended: list[Outcome] = []
        lanes: list[deque[Order]] = []
        for _, host in self._stage.cells([task], hosts):
            orders, settled = self._stage.expand(phase, task, host, "apply", extras.get(host))
            ended += settled
            ended += [self._not_approved(o) for o in orders if self._refused(o)]
            lanes.append(
                deque(
                    replace(o, approved=self._approved.get(o.key))
                    for o in orders
                    if not self._refused(o)
                )
            )
        ended += [outcome for lane in lanes for outcome in self._beyond_limits(phase, lane)]
        while any(lanes):
            by_host = {lane[0].host: lane for lane in lanes if lane}
            asking: list[Outcome] = []
            for outcome in chain.from_iterable(self._stage.dispatch(list(by_host.values()))):
                lane = by_host[outcome.order.host]
                if outcome.asks:
                    asking.append(outcome)
                    continue
                lane.popleft()
                if outcome.guard:
                    self._held(outcome.order, outcome.guard, outcome.message)
                if outcome.failed and not self._stage.forgives(outcome):
                    lane.clear()
                self._stage.tell(outcome)
                ended.append(outcome)
            begun = {outcome.order.host for outcome in asking}
            lanes = [by_host[host] for host in by_host if host in begun]
            for outcome in asking:
                ended += self._ask_again(outcome, by_host[outcome.order.host])
        self._stage.remember(ended)
        return ended

    def _refused(self, order: Order) -> bool:
        return self._approved.get(order.key, order) is None

    def _beyond_limits(self, phase: Phase, lane: deque[Order]) -> list[Outcome]:
        """The end of a lane that would change a host more than may be: it was not foreseen."""
        if phase != "mitigate" or not lane or lane[0].where in self._changing:
            return []
        try:
            self._guards.check_radius({*self._changing, lane[0].where})
        except GuardRefused as error:
            order = lane[0]
            lane.clear()
            self._held(order, error.guard, str(error))
            return [self._ended(order, "failed", f"refused: {error}")]
        self._changing.add(lane[0].where)
        return []

    def _ask_again(self, outcome: Outcome, lane: deque[Order]) -> list[Outcome]:
        """An action found another target than was approved, or could not be predicted.

        A person is asked; under `--yes` a target that moved is left alone, and its host fails.
        """
        order = lane.popleft()
        assert outcome.change is not None
        if order.approved is not None and self._approvals.yes:
            summary = told(outcome.change, order.task)["summary"]
            message = f"the target is no longer the one that was shown: {summary}"
            lane.clear()
            return [self._ended(order, "failed", message)]
        try:
            said_yes = self._approvals.settle([self._predictor.propose(order, outcome.change)])
        except (ApprovalNeeded, GuardRefused) as error:
            if isinstance(error, GuardRefused):
                self._held(order, error.guard, str(error))
            lane.clear()
            return [self._ended(order, "failed", f"not applied: {error}")]
        if not said_yes:
            return [self._not_approved(order)]
        lane.appendleft(replace(order, approved=outcome.change))
        return []

    def _held(self, order: Order, guard: str, message: str) -> None:
        """A guard refused an action, with others under way: the run goes on, and ends so."""
        self._tell(GuardHeld(guard=guard, message=message, host=order.where, task=order.task.id))
        self.refused = self.refused or f"{order.name} on {order.where}: {message}"

    def _not_approved(self, order: Order) -> Outcome:
        return self._ended(order, "skipped", "not approved")

    def _ended(self, order: Order, status: Literal["failed", "skipped"], message: str) -> Outcome:
        result = registered(None, status, message=message)
        outcome = Outcome(order, status, message, result=result)
        self._stage.tell(outcome)
        return outcome
