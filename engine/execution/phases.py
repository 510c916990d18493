"""One phase: what is before its first action at once, the rest once approved, batch by batch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.events import BatchStarted, PhaseEnded, PhaseStarted
from engine.execution.batches import batches
from engine.language.model import acts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.events import Event
    from engine.execution.change import Changes
    from engine.execution.checkpoints import Checkpoints
    from engine.execution.ending import Course
    from engine.execution.halt import Halt
    from engine.execution.stage import Stage
    from engine.execution.walk import Walk
    from engine.language.keywords import Phase
    from engine.language.model import Node


class Phases:
    """Runs the phases of a plan, one at a time."""

    def __init__(
        self,
        stage: Stage,
        changes: Changes,
        walk: Walk,
        checkpoints: Checkpoints,
        halt: Halt,
        tell: Callable[[Event], None],
        course: Course,
        taken: Callable[[str], None],
    ) -> None:
        """Put together by `assemble`; what decides the run's end is noted in `course`.

        Args:
            stage: knows the plan and the hosts.
            changes: predicts and asks.
            walk: goes through tasks and blocks.
            checkpoints: say what a person would be asked.
            halt: says when to stop.
            tell: makes events known.
            course: of the run.
            taken: is told when somebody has taken the incident, and by what.
        """
        self._stage = stage
        self._changes = changes
        self._walk = walk
        self._checkpoints = checkpoints
        self._halt = halt
        self._tell = tell
        self._course = course
        self._taken = taken

    def run(self, phase: Phase) -> None:
        """Run one phase, as far as the plan has it.

        Raises:
            GuardRefused: a guard forbids a change; nothing was changed.
            ApprovalNeeded: nobody said yes; nothing was changed.
        """
        plan = self._stage.plan
        tasks = plan.tasks(phase)
        if not tasks:
            return
        why_not = self._passed_over(phase)
        hosts = plan.hosts_of(phase)
        over = self._stage.past.has_each(self._stage.cells(tasks))
        before = "ended before" if over else ""
        note = why_not or before
        self._tell(PhaseStarted(phase=phase, tasks=len(tasks), hosts=len(hosts), note=note))
        started = time.monotonic()
        try:
            if not why_not:
                self._run(phase, plan.phases[phase], hosts)
                if phase == "acknowledge" and not self._halt.signal:
                    self._acknowledged()
            elif self._course.check:
                self._checkpoints.foretell(phase, plan.phases[phase], hosts)
        finally:
            self._tell(PhaseEnded(phase=phase, seconds=round(time.monotonic() - started, 3)))

    def _run(self, phase: Phase, nodes: Sequence[Node], hosts: Sequence[str]) -> None:
        """Run the phase: what is before the first action at once, the rest once approved."""
        first = next((n for n, node in enumerate(nodes) if acts(node)), len(nodes))
        failed = self._walk.go(phase, nodes[:first], frozenset(hosts))
        left = [host for host in hosts if phase != "mitigate" or host not in failed]
        rest = nodes[first:]
        if phase == "resolve":
            self._resolved()
        if not rest or not left or (self._halt.stops and phase != "always"):
            return
        try:
            self._act(phase, rest, left)
        finally:
            self._changes.release()
            self._course.refused = self._course.refused or self._changes.refused

    def _act(self, phase: Phase, nodes: Sequence[Node], hosts: Sequence[str]) -> None:
        """Predict, ask, and apply what was approved."""
        self._changes.predict(phase, nodes, hosts)
        self._course.predicted = self._changes.predicted
        if self._course.check:
            self._checkpoints.foretell(phase, nodes, hosts)
        if self._course.check or (self._halt.stops and phase != "always"):
            return
        if self._changes.ask():
            self._taken("a person at the terminal")
        self._in_batches(phase, nodes, hosts)

    def _in_batches(self, phase: Phase, nodes: Sequence[Node], hosts: Sequence[str]) -> None:
        text = self._stage.plan.playbook.text
        found = batches(hosts, text.serial if phase == "mitigate" else None)
        for number, batch in enumerate(found, 1):
            if len(found) > 1:
                self._tell(BatchStarted(number=number, of=len(found), hosts=list(batch)))
            failed = self._walk.go(phase, nodes, frozenset(batch))
            if failed and number < len(found) and text.max_fail is None:
                self._walk.stop(f"batch {number} of {len(found)} failed on {names(failed)}")
            if self._halt.stops and phase != "always":
                return

    def _acknowledged(self) -> None:
        """The incident is taken if a task of the phase has told somebody so."""
        told = [o.order.name for o in self._walk.changed if o.order.phase == "acknowledge"]
        told += ["a person at the terminal"] if self._walk.answered else []
        if told:
            self._taken(told[0])

    def changed(self) -> bool:
        """Whether the mitigation has changed anything: by an action, or a person by hand."""
        acted = [outcome for outcome in self._walk.changed if outcome.order.task.kind == "action"]
        acted += [outcome for outcome in self._walk.answered if outcome.result["done"]]
        return any(outcome.order.phase == "mitigate" for outcome in acted)

    def _resolved(self) -> None:
        self._course.not_resolved += [
            f"{o.order.name} on {o.order.host}: {o.message}"
            for o in self._walk.unforgiven
            if o.order.phase == "resolve"
        ]
        self._course.resolve_held = not self._course.not_resolved

    def _passed_over(self, phase: Phase) -> str:
        if phase == "resolve" and self._course.check:
            return "not looked at in check mode"
        if phase == "resolve" and self._stage.memory.stopped:
            stopped = names(self._stage.memory.stopped)
            self._course.not_resolved.append(f"the mitigation failed on {stopped}")
            return f"not looked at: the mitigation failed on {stopped}"
        if phase == "acknowledge" and self._course.check:
            return "nothing is acknowledged in check mode"
        return ""


def names(hosts: Iterable[str]) -> str:
    """Hosts, as a message names them."""
    return ", ".join(sorted(hosts))
