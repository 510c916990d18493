from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.contract import ModuleFailed, Script
from engine.registry import Registry
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import act, module, probe

if TYPE_CHECKING:
    from pathlib import Path

NASTY = ["$(touch trace)", "`touch trace`", "; touch trace", "'; touch trace '", "a\ntouch trace"]


def test_the_text_is_the_shells() -> None:
    script = "printf '%s\\n' b a | sort\ncat <<'END'\n$HOME\nEND\n"
    assert act("shell", {"script": script}, here()).done["stdout"] == "a\nb\n$HOME"


def test_a_bare_text_is_the_script() -> None:
    assert Registry()["shell"].normal("uptime") == {"script": "uptime"}


@pytest.mark.parametrize("value", NASTY)
def test_args_stay_values(value: str, tmp_path: Path) -> None:
    args = {"script": 'printf "%s" "$1"', "args": [value], "chdir": str(tmp_path)}
    assert act("shell", args, here()).done["stdout"] == value
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", NASTY)
def test_variables_stay_values(value: str, tmp_path: Path) -> None:
    args = {"script": 'printf "%s" "$IT"', "env": {"IT": value}, "chdir": str(tmp_path)}
    assert act("shell", args, here()).done["stdout"] == value
    assert list(tmp_path.iterdir()) == []


def test_its_input_is_stdin() -> None:
    assert act("shell", {"script": "wc -c", "stdin": "12345"}, here()).done["stdout"].strip() == "5"


def test_what_will_be_run_is_shown_before() -> None:
    args = {"script": "echo one\necho two\n", "args": ["x"]}
    outcome = act("shell", args, here())
    assert outcome.change is not None
    assert outcome.change.summary == "run echo one … (2 lines) with x"
    assert outcome.change.after == {"script": args["script"], "args": ["x"], "chdir": None}


def test_other_arguments_are_another_target() -> None:
    subjects = [module("shell", {"script": "kill $1", "args": [pid]}) for pid in ("1", "2")]
    one, two = (each.decide(each.observe(here())) for each in subjects)  # type: ignore[attr-defined]
    assert two.narrowed(one) is None


def test_a_failing_script_is_a_failure() -> None:
    with pytest.raises(ModuleFailed, match="exit status 4: gone"):
        act("shell", {"script": "echo gone >&2; exit 4"}, here())


def test_a_probe_finds_and_does_not_fail() -> None:
    args = {"script": "echo none; exit 1", "probe": True}
    assert probe("shell", args, here()).finding == "exit status 1: none"
    assert probe("shell", {**args, "ok_codes": [0, 1]}, here()).finding is None


def test_an_action_only_looks_at_creates(tmp_path: Path) -> None:
    args = {"script": "echo x >>mark", "chdir": str(tmp_path), "creates": "mark"}
    assert act("shell", args, here()).change is not None
    assert act("shell", args, here()).change is None
    assert (tmp_path / "mark").read_text() == "x\n"


def test_it_is_sent_once() -> None:
    host = FakeConnection()
    act("shell", {"script": "reboot"}, target(host))
    assert host.commands == [Script("reboot")]


def test_another_shell_can_read_it() -> None:
    script = 'printf "%s" "${1@Q}"; exit "${BASH_VERSINFO[0]}"'
    args = {"script": script, "args": ["it's"], "executable": "/bin/bash", "ok_codes": [5]}
    assert act("shell", args, here()).done["stdout"] == "'it'\\''s'"
    args = {"script": 'cat; echo "$1"', "args": ["x"], "executable": "bash", "stdin": "in "}
    assert act("shell", args, here()).done["stdout"] == "in x"


def test_a_shell_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(ModuleFailed, match="exit status 127"):
        act("shell", {"script": "x", "executable": "/bin/none"}, here())


@pytest.mark.parametrize("script", ["", " \n "])
def test_an_empty_script_is_refused(script: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="empty"):
        module("shell", {"script": script})
