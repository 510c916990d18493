"""Which lane comes next: so many hosts at a time, and several lanes of a host side by side."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.execution.orders import Lane
    from engine.language.model import Task

PER_HOST = 8
"""Lanes of one host at a time: sshd's MaxSessions is 10 by default, and dialling needs some."""


class Schedule:
    """Lanes that wait and lanes that run; used by one thread only."""

    def __init__(self, forks: int) -> None:
        """Nothing waits.

        Args:
            forks: hosts at a time.
        """
        self._forks = forks
        self._most = max(forks, PER_HOST)
        self._waiting: dict[str, deque[Lane]] = {}
        self._fresh: deque[str] = deque()
        self._begun: deque[str] = deque()
        self._known: set[str] = set()
        self._running: Counter[str] = Counter()
        self._of_task: Counter[str] = Counter()
        self.under_way = 0
        """Lanes that run."""

    def add(self, lanes: Iterable[Lane]) -> None:
        """Let these wait for their turn."""
        for lane in lanes:
            host = lane[0].host
            if host not in self._waiting:
                self._waiting[host] = deque()
                if not self._running[host]:
                    self._queue(host)
            self._waiting[host].append(lane)

    def _queue(self, host: str) -> None:
        # A host that is on its way goes on before another one begins: its link is open.
        (self._begun if host in self._known else self._fresh).append(host)
        self._known.add(host)

    def next(self) -> Iterator[Lane]:
        """All lanes that may begin now; they run from here on."""
        while self._waiting and self.under_way < self._most:
            found = self._next()
            if found is None:
                return
            yield self._begin(*found)

    def _next(self) -> tuple[str, int] | None:
        """The host whose turn it is, and which of its lanes; None if there is none now."""
        if len(self._running) < self._forks:
            for queue in (self._begun, self._fresh):
                for _ in range(len(queue)):
                    host = queue.popleft()
                    if (number := self._ready(host)) is not None:
                        return host, number
                    queue.append(host)  # its tasks are held back by their throttle
        busy = [h for h, n in self._running.items() if n < PER_HOST and h in self._waiting]
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
        self.under_way += 1
        return lane

    def done(self, lane: Lane) -> None:
        """A lane ended: its host may take another, or make room for a new one."""
        host = lane[0].host
        self.under_way -= 1
        self._of_task[lane[0].task.id] -= 1
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]
            if host in self._waiting:
                self._queue(host)
