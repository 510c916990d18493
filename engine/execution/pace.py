"""How soon a target may be hit again: cool-downs, so many times in a time, and the breaker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from engine.errors import GuardRefused
from engine.events import now
from engine.journal.guards import cooling, ineffective
from engine.units import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.journal.guards import Sent, Target
    from engine.policy import Policies

UNTOLD = 20
"""Actions that nobody can tell of, between those that did not help: so many are seen past."""


class History(Protocol):
    """What was sent to targets, by any run: a `Journal`."""

    def history(self, target: Target, module: str | None = None, *, limit: int = 20) -> list[Sent]:
        """What was sent to a target, newest first."""
        ...


class Pace:
    """Compares what policies say with what was done to a target before.

    What this session of the run sends itself was shown and approved as a whole: it begins no
    cool-down and opens no breaker half-way. It counts where the times are counted.
    """

    def __init__(self, policies: Policies, history: History, break_glass: str = "") -> None:
        """Go by these.

        Args:
            policies: that hold.
            history: of all runs.
            break_glass: why cool-downs do not hold this time; empty: they do.
        """
        self._policies = policies
        self._history = history
        self._break_glass = break_glass
        self._own: set[str] = set()

    def sending(self, intent: str) -> None:
        """An intent of this session is about to be recorded."""
        self._own.add(intent)

    def check(self, module: str, targets: Iterable[Target]) -> None:
        """Refuse what comes too soon.

        Args:
            module: what is to be done.
            targets: to what.

        Raises:
            GuardRefused: says what was done before, and until when the target is left alone.
        """
        for target in targets:
            self._check_cooldown(module, target)
            self._check_times(module, target)
            self._check_breaker(target)

    def _check_cooldown(self, module: str, target: Target) -> None:
        length = self._policies.cooldown(module)
        if not length or self._break_glass:
            return
        history = self._of_others(target, module, 1)
        if left := cooling(history, length):
            raise GuardRefused(
                f"{module} was sent to {target} {_when(history[0])}; a policy has it left alone "
                f"for {duration(length)} after that, {_until(left)}; "
                "--break-glass REASON overrules it",
                guard="cooldown",
            )

    def _check_times(self, module: str, target: Target) -> None:
        for limit in self._policies.at_most(module):
            history = self._history.history(target, module, limit=limit.times)
            if len(history) < limit.times or (left := limit.within - history[-1].age) <= 0:
                continue
            raise GuardRefused(
                f"{module} was sent to {target} {count(limit.times, 'time')} in the last "
                f"{duration(limit.within)}, the last {_when(history[0])}; a policy allows no more, "
                f"{_until(left)}",
                guard="at_most",
            )

    def _check_breaker(self, target: Target) -> None:
        after, rest = self._policies.breaker
        history = self._of_others(target, None, after + UNTOLD)
        number = ineffective(history)
        if number < after:
            return
        last = next(sent for sent in history if sent.effective is False)
        if last.age < rest:
            actions = "action" if number == 1 else f"{number} actions"
            raise GuardRefused(
                f"the last {actions} on {target} did not help, the last of them "
                f"{last.module} {_when(last)}; the breaker is open, {_until(rest - last.age)}",
                guard="breaker",
            )

    def _of_others(self, target: Target, module: str | None, most: int) -> list[Sent]:
        """What was sent there before this session, the newest first."""
        found = self._history.history(target, module, limit=most + len(self._own))
        return [sent for sent in found if sent.intent not in self._own]


def _when(sent: Sent) -> str:
    return f"at {sent.sent.astimezone():%Y-%m-%d %H:%M:%S} by run {sent.run}"


def _until(left: float) -> str:
    return f"until {(now() + timedelta(seconds=left)).astimezone():%Y-%m-%d %H:%M:%S}"
