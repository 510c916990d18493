from __future__ import annotations

import getpass
import platform
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from engine.cli.cancel import command
from engine.cli.runs import command as runs
from engine.errors import InputError
from engine.journal import open_journal
from tests.journal.events import RUN, resolved, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.journal.base import Journal

ME = f"{getpass.getuser()} on {platform.node()}"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the journal that the environment names."""
    made = tmp_path / "journal.db"
    monkeypatch.setenv("QUELL_JOURNAL", str(made))
    return made


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with open_journal(str(path)) as opened:
        yield opened


def cancel(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_run_is_asked_to_stop(journal: Journal) -> None:
    with journal.begin(RUN) as recorder:
        recorder.tell(started())

        said = cancel("2026")

        assert [str(by) for by in recorder.heed().cancels] == [ME]
    assert said.exit_code == 0
    assert said.stderr == f"asked run {RUN} to stop; it has when it says so: quell show {RUN}\n"


def test_whose_hold_is_replaced_is_told(path: Path) -> None:
    cancel("--hold", "--reason", "moving the database")
    said = cancel("--hold", "--for", "5m").stderr.splitlines()
    assert said[1].startswith(f"instead of the hold by {ME} since ")
    assert said[1].endswith(": moving the database")
    assert path.exists()


def test_a_run_that_nobody_executes_is_not_asked(journal: Journal) -> None:
    with journal.begin(RUN) as recorder:
        for event in resolved():
            recorder.tell(event)

    with pytest.raises(InputError, match=f"run {RUN} is not running: nobody is executing it"):
        cancel("last")


def test_a_hold_and_its_end(journal: Journal) -> None:
    said = cancel("--hold", "--reason", "the \x1bdatabase is moved", "--for", "2h")

    hold = journal.hold()
    assert hold is not None
    assert hold.until is not None
    assert (hold.until - hold.since).total_seconds() == pytest.approx(7200)
    assert said.stderr.startswith(f"on hold by {ME} since ")
    assert said.stderr.splitlines()[0].endswith(": the \\edatabase is moved")
    assert CliRunner().invoke(runs, []).stderr.startswith(f"on hold by {ME} since ")

    lifted = cancel("--lift")
    assert journal.hold() is None
    assert lifted.stderr.startswith(f"lifted: the hold by {ME} since ")
    assert "on hold" not in CliRunner().invoke(runs, []).stderr
    assert cancel("--lift").stderr == "there was no hold\n"


def test_everything_at_once(journal: Journal) -> None:
    with journal.begin("a") as one, journal.begin("b") as two, journal.begin("c") as three:
        three.close()

        said = cancel("--all")

        assert [len(each.heed().cancels) for each in (one, two)] == [1, 1]
        hold = journal.hold()
        assert hold is not None
        assert hold.until is None
    assert said.stderr.endswith("asked 2 runs to stop\n")


def test_a_hold_may_come_before_any_run(path: Path) -> None:
    assert not path.exists()

    assert cancel("--hold").exit_code == 0

    with open_journal(str(path)) as journal:
        assert journal.hold() is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say one of: RUN, --all, --hold, --lift"),
        (["last", "--all"], "say one of"),
        (["--hold", "--lift"], "say one of"),
        (["last", "--reason", "x"], "--reason and --for are of a hold"),
        (["--lift", "--for", "2h"], "--reason and --for are of a hold"),
        (["--hold", "--for", "soon"], "'soon' is no length of time"),
        (["--hold", "--for", "0s"], "'0s' is over at once"),
    ],
)
def test_what_is_not_understood(path: Path, arguments: list[str], said: str) -> None:
    ended = cancel(*arguments)

    assert ended.exit_code == 2
    assert said in ended.output
    assert not path.exists()
