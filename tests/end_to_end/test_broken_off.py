"""kill -9 of the controller between an intent and its result: at most once, whatever comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import Marks, eventually
from tests.end_to_end.quell import finish, intents, results

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab
MODULES = Path(__file__).with_name("modules")


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def book(tmp_path: Path, marks: Marks) -> Path:
    """One look, and then one action that waits as long as a file is there: `before`, `after`."""
    path = tmp_path / "slow.yml"
    path.write_text(f"""\
name: Slow
hosts: app
investigate:
  - {{name: Look, shell: {{probe: true, script: 'echo look >>"$1"', args: [{marks.path}.looks]}}}}
mitigate:
  - name: Mark
    leave_mark: {{path: {marks.path}, before: {tmp_path}/before, after: {tmp_path}/after}}
""")
    return path


def looks(marks: Marks, host: Host) -> int:
    return len(host.exec(["cat", f"{marks.path}.looks"], check=True).stdout.splitlines())


def break_off(quell: Quell, *arguments: str | Path, once: Callable[[], object]) -> str:
    """Run until that holds, then kill -9; the run's id."""
    process = quell.start("run", *arguments, "--yes", "-M", MODULES)
    eventually(once)
    process.kill()
    assert process.wait() == -9
    return quell.run_id()


def test_it_is_told_that_the_outcome_is_unknown(
    quell: Quell, inventory: Path, lab: Lab, book: Path, marks: Marks
) -> None:
    book.with_name("after").touch()
    run = break_off(quell, book, "-i", inventory, once=lambda: marks.on(lab.h1))
    listed = quell("runs")
    assert f"{run}  " in listed.stdout
    assert "broken off" in listed.stdout
    assert listed.stderr == f"broken off: go on with quell resume {run}\n"
    shown = quell("show", run)
    assert shown.code == 0
    assert "BROKEN OFF  no end was recorded" in shown.stdout
    assert "UNKNOWN  Mark (mitigate.1) on h1, sent at " in shown.stdout


def test_what_took_effect_is_not_sent_again(
    quell: Quell, inventory: Path, lab: Lab, book: Path, marks: Marks
) -> None:
    book.with_name("after").touch()
    run = break_off(quell, book, "-i", inventory, once=lambda: marks.on(lab.h1))
    ended = quell("resume", run)
    assert ended.code == 0, ended.stderr
    assert marks.on(lab.h1) == ["marked"]
    assert looks(marks, lab.h1) == 1
    [result] = results(quell.events(), "Mark")
    assert (result.status, result.message) == ("changed", "had taken effect: seen on resume")
    assert len(intents(quell.events())) == 1


def test_what_did_not_take_effect_is_asked_for_again(
    quell: Quell, inventory: Path, lab: Lab, book: Path, marks: Marks
) -> None:
    hold = book.with_name("before")
    hold.touch()
    break_off(quell, book, "-i", inventory, once=lambda: intents(quell.events()))
    hold.unlink()

    waits = quell("resume")
    assert waits.code == 3, waits.stderr
    assert marks.on(lab.h1) == []
    done = quell("resume", "--yes")
    assert done.code == 0, done.stderr
    assert marks.on(lab.h1) == ["marked"]
    assert looks(marks, lab.h1) == 1


def test_what_nothing_can_tell_is_never_sent_again_without_a_person(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "marked")
    # The first time it stays; the second time it ends at once.
    waits = f"args: [{marks.path}]}}}}"
    script = 'echo marked >>"$1"; test -e "$1.again" || { touch "$1.again"; sleep 600; }'
    book.write_text(
        book.read_text().replace(f"'echo marked >>\"$1\"', {waits}", f"'{script}', {waits}")
    )
    break_off(
        quell, book, "-i", inventory, "--limit", "h1", once=lambda: "marked" in marks.on(lab.h1)
    )

    waits_for_a_person = quell("resume", "--yes")
    assert waits_for_a_person.code == 3, waits_for_a_person.stderr
    assert marks.on(lab.h1) == ["look", "marked"]

    child = quell.at_terminal("resume", "--yes")
    child.expect(r"Apply this change on h1\? \[y\]es \[n\]o \[s\]tep › ")
    assert marks.on(lab.h1) == ["look", "marked"]
    child.sendline("y")
    assert finish(child)[0] == 0
    assert marks.on(lab.h1) == ["look", "marked", "marked"]


def test_a_run_that_goes_on_is_not_resumed_by_another_process(
    quell: Quell, inventory: Path, lab: Lab, book: Path, marks: Marks
) -> None:
    book.with_name("after").touch()
    process = quell.start("run", book, "-i", inventory, "--yes", "-M", MODULES)
    eventually(lambda: marks.on(lab.h1))
    run = quell.run_id()
    ended = quell("resume", run, "--yes")
    assert (ended.code, ended.stderr) == (
        5,
        f"run {run} is not over: process {process.pid} is executing it\n",
    )
    assert marks.on(lab.h1) == ["marked"]
    assert process.poll() is None


def test_a_link_that_dies_under_an_action_leaves_its_outcome_unknown(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "marked")
    own_server = (
        "pid=$$; until grep -q ^sshd /proc/$pid/comm; do"
        ' pid=$(cut -d" " -f4 /proc/$pid/stat); done; kill -9 "$pid"'
    )
    task = {
        "name": "Cuts its link",
        "shell": {"script": f'echo marked >>"$1"; {own_server}', "args": [marks.path]},
    }
    book.write_text(book.read_text().split("mitigate:")[0] + f"mitigate: [{json.dumps(task)}]\n")
    ended = quell("run", book, "-i", inventory, "--limit", "h1", "--yes")
    assert ended.code == 2
    [result] = results(quell.events(), "Cuts its link")
    assert result.status == "unknown"
    assert "the SSH connection broke under a command" in result.message
    assert result.message.endswith("; whether it took effect is not known")
    assert "? Cuts its link" in ended.stderr
    assert quell("resume", "--yes").code == 3
    assert marks.on(lab.h1) == ["look", "marked"]
