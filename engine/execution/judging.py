"""The severity in a run: judged on what was found, and again after a mitigation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from engine.errors import HostError
from engine.events import Acknowledged, DeadlineMissed, PhaseStarted, SeverityJudged, now
from engine.execution.severity import acknowledge_by, judge
from engine.execution.waves import defines, stretches, waves

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from engine.events import Event
    from engine.execution.severity import Judgement
    from engine.execution.stage import Stage
    from engine.language.model import Rule, Task
    from engine.language.templates import Templates


class Judging:
    """Judges, and keeps the clock that runs from the incident's start until somebody takes it.

    Args:
        stage: knows the plan and what was found.
        templates: evaluates the rules.
        clock: how long each level gives; a level without is in no hurry.
        tell: makes events known.
    """

    def __init__(
        self,
        stage: Stage,
        templates: Templates,
        clock: Mapping[str, timedelta],
        tell: Callable[[Event], None],
    ) -> None:
        """Nothing is judged yet."""
        self._stage = stage
        self._templates = templates
        self._clock = clock
        self._tell = tell
        self._level: str | None = None
        self._by: datetime | None = None
        self._taken = False
        self._missed = False

    def judge(self) -> None:
        """Judge what the investigation found, if it took place and there are rules."""
        plan, memory = self._stage.plan, self._stage.memory
        rules = plan.playbook.severity
        if not rules or "investigate" not in plan.phases:
            return
        self._tell(PhaseStarted(phase="severity", tasks=len(rules), hosts=len(plan.hosts)))
        found = self._judged(rules)
        opened_at = datetime.fromisoformat(str(memory.incident["opened_at"]))
        self._level = found.level
        self._by = acknowledge_by(found.level, opened_at, self._clock)
        memory.incident["severity"] = found.level
        memory.incident["acknowledge_by"] = self._by.isoformat() if self._by else None
        self._say(found, self._by)
        self.look_at_the_clock()

    def judge_again(self) -> None:
        """Look once more at what the rules use, and judge that."""
        rules = self._stage.plan.playbook.severity
        if not rules or "investigate" not in self._stage.plan.phases:
            return
        for together in stretches(waves(self._evidence(rules))):
            self._stage.run_again(together)
        self._say(self._judged(rules), None, before=self._level or "none")

    def _evidence(self, rules: Sequence[Rule]) -> list[Task]:
        """The probes that the rules use, and those that these use in their turn."""
        plan = self._stage.plan
        tasks = [*plan.tasks("acknowledge"), *plan.tasks("investigate")]
        needed = frozenset().union(*(rule.uses for rule in rules))
        wanted: set[str] = set()
        for task in reversed(tasks):
            if task.kind == "probe" and defines(task) & needed:
                wanted.add(task.id)
                needed |= task.uses
        return [task for task in tasks if task.id in wanted]

    def _judged(self, rules: Sequence[Rule]) -> Judgement:
        memory = self._stage.memory
        evidence = {name: frozenset(hosts) for name, hosts in memory.evidence.items()}
        return judge(rules, evidence, self._stage.plan.hosts, self._holds)

    def _holds(self, rule: Rule, host: str) -> bool:
        try:
            return self._templates.holds(rule.text.when, self._stage.memory.scope(host))
        except HostError as error:
            raise HostError(f"{error.message} ({rule.place})") from None

    def _say(self, found: Judgement, by: datetime | None, before: str = "") -> None:
        self._tell(
            SeverityJudged(
                level=found.level,
                before=before,
                because=found.because,
                hosts=list(found.hosts),
                of=found.of,
                unjudged=list(found.unjudged),
                acknowledge_by=by,
            )
        )

    # ── the clock ──

    def taken(self, how: str) -> None:
        """Somebody has taken the incident: the clock stands."""
        self.look_at_the_clock()
        if not self._taken:
            self._taken = True
            self._tell(Acknowledged(how=how))

    def look_at_the_clock(self) -> None:
        """Say so, once, where the time is over and nobody has taken the incident."""
        if self._by is None or self._taken or self._missed or now() <= self._by:
            return
        self._missed = True
        assert self._level is not None
        self._tell(DeadlineMissed(level=self._level, acknowledge_by=self._by))
