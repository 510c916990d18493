from __future__ import annotations

import pytest

from engine.contract import Struct
from engine.contract.tally import Tally, in_short, quoted


class Line(Struct, frozen=True):
    time: str | None
    text: str


def tally(
    *lines: str, patterns: dict[str, str] | None = None, exclude: str | None = None, keep: int = 20
) -> Tally[Line]:
    counted: Tally[Line] = Tally(patterns or {}, exclude, keep)
    for number, line in enumerate(lines):
        counted.add(Line(f"t{number}", line))
    return counted


def test_lines_that_match_are_counted_once() -> None:
    seen = tally("a", "ab", "b", "c", patterns={"one": "a", "two": "b"})
    assert (seen.looked, seen.all.count) == (4, 3)
    assert {name: hits.count for name, hits in seen.counts.items()} == {"one": 2, "two": 2}
    assert (seen.counts["two"].first, seen.counts["two"].last) == ("t1", "t2")
    assert (seen.all.first, seen.all.last) == ("t0", "t2")
    assert [line.text for line in seen.lines] == ["a", "ab", "b"]


def test_a_pattern_without_a_name_is_not_counted_apart() -> None:
    seen = tally("a", "b", patterns={"": "a"})
    assert (seen.all.count, seen.counts) == (1, {})


def test_what_is_excluded_counts_for_nothing() -> None:
    seen = tally("error a", "error b", "fine", patterns={"": "error"}, exclude="b$")
    assert (seen.looked, seen.all.count) == (3, 1)


def test_without_a_pattern_all_lines_count() -> None:
    assert tally("a", "b").all.count == 2
    assert tally().all.first is None


def test_lines_are_told_apart_but_for_their_numbers() -> None:
    seen = tally("took 12 ms", "took 3 ms", "lost", "took 1500 ms")
    assert [(kind.count, kind.text) for kind in seen.commonest] == [
        (3, "took 1500 ms"),
        (1, "lost"),
    ]


def test_what_is_kept_is_bounded() -> None:
    seen = tally(*["x" * 5000] * 30, keep=3)
    assert [len(line.text) for line in seen.lines] == [1000] * 3
    assert len(seen.commonest[0].text) == 1000
    letters = tally(
        *(f"{a}{b}{c}" for a in "abcdefghijklm" for b in "nopqrstuvwxyz" for c in "abcdefghijk")
    )
    assert (letters.all.count, len(letters.commonest)) == (13 * 13 * 11, 5)


@pytest.mark.parametrize(
    ("lines", "patterns", "summary"),
    [
        (("oom", "oom", "x"), {}, '"oom" × 2 …'),
        (("oom 1", "oom 2"), {}, '"oom 2" × 2'),
        (("a", "b", "b"), {"one": "a", "two": "b", "none": "c"}, "two × 2, one × 1"),
    ],
)
def test_in_short(lines: tuple[str, ...], patterns: dict[str, str], summary: str) -> None:
    seen = tally(*lines, patterns=patterns)
    assert in_short(seen.all.count, seen.counts, seen.commonest) == summary


def test_a_line_in_a_summary_is_cut() -> None:
    assert quoted("  short \n") == '"short"'
    assert quoted("x" * 200) == f'"{"x" * 99}…"'
