"""Damage to what a database holds: it is found, or it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import JournalError
from engine.events import encode
from engine.journal import open_journal
from engine.journal.chain import Head, seal
from tests.journal.events import RUN, action, ended, intent, started
from tests.journal.harm import cuts, flips
from tests.journal.meddling import Meddler

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.events import Event

EVENTS: list[Event] = [started(), intent(5), action(6), ended()]


@pytest.fixture
def meddler(url: str) -> Iterator[Meddler]:
    """A journal with two runs, open to whoever wants to damage it."""
    with open_journal(url) as journal:
        for run in (RUN, "other"):
            with journal.begin(run) as recorder:
                for event in EVENTS:
                    recorder.tell(event)
    with Meddler(url) as opened:
        yield opened


def damage(url: str) -> str:
    """What the journal says of the run."""
    with open_journal(url) as journal, pytest.raises(JournalError) as found:
        journal.events(RUN)
    return str(found.value)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("column", ["event", "hash"])
def test_every_byte_of_a_record(url: str, meddler: Meddler, number: int, column: str) -> None:
    row = {"run": RUN, "number": number}
    where = "WHERE run = :run AND number = :number"
    select = f"SELECT {column} FROM records {where}"  # noqa: S608  # the test's own words
    update = f"UPDATE records SET {column} = :bad {where}"  # noqa: S608
    [(sound,)] = meddler(select, **row)
    said = set()
    with open_journal(url) as journal:
        for bad in (*flips(sound), *cuts(sound)):
            meddler(update, **row, bad=bad)
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
        ("UPDATE runs SET head = :zeros WHERE run = :run", "record 4 is not the last"),
        ("UPDATE records SET number = 0 WHERE run = :run AND number = 1", "record 1 is missing"),
        ("UPDATE records SET number = 7 WHERE run = :run AND number = 4", "record 4 is missing"),
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
        ("DROP TABLE records", "records"),
    ],
)
def test_records_removed_moved_and_exchanged(
    url: str, meddler: Meddler, edit: str, said: str
) -> None:
    given = {"run": RUN, "zeros": bytes(32)}
    meddler(edit, **{name: value for name, value in given.items() if f":{name}" in edit})

    assert said in damage(url)


def test_the_last_records_removed_with_the_head_set_back(url: str, meddler: Meddler) -> None:
    meddler("DELETE FROM records WHERE number > 2")
    meddler(
        "UPDATE runs SET count = 2, head = records.hash FROM records"
        " WHERE runs.run = records.run AND records.number = 2"
    )

    assert "record 3 is missing; 4 were written" in damage(url)


@pytest.mark.parametrize(
    ("number", "said"),
    [(2, "record 3 is not what was written"), (4, "record 4 is not what was written")],
)
def test_a_record_altered_and_sealed_anew(
    url: str, meddler: Meddler, number: int, said: str
) -> None:
    select = "SELECT hash FROM records WHERE run = :run AND number = :number"
    [(before,)] = meddler(select, run=RUN, number=number - 1)
    forged = encode(ended(outcome="nothing to see"))
    meddler(
        "UPDATE records SET event = :event, hash = :hash WHERE run = :run AND number = :number",
        event=forged,
        hash=seal(Head(number - 1, before), RUN, forged).hash,
        run=RUN,
        number=number,
    )

    assert said in damage(url)
