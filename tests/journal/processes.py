"""What other processes do to a journal, for the tests that kill and race them."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
from typing import TYPE_CHECKING

from engine.errors import GuardRefused
from engine.journal import open_journal
from tests.journal.events import intent, started, task

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext
    from multiprocessing.synchronize import Barrier

    from engine.events import Event
    from engine.journal.guards import Target


def context() -> ForkServerContext:
    """Starts real processes, fast: each is a fork of a server that has imported this file."""
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(
        [__name__, "engine.journal.sqlite.store", "engine.journal.postgres.store"]
    )
    return chosen


def event(number: int) -> Event:
    """The run's event of that number: each fifth is durable."""
    if number == 0:
        return started()
    if number % 5 == 0:
        return intent(number, intent=f"i{number}")
    return task(number, summary=str(number))


def write(path: str, run: str, count: int, barrier: Barrier) -> None:
    """Write so many events, together with others."""
    barrier.wait()
    with open_journal(path) as journal, journal.begin(run) as recorder:
        for number in range(count):
            recorder.tell(event(number))


def write_until_killed(path: str, run: str, first: int, acknowledged: Connection) -> None:
    """Write for ever, from event `first` on, and say each number that was acknowledged."""
    with open_journal(path) as journal, journal.begin(run) as recorder:
        for number in itertools.count(first):
            recorder.tell(event(number))
            acknowledged.send(number)


def claim(path: str, run: str, barrier: Barrier, won: Connection) -> None:
    """Race for a run; say whether it was ours, and keep it until everybody has tried."""
    with open_journal(path) as journal:
        barrier.wait()
        try:
            recorder = journal.begin(run)
        except GuardRefused:
            won.send(False)
            barrier.wait()
        else:
            won.send(True)
            barrier.wait()
            recorder.close()


def lock_until_killed(path: str, run: str, target: Target, taken: Connection) -> None:
    """Take a lock, say whether it was ours, and keep it for ever."""
    with open_journal(path) as journal, journal.begin(run) as recorder:
        taken.send(recorder.lock([target]))
        threading.Event().wait()


def lock(
    path: str, run: str, target: Target, races: int, barrier: Barrier, won: Connection
) -> None:
    """Race for a lock, again and again; say each time whether it was ours."""
    with open_journal(path) as journal, journal.begin(run) as recorder:
        for _ in range(races):
            barrier.wait()
            won.send(not recorder.lock([target]))
            barrier.wait()
            recorder.unlock()
