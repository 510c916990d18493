"""Nothing is changed without a yes: at the terminal, host by host, and where there is nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.events import ApprovalAnswered
from tests.end_to_end.hosts import Marks
from tests.end_to_end.quell import finish, intents

if TYPE_CHECKING:
    from pathlib import Path

    import pexpect

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
PROMPT = r"Apply these 4 changes on h1, h2\? \[y\]es \[n\]o \[s\]tep \[h\]ost by host › "
ONE = r"Apply this change on h1\? \[y\]es \[n\]o \[s\]tep › "
UNTOUCHED = ["look"]


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def asked(quell: Quell, inventory: Path, marks: Marks, tmp_path: Path) -> pexpect.spawn[str]:
    """A run of two actions on two hosts, at its prompt."""
    child = quell.at_terminal("run", marks.playbook(tmp_path, "first", "second"), "-i", inventory)
    child.expect(PROMPT)
    return child


def test_yes_applies_all_that_was_shown(
    asked: pexpect.spawn[str], marks: Marks, quell: Quell, lab: Lab
) -> None:
    assert all(marks.on(host) == UNTOUCHED for host in lab.hosts)
    asked.sendline("y")
    code, said = finish(asked)
    assert code == 0
    assert "approved: 4 changes" in said
    assert all(marks.on(host) == ["look", "first", "second"] for host in lab.hosts)
    [answer] = [event for event in quell.events() if isinstance(event, ApprovalAnswered)]
    assert (answer.how, len(answer.approved), answer.refused) == ("terminal", 4, [])


def test_no_changes_nothing(
    asked: pexpect.spawn[str], marks: Marks, quell: Quell, lab: Lab
) -> None:
    asked.sendline("n")
    code, said = finish(asked)
    assert code == 3
    assert "WAITING FOR APPROVAL" in said
    last = f"nothing was approved; nothing was changed. Go on with: quell resume {quell.run_id()}"
    assert f"{last} --yes" in said
    assert all(marks.on(host) == UNTOUCHED for host in lab.hosts)


def test_another_answer_is_asked_for_again(
    asked: pexpect.spawn[str], marks: Marks, lab: Lab
) -> None:
    for answer in ("", "perhaps", "\x00"):
        asked.sendline(answer)
        asked.expect(PROMPT)
    asked.sendline("N")
    assert finish(asked)[0] == 3
    assert all(marks.on(host) == UNTOUCHED for host in lab.hosts)


def test_step_asks_for_each_change(
    asked: pexpect.spawn[str], marks: Marks, quell: Quell, lab: Lab
) -> None:
    asked.sendline("s")
    for change, answer in (
        (r"first on h1: run echo first >>\"\$1\" with \S+", "y"),
        (r"first on h2: .*", "n"),
        (r"second on h1: .*", "n"),
        (r"second on h2: .*", "y"),
    ):
        asked.expect(rf"  {change}\? \[y\]es \[n\]o › ")
        asked.sendline(answer)
    assert finish(asked)[0] == 0
    assert marks.on(lab.h1) == ["look", "first"]
    assert marks.on(lab.h2) == ["look", "second"]
    assert {(intent.name, intent.host) for intent in intents(quell.events())} == {
        ("first", "h1"),
        ("second", "h2"),
    }


def test_host_by_host_changes_the_approved_host_only(
    asked: pexpect.spawn[str], marks: Marks, lab: Lab
) -> None:
    asked.sendline("h")
    asked.expect(r"  h1: 2 changes\? \[y\]es \[n\]o › ")
    asked.sendline("n")
    asked.expect(r"  h2: 2 changes\? \[y\]es \[n\]o › ")
    asked.sendline("y")
    assert finish(asked)[0] == 0
    assert marks.on(lab.h1) == UNTOUCHED
    assert marks.on(lab.h2) == ["look", "first", "second"]


def test_the_end_of_input_is_no_yes(asked: pexpect.spawn[str], marks: Marks, lab: Lab) -> None:
    asked.sendeof()
    code, said = finish(asked)
    assert code == 3
    assert "4 changes wait for a yes on h1, h2; nothing was changed" in said
    assert all(marks.on(host) == UNTOUCHED for host in lab.hosts)


def test_ctrl_c_at_the_prompt_stops_the_run(
    asked: pexpect.spawn[str], marks: Marks, quell: Quell, lab: Lab
) -> None:
    asked.sendintr()
    code, said = finish(asked)
    assert code == 99
    assert "INTERRUPTED in" in said
    assert f"stopped by SIGINT; go on with: quell resume {quell.run_id()}" in said
    assert all(marks.on(host) == UNTOUCHED for host in lab.hosts)
    assert (quell.ended().outcome, quell.ended().exit_code) == ("interrupted", 99)


def test_without_a_terminal_the_run_waits_and_goes_on_later(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    waits = quell("run", book, "-i", inventory, "--limit", "h1", stdin="y\ny\n")
    assert waits.code == 3
    assert marks.on(lab.h1) == UNTOUCHED
    run = quell.run_id()
    assert waits.stderr.endswith(
        "1 change waits for a yes on h1; nothing was changed. "
        f"Go on with: quell resume {run} --yes\n"
    )

    still = quell("resume", run)
    assert still.code == 3
    assert marks.on(lab.h1) == UNTOUCHED

    done = quell("resume", run, "--yes")
    assert done.code == 0, done.stderr
    assert marks.on(lab.h1) == ["look", "first"]
    assert marks.on(lab.h2) == []
    again = quell("resume", run, "--yes")
    assert (again.code, again.stderr) == (1, f"run {run} ended: done\n")


def test_a_run_that_waits_can_be_resumed_at_a_terminal(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    assert quell("run", book, "-i", inventory, "--limit", "h1").code == 3
    child = quell.at_terminal("resume")
    child.expect(ONE)
    child.sendline("y")
    assert finish(child)[0] == 0
    assert marks.on(lab.h1) == ["look", "first"]


def test_a_playbook_that_changed_is_not_resumed(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    assert quell("run", book, "-i", inventory, "--limit", "h1").code == 3
    marks.playbook(tmp_path, "second")
    ended = quell("resume", "--yes")
    assert ended.code == 1
    assert ended.stderr == (
        f"{book}: has changed since the run began — "
        "start a new run; or --changed-files goes on with them as they are now\n"
    )
    assert marks.on(lab.h1) == UNTOUCHED


def test_what_vouches_for_itself_is_not_asked_for(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    book.write_text(book.read_text().replace("{name: first,", "{name: first, approve: auto,"))
    assert quell("run", book, "-i", inventory, "--limit", "h1").code == 0
    assert marks.on(lab.h1) == ["look", "first"]


def test_some_changes_need_a_person_even_under_yes(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    book.write_text(book.read_text().replace("{name: first,", "{name: first, approve: always_ask,"))
    assert quell("run", book, "-i", inventory, "--limit", "h1", "--yes").code == 3
    assert marks.on(lab.h1) == UNTOUCHED


def test_what_failed_meanwhile_is_told_although_the_run_waits(
    quell: Quell, inventory: Path, marks: Marks, lab: Lab, tmp_path: Path
) -> None:
    book = marks.playbook(tmp_path, "first")
    # h2 has no such directory: that the file is missing there cannot be seen.
    lab.h1.exec(["mkdir", f"{marks.path}.d"], check=True)
    where = f", chdir: {marks.path}.d, creates: made}}}}"
    book.write_text(book.read_text().replace(f"args: [{marks.path}]}}}}", "args: [x]" + where))
    ended = quell("run", book, "-i", inventory)
    assert ended.code == 3
    assert "✗ first                          h2  cannot look for creates or removes" in ended.stderr
    assert ended.stderr.index("\nh1  ok=1") < ended.stderr.index("\nh2  ok=1")
