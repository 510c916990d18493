"""`quell demo` ends its incident, and leaves nothing behind but the journal, however it ends."""

from __future__ import annotations

import os
import re
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.end_to_end.quell import Ended, Quell

pytestmark = pytest.mark.lab


class Watched:
    """The demo with a mark in its environment, which all that it starts inherits."""

    def __init__(self, quell: Quell, directory: Path) -> None:
        self._quell = quell
        self._mark = uuid.uuid4().hex
        self._temporary = directory / "tmp"
        self._temporary.mkdir()
        self._variables = {"WATCHED": self._mark, "TMPDIR": str(self._temporary)}

    def start(self) -> subprocess.Popen[str]:
        return self._quell.start("demo", **self._variables)

    def run(self) -> Ended:
        return self._quell("demo", inside=None, stdin="", timeout=60, **self._variables)

    def processes(self) -> list[int]:
        """Those with the mark that have not ended."""
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._has_mark(entry)]

    def _has_mark(self, entry: Path) -> bool:
        try:
            return self._mark.encode() in (entry / "environ").read_bytes()
        except OSError:
            return False

    def files(self) -> set[str]:
        """What is in the home and in the directory for temporary files."""
        home = self._quell.home
        found = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
        return found | {path.name for path in self._temporary.iterdir()}


@pytest.fixture
def watched(quell: Quell, tmp_path: Path) -> Iterator[Watched]:
    demo = Watched(quell, tmp_path)
    yield demo
    for pid in demo.processes():
        os.kill(pid, signal.SIGKILL)


def only_the_journal(files: set[str]) -> bool:
    return all(name.startswith("state/quell/journal.db") for name in files)


def test_the_incident_is_found_ended_and_confirmed(quell: Quell, watched: Watched) -> None:
    ended = watched.run()
    assert ended.code == 0, ended.stderr
    assert re.search(
        r"Staged: a stale process \(pid \d+\) holds port \d+ and answers 503; "
        r"the service \(pid \d+\) cannot start: EADDRINUSE\n",
        ended.stderr,
    )
    assert "changed=1 unreachable=0 failed=0" in ended.stderr
    assert "\nRESOLVED in " in ended.stderr
    assert watched.processes() == []
    assert only_the_journal(watched.files()), watched.files()
    assert quell.ended().outcome == "resolved"


def until(process: subprocess.Popen[str], watched: Watched, moment: str) -> None:
    """Let it go on until its first process is there, or until it says a word."""
    if moment == "staging":
        eventually(lambda: len(watched.processes()) > 1)
        return
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(moment):
            return
    raise AssertionError(f"it ended without {moment}")


@pytest.mark.parametrize("moment", ["staging", "INVESTIGATE", "RESOLVE"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_when_it_is_stopped(
    watched: Watched, moment: str, number: signal.Signals
) -> None:
    process = watched.start()
    until(process, watched, moment)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (-9 if number == signal.SIGKILL else 99), said
    assert "Traceback" not in said
    eventually(lambda: watched.processes() == [])
    assert only_the_journal(watched.files()), watched.files()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_stopped_run_is_complete_in_the_journal(
    quell: Quell, watched: Watched, number: signal.Signals
) -> None:
    process = watched.start()
    until(process, watched, "RESOLVE")
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert f"stopped by {number.name}; go on with: quell resume {quell.run_id()}" in said
    assert (quell.ended().outcome, quell.ended().exit_code) == ("interrupted", 99)
