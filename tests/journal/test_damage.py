"""Damage of every kind: it is found, or it changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.errors import JournalError, QuellError
from engine.events import encode
from engine.journal import open_journal
from engine.journal.chain import Head, seal
from tests.journal.events import RUN, action, ended, intent, started

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event

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


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("column", ["event", "hash"])
def test_every_byte_of_a_record(
    path: Path, database: sqlite3.Connection, number: int, column: str
) -> None:
    row = {"run": RUN, "number": number}
    where = "WHERE run = :run AND number = :number"
    select = f"SELECT {column} FROM records {where}"  # noqa: S608  # the test's own words
    update = f"UPDATE records SET {column} = :bad {where}"  # noqa: S608
    (sound,) = database.execute(select, row).fetchone()
    said = set()
    with open_journal(str(path)) as journal:
        for bad in (*flips(sound), *cuts(sound)):
            database.execute(update, {**row, "bad": bad})
            with pytest.raises(JournalError) as found:
                journal.events(RUN)
            said.add(str(found.value))
    assert said == {
        f"the journal is damaged: in run {RUN}, record {number} is not what was written"
    }


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("DELETE FROM records WHERE run = :run AND number = 1", "record 1 is missing"),
        ("DELETE FROM records WHERE run = :run AND number = 3", "record 3 is missing"),
        ("DELETE FROM records WHERE run = :run AND number = 4", "record 4 is missing; 4 were"),
        ("DELETE FROM records WHERE run = :run", "record 1 is missing; 4 were"),
        ("DELETE FROM runs WHERE run = :run", "record 4 is not the last"),
        ("UPDATE runs SET count = 5 WHERE run = :run", "record 5 is missing; 5 were"),
        ("UPDATE runs SET count = 3 WHERE run = :run", "record 4 is not the last"),
        ("UPDATE runs SET head = zeroblob(32) WHERE run = :run", "record 4 is not the last"),
        ("UPDATE records SET number = 0 WHERE run = :run AND number = 1", "record 1 is missing"),
        ("UPDATE records SET number = 7 WHERE run = :run AND number = 4", "record 4 is missing"),
        (
            "UPDATE records SET event = CAST(event AS TEXT) WHERE run = :run AND number = 2",
            "record 2 is not what was written",
        ),
        (
            "UPDATE records SET event = theirs.event, hash = theirs.hash FROM records AS theirs"
            " WHERE records.run = :run AND records.number = 2"
            " AND theirs.run = 'other' AND theirs.number = 2",
            "record 2 is not what was written",
        ),
        (
            "UPDATE records SET event = second.event, hash = second.hash FROM records AS second"
            " WHERE records.run = :run AND records.number = 3"
            " AND second.run = :run AND second.number = 2",
            "record 3 is not what was written",
        ),
        ("DROP TABLE records", "no such table"),
    ],
)
def test_records_removed_moved_and_exchanged(
    path: Path, database: sqlite3.Connection, edit: str, said: str
) -> None:
    database.execute(edit, {"run": RUN})

    assert said in damage(path)


def test_the_last_records_removed_with_the_head_set_back(
    path: Path, database: sqlite3.Connection
) -> None:
    database.execute("DELETE FROM records WHERE number > 2")
    database.execute(
        "UPDATE runs SET count = 2, head = records.hash FROM records"
        " WHERE runs.run = records.run AND records.number = 2"
    )

    assert "record 3 is missing; 4 were written" in damage(path)


@pytest.mark.parametrize(
    ("number", "said"),
    [(2, "record 3 is not what was written"), (4, "record 4 is not what was written")],
)
def test_a_record_altered_and_sealed_anew(
    path: Path, database: sqlite3.Connection, number: int, said: str
) -> None:
    select = "SELECT hash FROM records WHERE run = ? AND number = ?"
    (before,) = database.execute(select, (RUN, number - 1)).fetchone()
    forged = encode(ended(outcome="nothing to see"))
    database.execute(
        "UPDATE records SET event = ?, hash = ? WHERE run = ? AND number = ?",
        (forged, seal(Head(number - 1, before), RUN, forged).hash, RUN, number),
    )

    assert said in damage(path)


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


@pytest.mark.parametrize("step", [251, pytest.param(1, marks=SWEEP)])
def test_flips_and_truncations_of_the_file(tmp_path: Path, path: Path, step: int) -> None:
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        for event in EVENTS:
            recorder.tell(event)

    assert silently_accepted(tmp_path, ["journal.db"], "journal.db", step) == []


@pytest.mark.parametrize("step", [251, pytest.param(1, marks=SWEEP)])
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


def reading(directory: Path) -> list[Event] | None:
    """The run as the journal tells it; None where it says that something is wrong."""
    try:
        with open_journal(str(directory / "journal.db")) as journal:
            journal.runs()
            events = journal.events(journal.find(RUN))
            return None if journal.missing(RUN) else events
    except QuellError:
        return None


def flips(sound: bytes, step: int = 1) -> Iterator[bytes]:
    """The content with one bit of a byte flipped, byte after byte."""
    for offset in range(0, len(sound), step):
        flipped = bytearray(sound)
        flipped[offset] ^= 1 << offset % 8
        yield bytes(flipped)


def cuts(sound: bytes, step: int = 1) -> Iterator[bytes]:
    """The content cut short at every length."""
    for length in range(0, len(sound), step):
        yield sound[:length]


def differs(bad: bytes, sound: bytes) -> int:
    """The first offset at which they differ."""
    return next((n for n, (a, b) in enumerate(zip(bad, sound, strict=False)) if a != b), len(bad))
