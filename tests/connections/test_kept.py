"""What is opened at first use: one attempt for all, and when there is another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections import kept
from engine.connections.kept import Kept
from engine.errors import Unreachable
from tests.connections.helpers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


class Thing:
    """Can die, and be closed."""

    def __init__(self) -> None:
        self.alive = True
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Door:
    """Opens things, unless it fails; it can be held."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.opened: list[Thing] = []
        self.attempts = 0
        self.held = threading.Event()
        self.held.set()
        self.kept = Kept("host", self._open, lambda one: one.alive, Thing.close)

    def _open(self) -> Thing:
        self.attempts += 1
        self.held.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        self.opened.append(Thing())
        return self.opened[-1]


@pytest.fixture
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_REST", 0.0)


def at_last(door: Door) -> Thing:
    """What is opened, once it is tried again."""
    found: list[Thing] = []

    def opens() -> bool:
        try:
            found.append(door.kept.get())
        except Unreachable:
            return False
        return True

    assert eventually(opens)
    return found[0]


@pytest.fixture
def held() -> Iterator[Door]:
    """An attempt that goes on until it is let go."""
    door = Door()
    door.held.clear()
    yield door
    door.held.set()


def test_all_wait_for_one_attempt(held: Door) -> None:
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(held.kept.get) for _ in range(8)]
        assert eventually(lambda: held.attempts == 1)
        held.held.set()
        assert {one.result(10) for one in waiting} == {held.opened[0]}
    assert held.attempts == 1


def test_what_died_is_opened_anew() -> None:
    door = Door()
    first = door.kept.get()
    assert door.kept.get() is first
    first.alive = False
    assert door.kept.get() is not first
    assert first.closed


def test_a_failure_answers_for_a_while() -> None:
    door = Door(Unreachable("no route"))
    for _ in range(3):
        with pytest.raises(Unreachable, match="no route"):
            door.kept.get()
    assert door.attempts == 1


@pytest.mark.usefixtures("_no_rest")
def test_after_that_there_is_another_attempt() -> None:
    door = Door(Unreachable("no route"))
    with pytest.raises(Unreachable, match="no route"):
        door.kept.get()
    assert at_last(door) is door.opened[0]


@pytest.mark.usefixtures("_no_rest")
def test_what_another_attempt_cannot_mend_is_never_tried_again() -> None:
    door = Door(Unreachable("wrong password", lasting=True))
    for _ in range(3):
        with pytest.raises(Unreachable, match="wrong password") as caught:
            door.kept.get()
        assert caught.value.lasting
    assert door.attempts == 1


@pytest.mark.usefixtures("_no_rest")
def test_a_host_that_let_us_in_before_may_do_so_again() -> None:
    door = Door()
    door.kept.get().alive = False
    door.failures = [Unreachable("booting: nobody may log in", lasting=True)]
    with pytest.raises(Unreachable, match="booting"):
        door.kept.get()
    assert at_last(door) is door.opened[1]


def test_nobody_waits_longer_than_there_is_time(held: Door) -> None:
    with pytest.raises(Unreachable, match=r"^host: no connection within 0\.05 s$"):
        held.kept.get(0.05)
    held.held.set()
    assert held.kept.get(10) is held.opened[0]  # of the same attempt
    assert held.attempts == 1


def test_an_interruption_lets_go_of_those_who_wait(held: Door) -> None:
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(held.kept.get) for _ in range(2)]
        while not all(one.done() for one in waiting):
            held.kept.interrupt()
        for one in waiting:
            with pytest.raises(Unreachable, match=r"^host: interrupted before there was a conn"):
                one.result()
    held.held.set()
    assert held.kept.get(10) is held.opened[0]
    assert held.attempts == 1


def test_what_opens_after_the_end_is_closed(held: Door) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(held.kept.get)
        assert eventually(lambda: held.attempts == 1)
        held.kept.close()
        with pytest.raises(Unreachable, match="the run has ended"):
            waiting.result(10)
    held.held.set()
    assert eventually(lambda: [one.closed for one in held.opened] == [True])
    with pytest.raises(Unreachable, match="the run has ended"):
        held.kept.get()


@pytest.mark.usefixtures("_no_rest")
def test_a_fault_of_ours_is_raised_as_it_is() -> None:
    door = Door(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        door.kept.get()
    assert door.kept.get() is door.opened[0]


def test_what_rests_is_closed_and_opened_anew_for_whoever_comes_next() -> None:
    door = Door()
    door.kept.rest()
    assert door.attempts == 0
    first = door.kept.get()
    door.kept.rest()
    assert (first.closed, door.kept.opened) == (True, None)
    second = door.kept.get()
    assert (second is first, second.closed, door.attempts) == (False, False, 2)
    door.kept.close()
    assert second.closed
