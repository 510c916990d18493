"""Fills a small file system under a journal; run in a mount namespace of its own.

Says as JSON how it went: how many records were acknowledged before the disk was full, what the
error said, and what the journal holds once there is room again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import JournalError
from engine.journal import open_journal
from tests.journal.events import RUN, ended, intent, started, task

if TYPE_CHECKING:
    from engine.events import Event


def main(directory: Path) -> None:
    """Fill it, make room, end the run."""
    with open_journal(str(directory / "used.db")):
        pass  # it is opened once more when there is no room left
    ballast = directory / "ballast"
    ballast.write_bytes(bytes(64 * 1024))
    with open_journal(str(directory / "journal.db")) as journal:
        with journal.begin(RUN) as recorder:
            told: list[Event] = [started()]
            recorder.tell(told[0])
            errors = []
            try:
                while True:
                    event = task(len(told), summary="x" * 500)
                    recorder.tell(event)
                    told.append(event)
            except JournalError as error:
                errors.append(str(error))
            try:
                recorder.tell(intent(1000))
            except JournalError as error:
                errors.append(str(error))
            try:
                open_journal(str(directory / "used.db")).close()
            except JournalError as error:
                errors.append(str(error))
            held = journal.events(RUN) == told
            ballast.unlink()
            recorder.tell(ended())
        whole = journal.events(RUN) == [*told, ended()]
    sys.stdout.write(
        json.dumps({"told": len(told), "errors": errors, "held": held, "whole": whole})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
