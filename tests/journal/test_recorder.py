from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.errors import JournalError
from engine.events import ApprovalAnswered, PhaseEnded, RunResumed
from engine.journal.sqlite.claim import Claim
from engine.journal.sqlite.database import prepare
from engine.journal.sqlite.recorder import SqliteRecorder
from tests.journal.events import RUN, action, at, ended, intent, look, started, task

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event
    from engine.journal.base import Journal

NORMAL, FULL = 1, 2


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (started(), FULL),
        (RunResumed(at=at(1), user="ann", options={}), FULL),
        (ApprovalAnswered(by="ann", how="terminal", approved=[], refused=[]), FULL),
        (intent(1), FULL),
        (action(1), FULL),
        (action(1, status="unknown"), FULL),
        (ended(), FULL),
        (task(1), NORMAL),
        (look(5, holds=True), NORMAL),
        (PhaseEnded(at=at(1), phase="investigate", seconds=1), NORMAL),
    ],
)
def test_what_a_promise_hangs_on_waits_for_the_disk(path: Path, event: Event, level: int) -> None:
    prepare(path, path.with_name("claims"))
    claim = Claim(path.with_name("claims") / RUN, RUN)

    with SqliteRecorder(path, RUN, claim) as recorder:
        recorder.tell(started())
        recorder.tell(task(1))
        recorder.tell(event)

        (synchronous,) = recorder._database.execute("PRAGMA synchronous").fetchone()
        assert synchronous == level


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_record_that_is_refused_does_not_stand_in_the_way_of_the_next(
    path: Path, journal: Journal
) -> None:
    with journal.begin(RUN) as recorder, closing(sqlite3.connect(path)) as meddler:
        recorder.tell(started())
        with meddler:
            meddler.execute("INSERT INTO records VALUES (?, 2, x'00', x'00')", (RUN,))
        with pytest.raises(JournalError, match="UNIQUE"):
            recorder.tell(intent(1))
        with meddler:
            meddler.execute("DELETE FROM records WHERE number = 2")
        recorder.tell(ended())

    assert journal.events(RUN) == [started(), ended()]


@pytest.mark.lab
def test_a_full_disk_stops_the_next_action_and_loses_nothing(tmp_path: Path) -> None:
    fill = 'mount -t tmpfs -o size=512k none "$1" && exec "$2" -m tests.journal.filling "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", fill, "sh", str(tmp_path), sys.executable],
        capture_output=True,
        text=True,
        check=True,
    )

    told = json.loads(done.stdout)
    assert told["told"] > 20
    assert [("the disk is full" in error) for error in told["errors"]] == [True, True, True]
    assert told["held"]
    assert told["whole"]
