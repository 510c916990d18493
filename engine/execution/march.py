"""Hosts on their way through waves of probes: each goes on when it is ready, and waits for none."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from engine.execution.orders import Lane, Outcome
    from engine.language.model import Task

    Expand = Callable[[Task, str], tuple[list[Lane], list[Outcome]]]
    """A task's lanes on a host, and what is settled without them."""


class _Wave(Struct):
    """What is left of a wave: the tasks of each host that is yet to come or on its way in it."""

    tasks: dict[str, list[Task]]
    ended: set[str] = field(default_factory=set)


class _Stay(Struct):
    """Where a host is: its wave, what ended there, and how many orders it still waits for."""

    wave: _Wave
    ended: list[Outcome]
    left: int


class March:
    """Which lanes come next, and what they came to; used by one thread only."""

    def __init__(
        self,
        waves: Sequence[Collection[tuple[Task, str]]],
        expand: Expand,
        remember: Callable[[list[Outcome]], None],
        over: Callable[[Collection[str]], None],
        through: Callable[[str], None],
    ) -> None:
        """Nobody has begun.

        Args:
            waves: the task × host cells of each.
            expand: makes lanes of a cell.
            remember: is given what a host's part of a wave came to, before the next is expanded.
            over: is told of each wave that every host has left, in order: the ids of what ended.
            through: is told of each host that has left its last one.
        """
        self._expand = expand
        self._remember = remember
        self._over = over
        self._through = through
        self._waves: deque[_Wave] = deque()
        self._ahead: dict[str, deque[_Wave]] = {}
        self._stays: dict[str, _Stay] = {}
        for cells in waves:
            wave = _Wave({})
            for task, host in cells:
                wave.tasks.setdefault(host, []).append(task)
            for host in wave.tasks:
                self._ahead.setdefault(host, deque()).append(wave)
            self._waves.append(wave)

    def begin(self) -> list[Lane]:
        """The first lanes of every host."""
        return [lane for host in self._ahead for lane in self._go_on(host)]

    def heed(self, outcomes: Iterable[Outcome]) -> list[Lane]:
        """Take note of what lanes came to; returns those that are possible now."""
        lanes: list[Lane] = []
        for outcome in outcomes:
            host = outcome.order.host
            stay = self._stays[host]
            stay.ended.append(outcome)
            stay.left -= 1
            if not stay.left:
                lanes += self._go_on(host)
        return lanes

    def end(self) -> None:
        """No more outcomes come: what hosts still wait for was cut off."""
        for host in list(self._stays):
            self._leave(host)
        for wave in self._waves:
            if wave.ended:
                self._over(wave.ended)

    def _go_on(self, host: str) -> list[Lane]:
        """Take a host to where it must wait for something."""
        if host in self._stays:
            self._leave(host)
        while self._ahead[host]:
            wave = self._ahead[host].popleft()
            lanes: list[Lane] = []
            ended: list[Outcome] = []
            for task in wave.tasks[host]:
                further, settled = self._expand(task, host)
                lanes += further
                ended += settled
            self._stays[host] = _Stay(wave, ended, sum(map(len, lanes)))
            if lanes:
                return lanes
            self._leave(host)
        self._through(host)
        return []

    def _leave(self, host: str) -> None:
        stay = self._stays.pop(host)
        self._remember(stay.ended)
        stay.wave.ended.update(outcome.order.task.id for outcome in stay.ended)
        del stay.wave.tasks[host]
        while self._waves and not self._waves[0].tasks:
            wave = self._waves.popleft()
            if wave.ended:
                self._over(wave.ended)
