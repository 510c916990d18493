"""Several processes, and processes that are killed. Nothing acknowledged may be lost."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from engine.journal import open_journal
from tests.journal.processes import claim, context, event, write, write_until_killed

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event

SWEEP = [pytest.mark.sweep, pytest.mark.timeout(3600)]


@pytest.mark.parametrize(
    ("url", "rounds"),
    [
        ("sqlite", 30),
        pytest.param("sqlite", 10_000, marks=SWEEP),
        pytest.param("postgresql", 30, marks=pytest.mark.lab),
        pytest.param("postgresql", 1000, marks=[pytest.mark.lab, *SWEEP]),
    ],
    indirect=["url"],
)
def test_kill_9_loses_nothing_that_was_acknowledged(url: str, rounds: int) -> None:
    events: list[Event] = []
    for number in range(rounds):
        run = str(number // 3)  # each run is killed three times, and goes on
        first = len(events) if number % 3 else 0
        last = write_and_kill(url, run, first, random.randint(1, 40))  # noqa: S311

        with open_journal(url) as journal:
            assert not journal.alive(run)
            events = journal.events(run)
            assert journal.missing(run) == 0
        assert len(events) > last
        assert events == [event(each) for each in range(len(events))]


def write_and_kill(url: str, run: str, first: int, after: int) -> int:
    """Kill a writer after so many more events; the last number that it was sure of."""
    ours, theirs = context().Pipe(duplex=False)
    process = context().Process(target=write_until_killed, args=(url, run, first, theirs))
    process.start()
    theirs.close()
    with ours:
        last: int = [ours.recv() for _ in range(after)][-1]
        process.kill()
        with suppress(EOFError):
            while True:
                last = ours.recv()
    process.join()
    process.close()
    return last


def test_runs_of_several_processes_stand_side_by_side(url: str) -> None:
    assert write_together(url, count=100) == [[event(number) for number in range(100)]] * 4


def test_several_processes_may_make_the_same_journal(tmp_path: Path) -> None:
    for number in range(10):
        assert write_together(str(tmp_path / f"{number}.db"), count=1) == [[event(0)]] * 4


def write_together(url: str, count: int) -> list[list[Event]]:
    """What four processes wrote that began at once, each its own run."""
    runs = ["a", "b", "c", "d"]
    barrier = context().Barrier(len(runs), timeout=30)
    processes = [context().Process(target=write, args=(url, run, count, barrier)) for run in runs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with open_journal(url) as journal:
        return [journal.events(run) for run in runs]


@pytest.mark.parametrize(
    ("url", "races"),
    [
        ("sqlite", 3),
        pytest.param("sqlite", 1000, marks=SWEEP),
        pytest.param("postgresql", 3, marks=pytest.mark.lab),
        pytest.param("postgresql", 100, marks=[pytest.mark.lab, *SWEEP]),
    ],
    indirect=["url"],
)
def test_of_8_processes_that_want_one_run_one_gets_it(url: str, races: int) -> None:
    for race in range(races):
        barrier = context().Barrier(8, timeout=30)
        pipes = [context().Pipe(duplex=False) for _ in range(8)]
        processes = [
            context().Process(target=claim, args=(url, str(race), barrier, theirs))
            for _, theirs in pipes
        ]
        for process in processes:
            process.start()
        for _, theirs in pipes:
            theirs.close()  # so that one that fails is not waited for
        won = [ours.recv() for ours, _ in pipes]
        for process in processes:
            process.join()
        for ours, _ in pipes:
            ours.close()

        assert sorted(won) == [False] * 7 + [True]
