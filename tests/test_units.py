from __future__ import annotations

import pytest

from engine.units import amount, count, cut, duration, figure, percent


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.0123, "12 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (245, "4 min 5 s"),
        (7800, "2 h 10 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_a_length_of_time(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (42.0, "42"), (-1234567.0, "-1234567"), (0.23101, "0.231"), (3.2e20, "3.2e+20")],
)
def test_a_figure(value: float, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (102_300, "99.9 KiB"),
        (102_400, "100 KiB"),
        (478 * 2**20, "478 MiB"),
        (2 * 2**30, "2.0 GiB"),
        (5000 * 2**40, "5000 TiB"),
    ],
)
def test_an_amount_of_memory(number: float, shown: str) -> None:
    assert amount(number) == shown


def test_per_cent() -> None:
    assert [percent(1, 3), percent(5, 5), percent(7, 0)] == [33.3, 100, 0]


def test_a_long_text_is_cut() -> None:
    assert [cut("abcd", 4), cut("abcde", 4)] == ["abcd", "abc…"]


def test_a_count() -> None:
    assert [count(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
    assert count(2, "process") == "2 processes"
