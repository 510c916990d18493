"""Journals of older quells are brought up to date when they are opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from engine.errors import JournalError
from engine.journal import open_journal
from engine.journal.guards import Target
from engine.journal.sqlite.claim import Claim
from tests.journal.events import RUN, action, at, killed, resolved, started
from tests.journal.meddling import meddle

OLD = Path(__file__).with_name("old")
BROKEN_OFF = "20261124-0301-zzzz"
STORY = [started(BROKEN_OFF), *killed()[1:]]
DB1 = Target("db1", "backend", "appuser")


@pytest.fixture
def old(url: str) -> str:
    """A journal as the first version made it: `resolved` and `killed`."""
    if url.startswith("postgresql:"):
        with psycopg.connect(url) as server:
            server.execute((OLD / "postgres-1.sql").read_text())
    else:
        with closing(sqlite3.connect(url)) as database:
            database.executescript((OLD / "sqlite-1.sql").read_text())
    return url


def version(url: str) -> int:
    """Of the schema."""
    sql = "SELECT version FROM journal" if "://" in url else "PRAGMA user_version"
    [(found,)] = meddle(url, sql)
    return int(found)


def test_it_holds_what_it_held(old: str) -> None:
    with open_journal(old) as journal:
        assert [run.run for run in journal.runs()] == [BROKEN_OFF, RUN]
        assert journal.events(RUN) == resolved()
        assert journal.events(BROKEN_OFF) == STORY
    assert version(old) == 2


def test_its_actions_are_found(old: str) -> None:
    with open_journal(old) as journal:
        last, first = journal.history(DB1)

    assert (first.run, first.sent, first.ended, first.status) == (RUN, at(5), at(50.1), "changed")
    assert (last.run, last.sent, last.ended, last.status) == (BROKEN_OFF, at(5), None, "unknown")


def test_its_runs_go_on(old: str) -> None:
    with open_journal(old) as journal, journal.begin(BROKEN_OFF) as recorder:
        recorder.tell(action(90))
        assert recorder.lock([DB1]) == {}

        assert journal.events(BROKEN_OFF) == [*STORY, action(90)]
        assert journal.history(DB1, limit=1)[0].ended == at(90)


def test_it_is_brought_up_to_date_once(old: str) -> None:
    for _ in range(2):
        with open_journal(old) as journal:
            assert len(journal.history(DB1)) == 2


def test_a_damaged_run_does_not_stand_in_the_way_of_the_others(old: str) -> None:
    meddle(old, "UPDATE records SET event = 'nonsense' WHERE run = :run", run=RUN)

    with open_journal(old) as journal:
        assert journal.events(BROKEN_OFF) == STORY
        with pytest.raises(JournalError, match="record 1 is not what was written"):
            journal.events(RUN)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_not_while_an_older_quell_writes_to_it(old: str) -> None:
    claim = Claim(Path(f"{old}-runs", BROKEN_OFF), BROKEN_OFF)

    with pytest.raises(JournalError, match=f"which is still executing run {BROKEN_OFF}"):
        open_journal(old)
    assert version(old) == 1
    claim.close()
    open_journal(old).close()


@pytest.mark.lab
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_not_while_an_older_quell_writes_to_the_database(old: str) -> None:
    alive = "UPDATE claims SET released = false, seen = extract(epoch FROM now())"
    meddle(old, f"{alive} WHERE run = :run", run=BROKEN_OFF)

    with pytest.raises(JournalError, match=f"which is still executing run {BROKEN_OFF}"):
        open_journal(old)
    assert version(old) == 1
    meddle(old, "UPDATE claims SET seen = 0")
    open_journal(old).close()
    assert version(old) == 2


def test_what_fails_half_way_leaves_it_as_it_was(old: str) -> None:
    meddle(old, "CREATE TABLE holds (of_somebody_else text)")

    with pytest.raises(JournalError, match=r"holds.* already exists"):
        open_journal(old)
    assert version(old) == 1
    assert meddle(old, "SELECT count(*) FROM holds") == [(0,)]
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        meddle(old, "SELECT * FROM actions")
