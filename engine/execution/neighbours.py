"""Other runs, on this controller and on others: what they hold, did, and want held."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from engine.contract import to_plain
from engine.errors import GuardRefused, JournalError
from engine.journal.guards import targets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.contract import Change
    from engine.execution.approval import Proposal
    from engine.execution.orders import Order
    from engine.execution.pace import Pace
    from engine.journal.guards import Hold, Holder, Target


class Holds(Protocol):
    """Whether all actions are on hold: a `Journal`."""

    def hold(self) -> Hold | None:
        """The hold that is in force."""
        ...


class Locks(Protocol):
    """The locks of this run: its `Recorder`."""

    def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
        """Take these, or say who holds which of them."""
        ...

    def unlock(self, targets: Iterable[Target] | None = None) -> None:
        """Give them back."""
        ...


class Neighbours:
    """Keeps this run and all others that use its journal out of each other's way."""

    def __init__(self, locks: Locks, holds: Holds, pace: Pace) -> None:
        """Nothing is locked.

        Args:
            locks: of this run.
            holds: of all runs.
            pace: how soon a target may be hit again.
        """
        self._locks = locks
        self._holds = holds
        self._pace = pace
        self._guard = threading.Lock()
        self._ours: set[Target] = set()

    def check_hold(self) -> None:
        """Refuse to ask for what nobody may send.

        Raises:
            GuardRefused: all actions are on hold; says by whom, why and until when.
        """
        if hold := self._holds.hold():
            raise GuardRefused(f"all actions are on hold by {hold}", guard="hold")

    def check(self, order: Order, change: Change) -> None:
        """Refuse an action that comes too soon. Taking one back never does.

        Raises:
            GuardRefused: as `Pace.check`.
        """
        if order.task.kind == "action" and not order.takes_back:
            self._pace.check(order.task.module, _targets(order.where, change))

    def take(self, proposals: Collection[Proposal]) -> None:
        """Keep other runs from all that is to be changed, until `release`.

        Raises:
            GuardRefused: another run holds some of it, or has just been there; says which run.
        """
        self._lock({target for p in proposals for target in _targets(p.where, p.change)})
        # Looked at again: another run may have been there since, and is over.
        for proposal in proposals:
            self._pace.check(proposal.module, _targets(proposal.where, proposal.change))

    def sending(self, order: Order, change: Change) -> None:
        """See that an action's targets are ours, just before its intent is recorded.

        Raises:
            GuardRefused: as `take`.
        """
        if order.task.kind == "action" and self._lock(set(_targets(order.where, change))):
            self.check(order, change)
        self._pace.sending(order.intent)

    def _lock(self, wanted: set[Target]) -> bool:
        """Take these locks, or none; whether any of them was not ours before."""
        with self._guard:
            new = wanted - self._ours
            if not new:
                return False
            if held := self._locks.lock(new):
                told = "; ".join(f"{target} is held by {held[target]}" for target in sorted(held))
                raise GuardRefused(f"{told}. It is free once that run is over", guard="lock")
            self._ours |= new
        return True

    def release(self) -> None:
        """Let others act on all that was ours."""
        with self._guard:
            if not self._ours:
                return
            self._ours.clear()
            with suppress(JournalError):  # they are free when the run ends, at the latest
                self._locks.unlock()


def _targets(where: str, change: Change) -> tuple[Target, ...]:
    return targets(where, to_plain(change))
