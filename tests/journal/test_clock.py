from __future__ import annotations

import pytest

from engine.journal.clock import Moment, elapsed, moment

THEN = Moment(1000.0, "this start", 50.0)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (Moment(1010.0, "this start", 60.0), 10.0),
        (Moment(99_000.0, "this start", 60.0), 10.0),  # the wall clock was set forth
        (Moment(3.0, "this start", 60.0), 10.0),  # and back
        (Moment(1010.0, "another start", 2.0), 10.0),
        (Moment(1010.0), 10.0),  # a machine that has no such clock
        (Moment(3.0, "another start", 999.0), 0.0),
        (Moment(1000.0, "this start", 50.0), 0.0),
    ],
)
def test_no_clock_that_is_set_makes_the_time_longer(now: Moment, seconds: float) -> None:
    assert elapsed(THEN, now) == seconds


def test_without_a_start_of_the_machine_only_the_wall_clock_tells() -> None:
    assert elapsed(Moment(1000.0), Moment(1010.0, "", 99.0)) == 10.0


def test_now_is_after_before() -> None:
    before = moment()

    assert before.boot
    assert elapsed(before, moment()) >= 0
    assert moment(12.5).wall == 12.5
