"""The fleet seam: a wave goes in, outcomes come out as they come."""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.execution.orders import Order, Outcome, Wave
    from engine.language.model import Task

    Lane = tuple[Order, ...]
    Arrivals = SimpleQueue[Outcome | Exception | None]
    """None says that a thread has ended."""

PER_HOST = 8
"""Lanes of one host at a time: sshd's MaxSessions is 10 by default, and dialling needs some."""
_SLICE = 0.25
"""Seconds of one wait for outcomes."""


class Fleet(Protocol):
    """Runs waves somewhere."""

    def run(self, wave: Wave) -> Iterator[list[Outcome]]:
        """Perform every order of the wave; yield outcomes in the order they arrive.

        What has arrived meanwhile comes together. After `cancel` no further order is begun; what
        was begun is still yielded.
        """
        ...

    def cancel(self) -> None:
        """Begin nothing more, and make what waits stop waiting. Safe from a signal handler."""
        ...

    def revive(self) -> None:
        """Work again after a cancel, for what must run whatever happened."""
        ...


class ThreadFleet:
    """Threads of this process: so many hosts at a time, several lanes of a host side by side."""

    def __init__(self, perform: Callable[[Order], Outcome], forks: int) -> None:
        """Work with this function on at most `forks` hosts at a time."""
        self._perform = perform
        self._forks = forks
        self._stopped = threading.Event()
        # A thread takes longer to start than to run a command: they stay from wave to wave.
        self._threads = ThreadPoolExecutor(max(forks, PER_HOST), "fleet")

    def run(self, wave: Wave) -> Iterator[list[Outcome]]:
        """As the seam says.

        Raises:
            JournalError: an intent could not be recorded; nothing was sent for it.
        """
        kind = _Queue if _any_may_be_next(wave.lanes) else _Schedule
        schedule = kind(wave.lanes, self._forks, self._stopped)
        size = min(len(wave.lanes), schedule.threads)
        outcomes: Arrivals = SimpleQueue()

        def work() -> None:
            try:
                while lane := schedule.take():
                    self._walk(lane, outcomes)
                    schedule.done(lane)
            except Exception as error:  # noqa: BLE001  # crosses to the run's thread, is raised there
                self.cancel()
                schedule.wake()
                outcomes.put(error)
            finally:
                outcomes.put(None)

        working = [self._threads.submit(work) for _ in range(size)]
        try:
            yield from _until_all_ended(outcomes, size)
        finally:
            wait(working)

    def _walk(self, lane: Lane, outcomes: Arrivals) -> None:
        for order in lane:
            if self._stopped.is_set():
                return
            outcome = self._perform(order)
            outcomes.put(outcome)
            acts = order.task.kind == "action"
            if outcome.asks or (acts and outcome.failed and not order.task.text.ignore_errors):
                return

    def cancel(self) -> None:
        """As the seam says."""
        self._stopped.set()

    def revive(self) -> None:
        """As the seam says."""
        self._stopped.clear()


def _until_all_ended(outcomes: Arrivals, threads: int) -> Iterator[list[Outcome]]:
    first_error: Exception | None = None
    while threads:
        arrived: list[Outcome] = []
        for got in _those_there(outcomes):
            if got is None:
                threads -= 1
            elif isinstance(got, Exception):
                first_error = first_error or got
            else:
                arrived.append(got)
        if arrived:
            yield arrived
    if first_error is not None:
        raise first_error


def _those_there(outcomes: Arrivals) -> Iterator[Outcome | Exception | None]:
    """The next, waiting for it, and whatever is there by then."""
    yield _next(outcomes)
    with suppress(Empty):
        while True:
            yield outcomes.get_nowait()


def _next(outcomes: Arrivals) -> Outcome | Exception | None:
    """Waits in slices: a signal that comes as a wait begins is heard at the end of it only."""
    while True:
        with suppress(Empty):
            return outcomes.get(timeout=_SLICE)


def _any_may_be_next(lanes: tuple[Lane, ...]) -> bool:
    """Whether a thread may take whichever lane comes: one of each host, and none is throttled."""
    throttled = any(lane[0].task.text.throttle is not None for lane in lanes)
    return not throttled and len({lane[0].host for lane in lanes}) == len(lanes)


class _Queue:
    """The lanes as they come, each thread with one: no lock that all of them would wait for."""

    def __init__(self, lanes: tuple[Lane, ...], forks: int, stopped: threading.Event) -> None:
        self.threads = forks
        self._waiting = deque(lanes)
        self._stopped = stopped

    def take(self) -> Lane | None:
        """The next lane; None when there is none any more."""
        if self._stopped.is_set():
            return None
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def done(self, lane: Lane) -> None:
        """A lane ended; nobody waits for that."""

    def wake(self) -> None:
        """Nobody waits."""


class _Schedule:
    """Which lane comes next: a new host while there is room for one, else the least busy."""

    def __init__(self, lanes: tuple[Lane, ...], forks: int, stopped: threading.Event) -> None:
        self.threads = max(forks, PER_HOST)
        self._forks = forks
        self._stopped = stopped
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Lane]] = {}
        for lane in lanes:
            self._waiting.setdefault(lane[0].host, deque()).append(lane)
        self._new = deque(self._waiting)
        self._running: Counter[str] = Counter()
        self._of_task: Counter[str] = Counter()

    def take(self) -> Lane | None:
        """The next lane, waiting until one may begin; None when there is none any more."""
        with self._changed:
            while self._waiting and not self._stopped.is_set():
                found = self._next()
                if found is not None:
                    return self._begin(*found)
                self._changed.wait()
            return None

    def _next(self) -> tuple[str, int] | None:
        """The host whose turn it is, and which of its lanes; None if there is none now."""
        if len(+self._running) < self._forks:
            for _ in range(len(self._new)):
                host = self._new.popleft()
                if (number := self._ready(host)) is not None:
                    return host, number
                self._new.append(host)  # its tasks are held back by their throttle
        busy = [h for h, n in self._running.items() if 0 < n < PER_HOST and h in self._waiting]
        for host in sorted(busy, key=self._running.__getitem__):
            if (number := self._ready(host)) is not None:
                return host, number
        return None

    def _ready(self, host: str) -> int | None:
        """Which lane of a host may begin, as to the throttle of its task."""
        lanes = self._waiting[host]
        return next((n for n, lane in enumerate(lanes) if self._may_begin(lane[0].task)), None)

    def _may_begin(self, task: Task) -> bool:
        return task.text.throttle is None or self._of_task[task.id] < task.text.throttle

    def _begin(self, host: str, number: int) -> Lane:
        lanes = self._waiting[host]
        lane = lanes[number]
        del lanes[number]
        if not lanes:
            del self._waiting[host]
        self._running[host] += 1
        self._of_task[lane[0].task.id] += 1
        return lane

    def done(self, lane: Lane) -> None:
        """A lane ended: its host may take another, or make room for a new one."""
        host = lane[0].host
        with self._changed:
            self._running[host] -= 1
            self._of_task[lane[0].task.id] -= 1
            if not self._running[host] and host in self._waiting:
                self._new.appendleft(host)
            self._changed.notify_all()

    def wake(self) -> None:
        """Something else changed that those who wait should look at."""
        with self._changed:
            self._changed.notify_all()
