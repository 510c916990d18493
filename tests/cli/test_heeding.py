from __future__ import annotations

from queue import Queue
from typing import TYPE_CHECKING

import pytest

from engine.cli.heeding import Heeder
from engine.errors import GuardRefused, JournalError
from engine.journal import open_journal
from tests.journal.events import RUN, intent, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event
    from engine.journal.base import Journal, Recorder

_SECONDS = 20


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(str(tmp_path / "journal.db")) as opened:
        yield opened


@pytest.fixture
def recorder(journal: Journal) -> Iterator[Recorder]:
    with journal.begin(RUN) as begun:
        begun.tell(started())
        yield begun


@pytest.mark.slow
def test_each_request_stops_the_run_once(journal: Journal, recorder: Recorder) -> None:
    stops: Queue[str] = Queue()
    with Heeder(recorder).watching(stops.put, recorder.tell):
        journal.cancel(RUN)
        assert stops.get(timeout=_SECONDS).startswith("quell cancel (")
        journal.cancel(RUN)
        assert stops.get(timeout=_SECONDS).startswith("quell cancel (")

    assert stops.empty()


def test_an_action_that_is_refused_stops_the_run_at_once_and_once(
    journal: Journal, recorder: Recorder
) -> None:
    stops: Queue[str] = Queue()
    heeder = Heeder(recorder)
    with heeder.watching(stops.put, recorder.tell):
        journal.cancel(RUN)
        with pytest.raises(GuardRefused):
            heeder.tell(intent(5))
        assert stops.qsize() == 1

    assert stops.qsize() == 1


@pytest.mark.slow
def test_a_hold_is_told_when_it_begins(journal: Journal, recorder: Recorder) -> None:
    stops: Queue[str] = Queue()
    told: Queue[Event] = Queue()
    hold = journal.hold_all("moving")
    with Heeder(recorder).watching(stops.put, told.put):
        first = told.get(timeout=_SECONDS)
        again = journal.hold_all("still moving")
        second = told.get(timeout=_SECONDS)

    assert [event.guard for event in (first, second)] == ["hold", "hold"]  # type: ignore[union-attr]
    assert [event.message for event in (first, second)] == [  # type: ignore[union-attr]
        f"all actions are on hold by {hold}",
        f"all actions are on hold by {again}",
    ]
    assert told.empty()
    assert stops.empty()


def test_a_lost_journal_stops_the_run(recorder: Recorder) -> None:
    stops: Queue[str] = Queue()
    recorder.close()
    with pytest.raises(JournalError):
        recorder.heed()
    with Heeder(recorder).watching(stops.put, recorder.tell):
        assert stops.get(timeout=_SECONDS) == "the loss of the journal"

    assert stops.empty()
