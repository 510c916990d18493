"""The question at the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.cli import approver
from engine.cli.approver import NobodyToAsk, TerminalApprover
from engine.cli.screen import PlainScreen
from engine.contract import Question
from engine.errors import Interrupted
from engine.execution.approval import Proposal
from engine.execution.checkpoints import Answer
from tests.execution.build import change, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.execution.orders import Key

FIRST: Key = ("mitigate.1", "h1", None)
SECOND: Key = ("mitigate.2", "h1", None)
OTHER: Key = ("mitigate.1", "h2", None)
ALL = [
    Proposal(key, "End it", "kill", key[1], change(), change().summary, "ask")
    for key in (FIRST, SECOND, OTHER)
]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is what the person types: a terminal gives it line by line."""
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield keyboard
    os.close(keyboard)


def answer(typed: int, text: str, proposals: list[Proposal] | None = None) -> set[Key] | None:
    os.write(typed, text.encode())
    said = TerminalApprover(PlainScreen(), lambda: False).ask(proposals or ALL)
    return None if said is None else set(said)


@pytest.mark.parametrize(
    ("text", "approved"),
    [
        ("y\n", {FIRST, SECOND, OTHER}),
        ("YES\n", {FIRST, SECOND, OTHER}),
        ("n\n", set()),
        ("\nwhat?\n y \n", {FIRST, SECOND, OTHER}),
    ],
)
def test_all_or_nothing(typed: int, text: str, approved: set[Key]) -> None:
    assert answer(typed, text) == approved


def test_the_question_names_changes_and_hosts(
    typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(typed, "n\n")
    answer(typed, "n\n", ALL[:1])
    assert capsys.readouterr().err == (
        "Apply these 3 changes on h1, h2? [y]es [n]o [s]tep [h]ost by host › "
        "Apply this change on h1? [y]es [n]o [s]tep › "
    )


def test_change_by_change(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(typed, "s\ny\nn\ny\n") == {FIRST, OTHER}
    assert "  End it on h2: python3 → ended? [y]es [n]o › " in capsys.readouterr().err


def test_host_by_host(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(typed, "h\nn\ny\n") == {OTHER}
    assert "  h1: 2 changes? [y]es [n]o ›   h2: 1 change? [y]es [n]o › " in capsys.readouterr().err


def test_nobody_answers(typed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approver, "PATIENCE", 0.3)
    assert answer(typed, "") is None


def test_the_end_of_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123  # devnull is no Path
        monkeypatch.setattr("sys.stdin", nothing)
        assert TerminalApprover(PlainScreen(), lambda: False).ask(ALL) is None


def test_an_interruption_is_no_answer(typed: int) -> None:
    os.write(typed, b"y\n")
    with pytest.raises(Interrupted):
        TerminalApprover(PlainScreen(), lambda: True).ask(ALL)


def test_what_a_host_said_is_not_obeyed(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    answer(
        typed,
        "s\nn\n",
        [
            Proposal(
                FIRST,
                "End \x1b[2J",
                "kill",
                FIRST[1],
                change(),
                change(name="a\x07\u202e").summary,
                "ask",
            )
        ],
    )
    assert r"End \e[2J on h1: a\u0007\u202e → ended?" in capsys.readouterr().err


def test_without_a_terminal_nobody_is_asked() -> None:
    assert NobodyToAsk().ask(ALL) is None
    assert NobodyToAsk().tick("Report", Question("write it")) is None


def test_each_task_is_asked_for_until_the_person_goes_on(
    typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = TerminalApprover(PlainScreen(), lambda: False)
    os.write(typed, b"y\nn\nc\n")
    steps = [asked.step(task(name), hosts) for name, hosts in (("a", 1), ("b", 2), ("c", 2))]
    assert [*steps, asked.step(task("d"), 3)] == [True, False, True, True]
    said = capsys.readouterr().err
    assert "Run b on 2 hosts? [y]es [n]o [c]ontinue › " in said
    assert "Run d" not in said


def test_nobody_who_answers_steps_no_further(monkeypatch: pytest.MonkeyPatch, typed: int) -> None:
    monkeypatch.setattr(approver, "PATIENCE", 0.25)
    del typed
    with pytest.raises(Interrupted, match="nobody answers at the prompt of --step"):
        TerminalApprover(PlainScreen(), lambda: False).step(task("a"), 1)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("d\nbob takes it\n", Answer(done=True, note="bob takes it")),
        ("what?\nDone\n  \n", Answer(done=True)),
        ("s\nnobody is free\n", Answer(done=False, note="nobody is free")),
    ],
)
def test_an_item_of_the_checklist(
    typed: int, capsys: pytest.CaptureFixture[str], text: str, answer: Answer
) -> None:
    os.write(typed, text.encode())
    asked = TerminalApprover(PlainScreen(), lambda: False)
    assert asked.tick("Assign \x1b[2J", Question("name one\x07", "lead")) == answer
    said = capsys.readouterr().err
    assert said.startswith(
        "  Assign \\e[2J (lead): name one\\u0007\n  [d]one [s]kip (stays open) › "
    )
    assert said.endswith("  note, if any › ")


def test_a_run_is_let_go_on(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(typed, b"d\ng\n\n")
    asked = TerminalApprover(PlainScreen(), lambda: False)
    assert asked.tick("Wait", Question("is it quiet?", wants="go on")) == Answer(done=True)
    assert capsys.readouterr().err.count("  [g]o on [s]kip (stays open) › ") == 2


def test_an_item_that_nobody_answers_for(typed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approver, "PATIENCE", 0.3)
    del typed
    asked = TerminalApprover(PlainScreen(), lambda: False)
    assert asked.tick("Assign", Question("name one")) is None


def test_ctrl_c_at_the_note_is_no_tick(typed: int) -> None:
    os.write(typed, b"d\nnote\n")
    pressed = iter([False, False, False, True])
    asked = TerminalApprover(PlainScreen(), lambda: next(pressed, True))
    with pytest.raises(Interrupted):
        asked.tick("Assign", Question("name one"))
