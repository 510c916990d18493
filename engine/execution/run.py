"""One run, from its first event to its last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.errors import ApprovalNeeded, GuardRefused, Interrupted
from engine.events import (
    Interruption,
    RunEnded,
)
from engine.execution.ending import Course, Ending, ending
from engine.language.keywords import PHASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.events import Event
    from engine.execution.halt import Halt
    from engine.execution.judging import Judging
    from engine.execution.phases import Phases
    from engine.execution.stage import Stage
    from engine.language.keywords import Phase


class Run:
    """Takes a plan through its phases."""

    def __init__(
        self,
        run_id: str,
        stage: Stage,
        phases: Phases,
        judging: Judging,
        halt: Halt,
        tell: Callable[[Event], None],
        *,
        course: Course,
    ) -> None:
        """Put together by `assemble`, which makes every part."""
        self._id = run_id
        self._stage = stage
        self._phases = phases
        self._judging = judging
        self._halt = halt
        self._tell = tell
        self._course = course

    def interrupt(self, signal: str) -> None:
        """Ask the run to stop; called from a signal handler, so it only raises flags.

        The first time, what must always run still does; the second time nothing more does.
        """
        self._halt.interrupt(signal)

    def execute(self) -> Ending:
        """Run every phase of the plan.

        Raises:
            JournalError: an event could not be recorded; nothing more was sent.
        """
        started = time.monotonic()
        try:
            for phase in PHASES[:-1]:
                if not self._halt.signal:
                    self._before(phase)
                    self._phases.run(phase)
        except GuardRefused as error:
            self._course.refused = str(error)
        except ApprovalNeeded as error:
            self._course.waiting = str(error)
            self._course.person = error.person
        except Interrupted as error:
            self._halt.signal = self._halt.signal or str(error)
        self._last_things()
        self._judging.look_at_the_clock()
        end = self._ending()
        self._tell(
            RunEnded(
                outcome=end.outcome,
                exit_code=end.exit_code,
                seconds=round(time.monotonic() - started, 3),
                recap=self._recap(),
                message=end.message,
                open=[name for _, name in self._course.open],
            )
        )
        return end

    def _before(self, phase: Phase) -> None:
        """What is judged between two phases."""
        if phase == "mitigate":
            self._judging.judge()
        elif phase == "resolve" and self._phases.changed():
            self._judging.judge_again()
        self._judging.look_at_the_clock()

    def _recap(self) -> dict[str, dict[str, int]]:
        """In the plan's order, not in the one that hosts answered in."""
        counts = self._stage.memory.recap
        return {host: counts[host] for host in self._stage.plan.every_host() if host in counts}

    def _last_things(self) -> None:
        """`always` runs whatever happened, but not before a run that waits has gone on."""
        if self._halt.signal:
            self._tell(Interruption(signal=self._halt.signal))
        if self._course.waiting or self._halt.abandons:
            return
        self._halt.go_on()
        try:
            self._phases.run("always")
        except GuardRefused as error:
            self._course.refused = self._course.refused or f"always: {error}"
        except (ApprovalNeeded, Interrupted) as error:
            self._course.not_resolved.append(f"always: {error}")

    def _ending(self) -> Ending:
        self._course.interrupted = self._halt.signal
        self._course.halted = self._halt.reason
        return ending(self._course, self._stage.memory.recap, self._id)
