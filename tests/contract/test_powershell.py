from __future__ import annotations

import pytest

from engine.contract import ModuleFailed
from engine.contract.powershell import ask_powershell, powershell
from tests.modules.fakes import FakeConnection, target
from tests.modules.windows import script_of

NASTY = ["'", '"', "$(calc)", "`n", "%PATH%", "&calc&", "^", "\n", "ünï", "'); calc; ('"]


def test_values_are_never_part_of_the_text() -> None:
    command = powershell("$given.words", words=NASTY)
    text, given = script_of(command)
    assert given == {"words": NASTY}
    assert "calc" not in text
    assert all(character.isalnum() or character in "-.+/=" for character in "".join(command.args))


def test_more_than_a_command_line_holds_is_refused() -> None:
    with pytest.raises(ModuleFailed, match="too long for a Windows command line"):
        powershell("$given.words", words="x" * 3000)


def test_an_answer_is_what_was_asked_for() -> None:
    host = FakeConnection([(0, '{"a": 1}\r\n', "")], family="windows")
    assert ask_powershell(target(host), "x", dict[str, int]) == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "", "Access is denied.\r\n"), "PowerShell says: Access is denied."),
        ((1, "", ""), "PowerShell says: exit status 1"),
        ((0, "", ""), "PowerShell's answer is not as expected: Input data was truncated"),
        ((0, '{"a": "x"}', ""), "PowerShell's answer is not as expected: Expected `int`"),
        ((0, f'{{"{"x" * 1000}": 1}}', ""), "the host answers more than is kept"),
    ],
)
def test_what_is_no_answer_is_a_failure(answer: tuple[int, str, str], message: str) -> None:
    host = FakeConnection([answer], family="windows")
    with pytest.raises(ModuleFailed) as failed:
        ask_powershell(target(host), "x", dict[str, int], keep=1000)
    assert failed.value.message.startswith(message)
