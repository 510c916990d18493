"""A probe's looks: once, until it holds (`within`), or for as long as it must hold (`hold`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.contract import Deadline, Observing, Target, to_plain
from engine.errors import HostError
from engine.events import Looked
from engine.execution.naming import name_of, said
from engine.execution.results import registered
from engine.execution.timing import timing
from engine.language.fitting import as_text
from engine.language.templates import Scope

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from engine.connections.base import Connection
    from engine.events import Event
    from engine.execution.orders import Order
    from engine.language.keywords import Conditions
    from engine.language.model import Task
    from engine.language.templates import Templates

PROBE_TIMEOUT = 30.0
VERIFY_WITHIN = 30.0
EVERY = 5.0
DELAY = 5.0
"""Seconds: of one look, of a `verify` that does not say, and between looks; with `until` as in
Ansible."""

RETRIES = 3
"""Looks after the first, with an `until` that does not say; as in Ansible."""


LookMode = Literal["within", "hold", "until"]


class Sight(Struct, frozen=True):
    """What one look, or the last of several, came to.

    Args:
        holds: the expectation is met.
        message: what is wrong where it is not.
        summary: what was seen.
        result: the registered value.
        error: the look itself failed; raised again where there are no more looks.
    """

    holds: bool
    message: str
    summary: str
    result: dict[str, Any]
    error: HostError | None = None


Say = Callable[[Sight, float, float, LookMode, int], None]
"""Tells of one of several looks: seconds since the first, of how many, and which look it was."""


class Looker:
    """Looks through one host's connection, for one order."""

    def __init__(
        self,
        order: Order,
        connect: Callable[[Task, Mapping[str, Any]], Connection],
        templates: Templates,
        tell: Callable[[Event], None],
        stopped: threading.Event,
    ) -> None:
        """Look for this order; say each of several looks through `tell`.

        Args:
            order: whose tasks look.
            connect: the host's connection, as a task with such names in scope uses it.
            templates: renders and evaluates.
            tell: makes an event known.
            stopped: is set when the run is to stop.
        """
        self._order = order
        self._connect = connect
        self._templates = templates
        self._tell = tell
        self._stopped = stopped

    def look(
        self,
        task: Task,
        module: Observing[Any],
        data: Mapping[str, Any],
        *,
        within: float | None = None,
    ) -> Sight:
        """See what the task sees, as often as it says.

        Args:
            task: whose `expect`, `within`, `hold`, `every` and `timeout` apply.
            module: its module, with its arguments.
            data: the names in scope; `result` is added.
            within: seconds, for a task that says neither `within` nor `hold`.

        Raises:
            HostError: a single look failed, or the last one of several.
        """
        scope = Scope(data, {**self._order.texts, **task.text.vars}, self._templates)
        times = timing(task, self._templates, scope)
        once = partial(self._once, task, module, scope, times.timeout or PROBE_TIMEOUT)
        say = partial(self._say, task.id, name_of(task, self._templates, scope))
        if task.text.until is not None:
            return self._until(once, say, task, scope, times.delay)
        if times.hold is not None:
            return self._hold(once, say, times.hold, times.every)
        patience = times.within if times.within is not None else within
        if patience is not None:
            return self._within(once, say, patience, times.every)
        return _sure(once())

    def target(self, task: Task, scope: Scope, timeout: float) -> Target:
        """The host as a module of this order sees it.

        Args:
            task: whose `environment` holds, and as whom it acts.
            scope: the names for that.
            timeout: seconds from now.

        Raises:
            HostError: what it says of these cannot be rendered.
        """
        rendered = self._templates.render(task.text.environment, scope)
        environment = {name: as_text(value) for name, value in rendered.items()}
        deadline = Deadline(timeout)
        return Target(
            self._order.where,
            self._connect(task, scope),
            deadline,
            environment=environment,
            stopped=self._stopped,
        )

    def _once(self, task: Task, module: Observing[Any], scope: Scope, timeout: float) -> Sight:
        try:
            seen = module.observe(self.target(task, scope, timeout))
        except HostError as error:
            result = registered(error.found, "failed", message=error.message)
            return Sight(False, error.message, "", result, error)
        summary = module.summary(seen)
        plain = to_plain(seen)
        try:
            wrong = self._wrong(task, module, seen, scope, registered(plain, "ok"))
        except HostError as error:
            result = registered(plain, "failed", message=error.message)
            return Sight(False, error.message, summary, result, error)
        result = registered(plain, "ok", message=wrong, finding=bool(wrong))
        return Sight(not wrong, wrong, summary, result)

    def _wrong(
        self,
        task: Task,
        module: Observing[Any],
        seen: Any,
        scope: Scope,
        result: dict[str, Any],
    ) -> str:
        """What is wrong with what was seen: by the task's own word, else by the module's."""
        text = task.text
        judged = _judging(task, scope, result)
        if text.failed_when is not None and self._templates.holds(text.failed_when, judged):
            return f"failed_when: {said(text.failed_when)}"
        if text.expect is not None:
            return self._unmet(text.expect, judged, partial(module.finding, seen))
        if text.failed_when is not None or text.until is not None:
            return ""
        return module.finding(seen) or ""

    def _unmet(self, expected: Conditions, scope: Scope, finding: Callable[[], str | None]) -> str:
        """Which of the expectations is not met, if any."""
        conditions = expected if isinstance(expected, list) else [expected]
        try:
            unmet = [str(c) for c in conditions if not self._templates.holds(c, scope)]
        except HostError:
            # `result.value < 5` says nothing of a value that is not there; the module says why.
            found = finding()
            if found is None:
                raise
            return found
        return f"expected {' and '.join(unmet)}" if unmet else ""

    def _until(
        self,
        once: Callable[[], Sight],
        say: Say,
        task: Task,
        scope: Scope,
        delay: float | None,
    ) -> Sight:
        """Look again until the condition holds, so many times at most."""
        condition = task.text.until
        assert condition is not None
        retries = task.text.retries or RETRIES
        started = time.monotonic()
        for number in range(1, retries + 2):
            sight = _counted(once(), number)
            holds = sight.error is None and self._templates.holds(
                condition, _judging(task, scope, sight.result)
            )
            elapsed = time.monotonic() - started
            say(replace(sight, holds=holds), elapsed, retries + 1, "until", number)
            if holds:
                return sight
            if self._stopped.wait(DELAY if delay is None else delay):
                return _cut_short(sight, elapsed, f"look {number} of {retries + 1}")
        return _not_held(_sure(sight), f"not until {said(condition)} (looked {number} times)")

    def _within(
        self,
        once: Callable[[], Sight],
        say: Say,
        total: float,
        every: float | None,
    ) -> Sight:
        started = time.monotonic()
        pause = _pause(every, total)
        while True:
            sight = once()
            elapsed = time.monotonic() - started
            say(sight, elapsed, total, "within", 0)
            if sight.holds:
                return sight
            if elapsed + pause > total:
                sight = _sure(sight)
                return _not_held(sight, f"{sight.message} (not within {total:g} s)")
            if self._stopped.wait(pause):
                return _cut_short(sight, elapsed, f"{total:g} s")

    def _hold(
        self,
        once: Callable[[], Sight],
        say: Say,
        total: float,
        every: float | None,
    ) -> Sight:
        started = time.monotonic()
        pause = _pause(every, total)
        while True:
            sight = once()
            elapsed = time.monotonic() - started
            say(sight, elapsed, total, "hold", 0)
            if not sight.holds:
                return _sure(sight)
            if elapsed >= total:
                return sight
            if self._stopped.wait(min(pause, max(total - elapsed, 0.01))):
                return _cut_short(sight, elapsed, f"{total:g} s")

    def _say(
        self,
        task: str,
        name: str,
        sight: Sight,
        elapsed: float,
        total: float,
        mode: LookMode,
        look: int,
    ) -> None:
        self._tell(
            Looked(
                phase=self._order.phase,
                task=task,
                name=name,
                host=self._order.host,
                holds=sight.holds,
                summary=sight.summary or sight.message,
                elapsed=round(elapsed, 3),
                total=total,
                mode=mode,
                look=look,
            )
        )


def _judging(task: Task, scope: Scope, result: dict[str, Any]) -> Scope:
    """The names that a task's own result is judged with: it is `result`, and has its name."""
    names = {"result": result, **({task.text.register: result} if task.text.register else {})}
    return Scope({**scope.data, **names}, scope.texts, scope.templates)


def _counted(sight: Sight, number: int) -> Sight:
    """What was seen, and at which look, as in Ansible."""
    return replace(sight, result={**sight.result, "attempts": number})


def _pause(every: float | None, total: float) -> float:
    if every is None:
        return max(min(EVERY, total / 10), 0.1)
    return max(every, 0.01)


def _cut_short(sight: Sight, elapsed: float, total: str) -> Sight:
    """What was seen last, when no more looks are to be taken."""
    words = [f"interrupted after {elapsed:.1f} s of {total}", sight.message]
    return _not_held(sight, ": ".join(word for word in words if word))


def _not_held(sight: Sight, message: str) -> Sight:
    return Sight(False, message, sight.summary, {**sight.result, "msg": message})


def _sure(sight: Sight) -> Sight:
    if sight.error is not None:
        raise sight.error
    return sight
