"""A probe's looks: once, until it holds (`within`), or for as long as it must hold (`hold`)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from engine.contract import Deadline, Observing, Target, to_plain
from engine.errors import HostError
from engine.events import Looked
from engine.execution.naming import name_of
from engine.execution.results import registered
from engine.execution.timing import timing
from engine.language.templates import Scope

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from engine.connections.base import Connection
    from engine.events import Event
    from engine.execution.orders import Order
    from engine.language.model import Task
    from engine.language.templates import Templates

PROBE_TIMEOUT = 30.0
VERIFY_WITHIN = 30.0
EVERY = 5.0
"""Seconds: of one look, of a `verify` that does not say, and between looks."""


LookMode = Literal["within", "hold"]


@dataclass(frozen=True, slots=True)
class Sight:
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
        scope = Scope(data, self._order.texts, self._templates)
        times = timing(task, self._templates, scope)
        connection = self._connect(task, scope)
        once = partial(self._once, task, module, data, connection, times.timeout or PROBE_TIMEOUT)
        say = partial(self._say, task.id, name_of(task, self._templates, scope))
        if times.hold is not None:
            return self._hold(once, say, times.hold, times.every)
        patience = times.within if times.within is not None else within
        if patience is not None:
            return self._within(once, say, patience, times.every)
        return _sure(once())

    def _once(
        self,
        task: Task,
        module: Observing[Any],
        data: Mapping[str, Any],
        connection: Connection,
        timeout: float,
    ) -> Sight:
        target = Target(self._order.host, connection, Deadline(timeout))
        try:
            seen = module.observe(target)
        except HostError as error:
            result = registered(error.found, "failed", message=error.message)
            return Sight(False, error.message, "", result, error)
        summary = module.summary(seen)
        plain = registered(to_plain(seen), "ok")
        try:
            wrong = self._wrong(task, module, seen, {**data, "result": plain})
        except HostError as error:
            result = registered(to_plain(seen), "failed", message=error.message)
            return Sight(False, error.message, summary, result, error)
        result = registered(to_plain(seen), "ok", message=wrong, finding=bool(wrong))
        return Sight(not wrong, wrong, summary, result)

    def _wrong(self, task: Task, module: Observing[Any], seen: Any, data: Mapping[str, Any]) -> str:
        """What is wrong with what was seen: by the task's `expect`, else by the module's own."""
        if task.text.expect is None:
            return module.finding(seen) or ""
        scope = Scope(data, self._order.texts, self._templates)
        conditions = task.text.expect if isinstance(task.text.expect, list) else [task.text.expect]
        unmet = [str(c) for c in conditions if not self._templates.holds(c, scope)]
        return f"expected {' and '.join(unmet)}" if unmet else ""

    def _within(
        self,
        once: Callable[[], Sight],
        say: Callable[[Sight, float, float, LookMode], None],
        total: float,
        every: float | None,
    ) -> Sight:
        started = time.monotonic()
        pause = _pause(every, total)
        while True:
            sight = once()
            elapsed = time.monotonic() - started
            say(sight, elapsed, total, "within")
            if sight.holds:
                return sight
            if elapsed + pause > total or self._stopped.wait(pause):
                sight = _sure(sight)
                late = f"{sight.message} (not within {total:g} s)"
                return Sight(False, late, sight.summary, {**sight.result, "msg": late})

    def _hold(
        self,
        once: Callable[[], Sight],
        say: Callable[[Sight, float, float, LookMode], None],
        total: float,
        every: float | None,
    ) -> Sight:
        started = time.monotonic()
        pause = _pause(every, total)
        while True:
            sight = once()
            elapsed = time.monotonic() - started
            say(sight, elapsed, total, "hold")
            if not sight.holds:
                return _sure(sight)
            if elapsed >= total:
                return sight
            if self._stopped.wait(min(pause, max(total - elapsed, 0.01))):
                cut = f"interrupted after {elapsed:.0f} s of {total:g} s"
                return Sight(False, cut, sight.summary, {**sight.result, "msg": cut})

    def _say(
        self, task: str, name: str, sight: Sight, elapsed: float, total: float, mode: LookMode
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
            )
        )


def _pause(every: float | None, total: float) -> float:
    if every is None:
        return max(min(EVERY, total / 10), 0.1)
    return max(every, 0.01)


def _sure(sight: Sight) -> Sight:
    if sight.error is not None:
        raise sight.error
    return sight
