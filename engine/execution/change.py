"""A phase that may change hosts: predict, guard, ask, apply, verify."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from engine.errors import ApprovalNeeded, GuardRefused
from engine.events import GuardHeld
from engine.execution.guard import check_radius
from engine.execution.orders import Outcome
from engine.execution.results import registered
from engine.execution.waves import waves

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.contract import Change
    from engine.events import Event
    from engine.execution.approval import Approvals
    from engine.execution.orders import Key, Order
    from engine.execution.predict import Prediction, Predictor
    from engine.execution.stage import Stage
    from engine.language.keywords import Phase
    from engine.language.model import Task


class Changes:
    """Runs a phase that holds actions."""

    def __init__(
        self,
        stage: Stage,
        predictor: Predictor,
        approvals: Approvals,
        tell: Callable[[Event], None],
        *,
        check: bool,
    ) -> None:
        """Run it on this stage; `check` stops after the prediction."""
        self._stage = stage
        self._predictor = predictor
        self._approvals = approvals
        self._tell = tell
        self._check = check
        self.predicted = 0
        """Changes found so far."""

    def run(self, phase: Phase, tasks: Sequence[Task], stopped: Callable[[], bool]) -> None:
        """Run the phase's tasks: those before the first action at once, the rest once approved.

        Args:
            phase: its name.
            tasks: of it, in order.
            stopped: whether the run was asked to stop: no further wave begins then.

        Raises:
            ApprovalNeeded: nobody said yes; nothing was changed.
            GuardRefused: a guard forbids it; nothing was changed.
        """
        first = next((n for n, task in enumerate(tasks) if task.kind == "action"), len(tasks))
        for wave in waves(tasks[:first]):
            if not stopped():
                self._stage.run(phase, wave)
        rest = tasks[first:]
        if not rest or stopped():
            return
        prediction = self._predictor.predict(phase, rest)
        self.predicted += len(prediction.proposals)
        self._check_radius(phase, prediction)
        if self._check or stopped():
            return
        approved = self._approved(prediction)
        for wave in waves(rest):
            if stopped():
                return
            if wave[0].kind == "action":
                self._apply(phase, wave[0], approved, prediction.settled)
            else:
                self._stage.run(phase, wave)

    def _check_radius(self, phase: Phase, prediction: Prediction) -> None:
        if phase != "mitigate":
            return
        plan = self._stage.plan
        try:
            changing = prediction.hosts() | self._stage.changed_before()
            check_radius(plan.playbook.text.limits, changing, plan.all_hosts)
        except GuardRefused as error:
            self._tell(GuardHeld(guard="limits", message=str(error)))
            raise

    def _approved(self, prediction: Prediction) -> dict[Key, Change | None]:
        """Every proposal's key: with its change where it was approved, with None where not."""
        if not prediction.proposals:
            return {}
        said_yes = self._approvals.settle(prediction.proposals)
        if not said_yes:
            raise ApprovalNeeded("nothing was approved")
        return {p.key: p.change if p.key in said_yes else None for p in prediction.proposals}

    def _apply(
        self,
        phase: Phase,
        task: Task,
        approved: Mapping[Key, Change | None],
        known: Mapping[Key, Outcome],
    ) -> None:
        """Apply one action on all its hosts; a loop's items one after the other."""
        ended: list[Outcome] = []
        lanes: list[deque[Order]] = []
        for _, host in self._stage.cells(phase, [task]):
            orders, settled = self._stage.expand(phase, task, host, "apply")
            ended += settled
            ended += [known[o.key] for o in orders if o.key in known]
            orders = [o for o in orders if o.key not in known]
            ended += [self._not_approved(o) for o in orders if approved.get(o.key, ...) is None]
            lanes.append(
                deque(
                    replace(o, approved=approved.get(o.key), intent=secrets.token_hex(8))
                    for o in orders
                    if approved.get(o.key, ...) is not None
                )
            )
        while any(lanes):
            by_host = {lane[0].host: lane for lane in lanes if lane}
            asking: list[Outcome] = []
            for outcome in self._stage.dispatch(list(by_host.values())):
                lane = by_host[outcome.order.host]
                if outcome.asks:
                    asking.append(outcome)
                    continue
                lane.popleft()
                if outcome.failed and not self._stage.forgives(outcome.order):
                    lane.clear()
                self._stage.tell(outcome)
                ended.append(outcome)
            begun = {outcome.order.host for outcome in asking}
            lanes = [by_host[host] for host in by_host if host in begun]
            for outcome in asking:
                ended += self._ask_again(outcome, by_host[outcome.order.host])
        self._stage.remember([task], ended)

    def _ask_again(self, outcome: Outcome, lane: deque[Order]) -> list[Outcome]:
        """An action found another target than was approved, or could not be predicted.

        A person is asked; under `--yes` a target that moved is left alone, and its host fails.
        """
        order = lane.popleft()
        assert outcome.change is not None
        if order.approved is not None and self._approvals.yes:
            message = f"the target is no longer the one that was shown: {outcome.change.summary}"
            lane.clear()
            return [self._ended(order, "failed", message)]
        try:
            said_yes = self._approvals.settle([self._predictor.propose(order, outcome.change)])
        except ApprovalNeeded as error:
            lane.clear()
            return [self._ended(order, "failed", f"not applied: {error}")]
        if not said_yes:
            return [self._not_approved(order)]
        lane.appendleft(replace(order, approved=outcome.change))
        return []

    def _not_approved(self, order: Order) -> Outcome:
        return self._ended(order, "skipped", "not approved")

    def _ended(self, order: Order, status: Literal["failed", "skipped"], message: str) -> Outcome:
        result = registered(None, status, message=message)
        outcome = Outcome(order, status, message, result=result)
        self._stage.tell(outcome)
        return outcome
