"""kill -9 of real runs at random points: no acknowledged record is lost, no action is repeated."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from engine.cli.jsonl import json_line
from engine.events import PROGRESS, RunEnded, RunStarted
from engine.journal import open_journal
from tests.end_to_end.cutting import BLIND, CAREFUL, PLAIN, Cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event
    from tests.end_to_end.cutting import Book
    from tests.lab.team import TeamServer

KILLS = int(os.environ.get("KILLS", "1000"))
"""Of all tests together."""

_IN_A_ROW = 4
"""Kills of one run at most; then it is let go on to its end."""

pytestmark = [pytest.mark.crash, pytest.mark.timeout(7200)]
_PROGRESS = {kind.__struct_config__.tag for kind in PROGRESS}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.lab)])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a journal for all runs of a test."""
    if request.param == "sqlite":
        yield str(tmp_path / "journal.db")
        return
    server: TeamServer = request.getfixturevalue("team_server")
    with server.database() as url:
        yield url


class Story:
    """One run, killed again and again.

    Args:
        cut: how it is run.
        length: seconds that it takes when nobody kills it.
    """

    def __init__(self, cut: Cut, length: float) -> None:
        self.cut = cut
        self.kills = 0
        self._length = length
        self._begun = False
        self._acknowledged: list[str] = []

    def see_through(self) -> int:
        """Kill it a few times, and let it go on to its end; how that ended."""
        code = self._kill_some()
        if code == -9:
            code = self.cut.end(self.cut.begin(anew=not self._begun))
            self._see_what_it_said()
        return code

    def _kill_some(self) -> int:
        """Let it go on, and kill it at a random time, a few times; -9 unless it came to an end."""
        for _ in range(random.randint(1, _IN_A_ROW)):  # noqa: S311
            process = self.cut.begin(anew=not self._begun)
            time.sleep(random.uniform(0, self._length))  # noqa: S311
            process.kill()
            code = self.cut.end(process)
            self._see_what_it_said()
            if code >= 0:
                return code
            self.kills += 1
            if (story := self.recorded()) and isinstance(story[-1], RunEnded):
                return story[-1].exit_code
        return -9

    def _see_what_it_said(self) -> None:
        """What it said is in its journal, in order; and no line is in the file twice."""
        said = [line for line in self.cut.said().splitlines(keepends=True) if line[:1] == "{"]
        # Of the last one it may have said half; and a process that was killed may have said none.
        events = [line.rstrip("\n") for line in said if line.endswith("\n")]
        self._acknowledged += [e for e in events if json.loads(e)["event"] not in _PROGRESS]
        recorded = iter([json_line(event) for event in self.recorded()])
        assert [line for line in self._acknowledged if line not in recorded] == []
        assert max(Counter(self.lines()).values(), default=1) == 1

    def recorded(self) -> list[Event]:
        """What the journal has of it, every record checked."""
        with open_journal(self.cut.journal) as journal:
            for last in journal.runs(1):
                events = journal.events(last.run)
                assert journal.missing(last.run) == 0
                assert isinstance(events[0], RunStarted)
                self._begun = events[0].path == str(self.cut.book)
                return events if self._begun else []
        return []

    def lines(self) -> list[str]:
        """What the actions did."""
        return self.cut.lines.read_text().splitlines()


def stories(tmp_path: Path, journal: str, share: float, book: Book) -> Iterator[Story]:
    """Runs that are killed, until so large a share of all kills was made."""
    directory = tmp_path / "whole"
    directory.mkdir()
    whole = Cut(directory, journal, book)
    whole.warm_up()
    began = time.monotonic()
    assert whole.run() == book.code, whole.said()
    length = time.monotonic() - began
    kills = runs = 0
    while kills < KILLS * share:
        directory = tmp_path / str(runs)
        directory.mkdir()
        story = Story(Cut(directory, journal, book), length)
        yield story
        kills += story.kills
        runs += 1
    print(f"\n{kills} kills of {runs} runs of {length:.2f} s")  # noqa: T201  # for whoever notes it down


@pytest.mark.parametrize("book", [PLAIN, CAREFUL], ids=["plain", "careful"])
def test_a_run_comes_to_its_end_whatever_kills_it(tmp_path: Path, journal: str, book: Book) -> None:
    for story in stories(tmp_path, journal, 0.2, book):
        assert story.see_through() == book.code, story.cut.said()
        assert sorted(story.lines()) == sorted(book.lines)
        assert isinstance(story.recorded()[-1], RunEnded)


def test_what_nothing_can_tell_is_done_once_at_most(tmp_path: Path, journal: str) -> None:
    for story in stories(tmp_path, journal, 0.1, BLIND):
        code = story.see_through()
        # It ends, or it waits for somebody to say what became of an action.
        assert code in (0, 3), story.cut.said()
        assert code == 3 or sorted(story.lines()) == sorted(BLIND.lines)
