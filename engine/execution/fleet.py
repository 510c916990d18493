"""The fleet seam: a wave goes in, outcomes come out as they come."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from engine.execution.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.execution.orders import Lane, Order, Outcome, Wave

    Arrival = tuple[Outcome | Exception | None, Lane | None]
    """What came, and the lane that ended with it."""
    Arrivals = SimpleQueue[Arrival]

    Heed = Callable[[list[Outcome]], Iterable[Lane]]

_SLICE = 0.25
"""Seconds of one wait for outcomes."""


class Fleet(Protocol):
    """Runs waves somewhere."""

    def run(self, wave: Wave, heed: Heed | None = None) -> Iterator[list[Outcome]]:
        """Perform every order of the wave; yield outcomes in the order they arrive.

        What has arrived meanwhile comes together. After `cancel` no further order is begun; what
        was begun is still yielded.

        Args:
            wave: what can begin.
            heed: is given outcomes first, and returns the lanes that they have made possible. With
                it, what can begin now has begun when they are yielded; without it, nothing has.
        """
        ...

    def cancel(self) -> None:
        """Begin nothing more, and make what waits stop waiting. Safe from a signal handler."""
        ...

    def revive(self) -> None:
        """Work again after a cancel, for what must run whatever happened."""
        ...


class ThreadFleet:
    """Threads of this process; the caller's own says which of the lanes comes next."""

    def __init__(self, perform: Callable[[Order], Outcome], forks: int) -> None:
        """Work with this function on at most `forks` hosts at a time."""
        self._perform = perform
        self._forks = forks
        self._stopped = threading.Event()
        # A thread takes longer to start than to run a command: they stay from wave to wave. An
        # executor would make a future of each lane, and lock and wake more than its queue does.
        self._begun: SimpleQueue[tuple[Lane, Arrivals]] = SimpleQueue()
        self._threads = 0

    def run(self, wave: Wave, heed: Heed | None = None) -> Iterator[list[Outcome]]:
        """As the seam says.

        Raises:
            JournalError: an intent could not be recorded; nothing was sent for it.
        """
        schedule = Schedule(self._forks)
        schedule.add(wave.lanes)
        arrivals: Arrivals = SimpleQueue()
        errors: list[Exception] = []
        try:
            while self._begin(schedule, arrivals):
                arrived = [*_arrived(arrivals, schedule, errors)]
                if not arrived:
                    continue
                if heed:
                    schedule.add(heed(arrived))
                    self._begin(schedule, arrivals)
                yield arrived
        finally:
            while schedule.under_way:
                list(_arrived(arrivals, schedule, errors))
        if errors:
            raise errors[0]

    def _begin(self, schedule: Schedule, arrivals: Arrivals) -> int:
        """Give the threads what may begin now; how many lanes are under way then."""
        if not self._stopped.is_set():
            for lane in schedule.next():
                self._begun.put((lane, arrivals))
                if self._threads < schedule.under_way:
                    self._threads += 1
                    name = f"fleet_{self._threads}"
                    threading.Thread(target=self._work, name=name, daemon=True).start()
        return schedule.under_way

    def _work(self) -> None:
        while True:
            self._walk(*self._begun.get())

    def _walk(self, lane: Lane, arrivals: Arrivals) -> None:
        last: Outcome | Exception | None = None
        try:
            for order in lane:
                if self._stopped.is_set():
                    break
                if last is not None:
                    arrivals.put((last, None))
                last = outcome = self._perform(order)
                acts = order.task.kind == "action"
                if outcome.asks or (acts and outcome.failed and not order.task.text.ignore_errors):
                    break
        except Exception as error:  # noqa: BLE001  # crosses to the run's thread, is raised there
            self.cancel()
            last = error
        arrivals.put((last, lane))

    def cancel(self) -> None:
        """As the seam says."""
        self._stopped.set()

    def revive(self) -> None:
        """As the seam says."""
        self._stopped.clear()


def _arrived(arrivals: Arrivals, schedule: Schedule, errors: list[Exception]) -> Iterator[Outcome]:
    """What came, waiting for the first of it."""
    got, lane = _next(arrivals)
    with suppress(Empty):
        while True:
            if lane is not None:
                schedule.done(lane)
            if isinstance(got, Exception):
                errors.append(got)
            elif got is not None:
                yield got
            got, lane = arrivals.get_nowait()


def _next(arrivals: Arrivals) -> Arrival:
    """Waits in slices: a signal that comes as a wait begins is heard at the end of it only."""
    while True:
        with suppress(Empty):
            return arrivals.get(timeout=_SLICE)
