import threading

import pytest

from engine.connections.local import LocalConnection
from engine.contract import (
    Change,
    Deadline,
    Identity,
    ModuleFailed,
    Target,
    matcher,
    seconds,
    size,
    when,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1h30m", 5400),
        ("2d", 172800),
        (" 5 m ", 300),
        (7, 7),
        (0.5, 0.5),
    ],
)
def test_durations(text: str | float, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "10", "soon", "5 years", "-1s", "1h m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("512m", 536870912), ("2g", 2147483648), ("1.5K", 1536), ("3GiB", 3221225472), (9, 9)],
)
def test_sizes(text: str | int, expected: int) -> None:
    assert size(text) == expected


def test_what_is_no_size() -> None:
    with pytest.raises(ValueError, match="not a size"):
        size("2 bytes")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("10m", 1_000_000 - 600),
        (90, 1_000_000 - 90),
        ("2026-11-23T13:37:00Z", 1795441020),
        ("2026-11-23T13:37:00.250000000Z", 1795441020.25),
        ("2026-11-23T14:37+01:00", 1795441020),
        ("2026-11-23T13:37", 1795441020),
    ],
)
def test_moments(moment: str | float, expected: float) -> None:
    assert when(moment, now=1_000_000) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-45T10:00:00Z", ""])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        when(text, now=0)


def test_a_matcher_finds_anywhere() -> None:
    matches = matcher("(?i)error|panic")
    assert matches("2026-11-23 PANIC: nil map")
    assert not matches("all is well")


def test_what_is_no_pattern() -> None:
    with pytest.raises(ValueError, match="not an RE2 pattern"):
        matcher("(?=ahead)")


def change(*pids: int) -> Change:
    on = tuple(Identity("backend", "app", {"pid": pid}) for pid in pids)
    return Change(summary=f"end {len(pids)}", on=on, before=list(pids))


def test_a_change_that_was_approved_whole_stays_as_it_is() -> None:
    now = change(1, 2)
    assert now.narrowed(change(1, 2)) is now
    assert now.narrowed(change(1, 2, 3)) is now


def test_what_came_after_the_yes_is_left_out() -> None:
    left = change(2, 3, 4).narrowed(change(1, 2))
    assert left is not None
    assert [identity.key["pid"] for identity in left.on] == [2]
    assert left.summary == "end 2"


def test_nothing_is_left_of_what_was_approved() -> None:
    assert change(3).narrowed(change(1, 2)) is None


def test_a_target_is_narrowed_within_its_own_time() -> None:
    whole = Target("web1", LocalConnection(), Deadline(10))
    narrow = whole.within(5)
    assert (narrow.host, narrow.connection) == (whole.host, whole.connection)
    assert narrow.deadline.remaining() <= 5 < whole.deadline.remaining()
    assert whole.within(60).deadline.remaining() <= 10


def test_a_wait_takes_its_time_and_no_more_than_there_is() -> None:
    waits: list[float | None] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return False

    target = Target("web1", LocalConnection(), Deadline(10), stopped=Impatient())
    target.pause(5)
    assert waits == [5]
    with pytest.raises(ModuleFailed, match="a wait of 60 s does not fit into the task's timeout"):
        target.pause(60)


def test_a_wait_ends_when_the_run_is_to_stop() -> None:
    stopped = threading.Event()
    target = Target("web1", LocalConnection(), Deadline(600), stopped=stopped)
    threading.Timer(0.02, stopped.set).start()
    with pytest.raises(ModuleFailed, match="interrupted"):
        target.pause(300)
