"""Damage to the SQLite file and what lies beside it: it is found, or it changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.errors import JournalError, QuellError
from engine.journal import open_journal
from engine.journal.guards import Target
from tests.journal.events import RUN, action, ended, intent, started
from tests.journal.harm import cuts, differs, flips

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event, Status

EVENTS: list[Event] = [started(), intent(5), action(6), ended()]
SWEEP = [pytest.mark.sweep, pytest.mark.timeout(3600)]


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A journal with two runs, open to whoever wants to damage it."""
    with open_journal(str(path)) as journal:
        for run in (RUN, "other"):
            with journal.begin(run) as recorder:
                for event in EVENTS:
                    recorder.tell(event)
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


def damage(path: Path) -> str:
    """What the journal says of the run."""
    with open_journal(str(path)) as journal, pytest.raises(JournalError) as found:
        journal.events(RUN)
    return str(found.value)


def test_a_record_that_became_text(path: Path, database: sqlite3.Connection) -> None:
    database.execute(
        "UPDATE records SET event = CAST(event AS TEXT) WHERE run = ? AND number = 2", (RUN,)
    )

    assert "record 2 is not what was written" in damage(path)


def test_a_backup_of_a_run_that_goes_on_is_sound(path: Path, tmp_path: Path) -> None:
    """As `docs/journal.md` says: the claims first, then the database by SQLite's own means."""
    backup = tmp_path / "backup"
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        recorder.tell(started())
        shutil.copytree(path.with_name("journal.db-runs"), backup / "journal.db-runs")
        recorder.tell(intent(5))
        with (
            closing(sqlite3.connect(path)) as source,
            closing(sqlite3.connect(backup / "journal.db")) as copy,
        ):
            source.backup(copy)
        recorder.tell(action(6))

    with open_journal(str(backup / "journal.db")) as restored:
        assert restored.events(RUN) == [started(), intent(5)]
        assert restored.missing(RUN) == 0


@pytest.mark.usefixtures("database")
def test_every_byte_of_a_claim(path: Path) -> None:
    claim = path.with_name("journal.db-runs") / RUN
    sound = claim.read_bytes()
    quiet = set()
    with open_journal(str(path)) as journal:
        for bad in (*flips(sound), *cuts(sound)):
            claim.write_bytes(bad)
            try:
                assert journal.events(RUN) == EVENTS
            except JournalError:
                continue
            if not journal.missing(RUN):
                quiet.add(bad)
    pid, *rest = sound.split()
    # Not noticed, and without harm: who wrote it, fewer records than there are, and no claim.
    assert {bad.split()[1:-1] == rest[:-1] for bad in quiet if bad} == {True}
    assert {len(bad) for bad in quiet} == {0, len(sound)}
    assert len(quiet) < len(pid) + 3


@pytest.mark.usefixtures("database")
def test_a_damaged_claim_stands_in_nobody_elses_way(path: Path) -> None:
    (path.with_name("journal.db-runs") / RUN).write_text("nonsense")

    assert "is damaged" in damage(path)
    with open_journal(str(path)) as journal:
        assert journal.events(journal.find("other"))
        assert [run.run for run in journal.runs()] == ["other", RUN]


def test_a_journal_without_its_claims_is_still_checked(
    path: Path, database: sqlite3.Connection
) -> None:
    shutil.rmtree(path.with_name("journal.db-runs"))

    with open_journal(str(path)) as journal:
        assert journal.events(RUN) == EVENTS
    database.execute("DELETE FROM records WHERE number = 4")
    assert "record 4 is missing" in damage(path)


@pytest.mark.parametrize(
    "step", [pytest.param(509, marks=pytest.mark.slow), pytest.param(1, marks=SWEEP)]
)
def test_flips_and_truncations_of_the_file(tmp_path: Path, path: Path, step: int) -> None:
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        for event in EVENTS:
            recorder.tell(event)

    assert silently_accepted(tmp_path, ["journal.db"], "journal.db", step) == []


@pytest.mark.parametrize(
    "step", [pytest.param(509, marks=pytest.mark.slow), pytest.param(1, marks=SWEEP)]
)
def test_flips_and_truncations_of_what_kill_9_leaves(tmp_path: Path, path: Path, step: int) -> None:
    left = tmp_path / "left"
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        for event in EVENTS[:-1]:
            recorder.tell(event)
        shutil.copytree(tmp_path, left)  # as the files are in the middle of a run

    files = ["journal.db", "journal.db-wal"]
    assert silently_accepted(left, files, "journal.db-wal", step) == []


def silently_accepted(directory: Path, files: list[str], victim: str, step: int) -> list[int]:
    """Where a file can be damaged so that a run reads otherwise, and nothing says so."""
    sound = {name: (directory / name).read_bytes() for name in files}
    truth = reading(directory)
    assert truth
    accepted = []
    for bad in (*flips(sound[victim], step), *cuts(sound[victim], step)):
        for name in files:
            (directory / name).write_bytes(sound[name])
        (directory / "journal.db-shm").unlink(missing_ok=True)
        (directory / victim).write_bytes(bad)
        if reading(directory) not in (truth, None):
            accepted.append(differs(bad, sound[victim]))
    return accepted


def reading(directory: Path) -> tuple[list[Event], list[tuple[str, Status]]] | None:
    """The run and its action as the journal tells it; None where it says what is wrong."""
    try:
        with open_journal(str(directory / "journal.db")) as journal:
            journal.runs()
            events = journal.events(journal.find(RUN))
            history = journal.history(Target("db1", "backend", "appuser"))
            sent = [(each.run, each.status) for each in history]
            return None if journal.missing(RUN) else (events, sent)
    except QuellError:
        return None
