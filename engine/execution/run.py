"""One run, from its first event to its last."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from engine.errors import ApprovalNeeded, GuardRefused, HostError, Interrupted
from engine.events import Interruption, PhaseEnded, PhaseStarted, RunEnded, SeverityJudged
from engine.execution.ending import Course, Ending, ending
from engine.execution.severity import acknowledge_by, judge
from engine.execution.waves import waves
from engine.language.keywords import PHASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.events import Event
    from engine.execution.change import Changes
    from engine.execution.fleet import Fleet
    from engine.execution.stage import Stage
    from engine.language.keywords import Phase
    from engine.language.model import Rule, Task
    from engine.language.templates import Templates


class Workers(Protocol):
    """What can be told to stop waiting, and to go on."""

    def stop(self) -> None:
        """End what is running on the hosts."""
        ...

    def revive(self) -> None:
        """Work again, for what must run whatever happened."""
        ...


class Run:
    """Takes a plan through its phases."""

    def __init__(
        self,
        run_id: str,
        stage: Stage,
        changes: Changes,
        fleet: Fleet,
        workers: Workers,
        templates: Templates,
        tell: Callable[[Event], None],
        *,
        course: Course,
    ) -> None:
        """Put together by `assemble`, which makes every part."""
        self._id = run_id
        self._stage = stage
        self._changes = changes
        self._fleet = fleet
        self._workers = workers
        self._templates = templates
        self._tell = tell
        self._course = course
        self._interruptions = 0

    def interrupt(self, signal: str) -> None:
        """Ask the run to stop; called from a signal handler, so it only raises flags.

        The first time, what must always run still does; the second time nothing more does.
        """
        self._interruptions += 1
        self._course.interrupted = signal
        self._fleet.cancel()
        self._workers.stop()

    def execute(self) -> Ending:
        """Run every phase of the plan.

        Raises:
            JournalError: an event could not be recorded; nothing more was sent.
        """
        started = time.monotonic()
        try:
            for phase in PHASES[:-1]:
                if phase == "mitigate":
                    self._judge_severity()
                if not self._stopped():
                    self._phase(phase)
        except GuardRefused as error:
            self._course.refused = str(error)
        except ApprovalNeeded as error:
            self._course.waiting = str(error)
        except Interrupted as error:
            self._course.interrupted = self._course.interrupted or str(error)
        self._last_things()
        end = self._ending()
        self._tell(
            RunEnded(
                outcome=end.outcome,
                exit_code=end.exit_code,
                seconds=round(time.monotonic() - started, 3),
                recap=self._recap(),
                message=end.message,
            )
        )
        return end

    def _recap(self) -> dict[str, dict[str, int]]:
        """In the plan's order, not in the one that hosts answered in."""
        counts = self._stage.memory.recap
        return {host: counts[host] for host in self._stage.plan.every_host() if host in counts}

    def _stopped(self) -> bool:
        return bool(self._course.interrupted)

    # ── phases ──

    def _phase(self, phase: Phase) -> None:
        tasks = self._stage.plan.phases.get(phase, ())
        if not tasks:
            return
        why_not = self._passed_over(phase)
        hosts = len({host for task in tasks for host in self._stage.plan.grid[task.id]})
        before = "ended before" if self._stage.ended_before(tasks) else ""
        note = why_not or before
        self._tell(PhaseStarted(phase=phase, tasks=len(tasks), hosts=hosts, note=note))
        started = time.monotonic()
        try:
            if not why_not:
                self._run(phase, tasks)
        finally:
            self._tell(PhaseEnded(phase=phase, seconds=round(time.monotonic() - started, 3)))

    def _run(self, phase: Phase, tasks: tuple[Task, ...]) -> None:
        if any(task.kind == "action" for task in tasks):
            self._changes.run(phase, tasks, self._stopped)
            self._course.predicted = self._changes.predicted
            return
        for wave in waves(tasks):
            if self._stopped():
                return
            outcomes = self._stage.run(phase, wave)
            if phase == "resolve":
                self._course.not_resolved += [
                    f"{o.order.name} on {o.order.host}: {o.message}"
                    for o in outcomes
                    if o.failed and not self._stage.forgives(o.order)
                ]
        if phase == "resolve":
            self._course.resolve_held = not self._course.not_resolved

    def _passed_over(self, phase: Phase) -> str:
        if phase == "resolve" and self._course.check:
            return "not looked at in check mode"
        if phase == "resolve" and self._stage.memory.stopped:
            stopped = ", ".join(sorted(self._stage.memory.stopped))
            self._course.not_resolved.append(f"the mitigation failed on {stopped}")
            return f"not looked at: the mitigation failed on {stopped}"
        if phase == "acknowledge" and self._course.check:
            return "nothing is acknowledged in check mode"
        return ""

    def _last_things(self) -> None:
        """`always` runs whatever happened, but not before a run that waits has gone on."""
        if self._course.waiting or not self._stage.plan.phases.get("always"):
            if self._stopped():
                self._tell(Interruption(signal=self._course.interrupted))
            return
        signal = self._course.interrupted
        if signal:
            self._tell(Interruption(signal=signal))
            if self._interruptions > 1:
                return
            self._course.interrupted = ""
            self._fleet.revive()
            self._workers.revive()
        try:
            self._phase("always")
        except (GuardRefused, ApprovalNeeded, Interrupted) as error:
            self._course.not_resolved.append(f"always: {error}")
        self._course.interrupted = self._course.interrupted or signal

    def _ending(self) -> Ending:
        return ending(self._course, self._stage.memory.recap, self._id)

    # ── severity ──

    def _judge_severity(self) -> None:
        plan, memory = self._stage.plan, self._stage.memory
        rules = plan.playbook.severity
        if not rules or "investigate" not in plan.phases or self._stopped():
            return
        self._tell(PhaseStarted(phase="severity", tasks=len(rules), hosts=len(plan.hosts)))
        evidence = {name: frozenset(hosts) for name, hosts in memory.evidence.items()}
        found = judge(rules, evidence, plan.hosts, self._holds)
        opened_at = datetime.fromisoformat(str(memory.incident["opened_at"]))
        by = acknowledge_by(found.level, opened_at)
        memory.incident["severity"] = found.level
        memory.incident["acknowledge_by"] = by.isoformat() if by else None
        self._tell(
            SeverityJudged(
                level=found.level,
                because=found.because,
                hosts=list(found.hosts),
                of=found.of,
                unjudged=list(found.unjudged),
                acknowledge_by=by,
            )
        )

    def _holds(self, rule: Rule, host: str) -> bool:
        try:
            return self._templates.holds(rule.text.when, self._stage.memory.scope(host))
        except HostError as error:
            raise HostError(f"{error.message} ({rule.place})") from None
