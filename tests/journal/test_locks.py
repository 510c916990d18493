"""Two runs never hold one target at a time."""

from __future__ import annotations

import getpass
import os
import platform
from typing import TYPE_CHECKING

import pytest

from engine.journal.guards import Target
from tests.journal.processes import context, lock, lock_until_killed

if TYPE_CHECKING:
    from engine.journal.base import Journal

APP1, APP2 = Target("app1", "container", "backend"), Target("app2", "container", "backend")


def test_the_second_is_told_who_holds_it(journal: Journal) -> None:
    with journal.begin("a") as one, journal.begin("b") as two:
        assert one.lock([APP1]) == {}

        [(target, holder)] = two.lock([APP1]).items()

        assert target == APP1
        assert holder.run == "a"
        assert (holder.writer.who, holder.writer.controller, holder.writer.pid) == (
            getpass.getuser(),
            platform.node(),
            os.getpid(),
        )
        assert journal.holder(APP1) == holder


def test_all_or_none(journal: Journal) -> None:
    with journal.begin("a") as one, journal.begin("b") as two, journal.begin("c") as three:
        one.lock([APP1])

        assert set(two.lock([APP2, APP1])) == {APP1}
        assert three.lock([APP2]) == {}


def test_taken_twice_is_taken(journal: Journal) -> None:
    with journal.begin("a") as one:
        assert one.lock([APP1, APP1]) == {}
        assert one.lock([APP1, APP2]) == {}


def test_given_back_one_by_one_or_all_at_once(journal: Journal) -> None:
    with journal.begin("a") as one, journal.begin("b") as two:
        one.lock([APP1, APP2])
        one.unlock([APP1])
        assert two.lock([APP1]) == {}
        two.unlock([APP2])  # not its own
        assert set(two.lock([APP2])) == {APP2}
        one.unlock()
        assert two.lock([APP2]) == {}


def test_given_back_at_the_end(journal: Journal) -> None:
    with journal.begin("a") as one:
        one.lock([APP1])

    assert journal.holder(APP1) is None
    with journal.begin("b") as two:
        assert two.lock([APP1]) == {}


def test_a_run_that_goes_on_takes_its_locks_anew(journal: Journal, url: str) -> None:
    kill_holder(url, "a")

    with journal.begin("a") as again, journal.begin("b") as other:
        assert journal.holder(APP1) is None
        assert other.lock([APP1]) == {}
        assert set(again.lock([APP1])) == {APP1}


def test_what_a_dead_run_held_is_taken_over(journal: Journal, url: str) -> None:
    kill_holder(url, "a")

    assert journal.holder(APP1) is None
    with journal.begin("b") as other:
        assert other.lock([APP1]) == {}
        assert str(journal.holder(APP1)).startswith("run b, ")


def kill_holder(url: str, run: str) -> None:
    """A run that took the lock of `APP1` and was ended by kill -9."""
    ours, theirs = context().Pipe(duplex=False)
    process = context().Process(target=lock_until_killed, args=(url, run, APP1, theirs))
    process.start()
    theirs.close()
    with ours:
        assert ours.recv() == {}
    process.kill()
    process.join()
    process.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "races", [5, pytest.param(1000, marks=[pytest.mark.sweep, pytest.mark.timeout(3600)])]
)
def test_of_8_processes_that_want_one_target_one_gets_it(url: str, races: int) -> None:
    barrier = context().Barrier(8, timeout=60)
    pipes = [context().Pipe(duplex=False) for _ in range(8)]
    processes = [
        context().Process(target=lock, args=(url, str(number), APP1, races, barrier, theirs))
        for number, (_, theirs) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    won = [[ours.recv() for _ in range(races)] for ours, _ in pipes]
    for process in processes:
        process.join()
    for connection in (connection for pipe in pipes for connection in pipe):
        connection.close()

    assert [process.exitcode for process in processes] == [0] * 8
    assert [sum(race) for race in zip(*won, strict=True)] == [1] * races
