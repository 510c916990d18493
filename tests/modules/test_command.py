from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import Argv, ModuleFailed, Script
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import act, module, probe

if TYPE_CHECKING:
    from pathlib import Path


def test_a_program_is_run_with_its_arguments_as_they_are() -> None:
    nasty = ["a b", "$HOME", "`id`", "*", "'", '"', "", "-n", "é", "x;y"]
    outcome = act("command", {"argv": ["printf", "%s|", *nasty]}, here())
    assert outcome.done["stdout"] == "|".join(nasty) + "|"
    assert outcome.done["rc"] == 0
    assert outcome.done["seconds"] > 0


@pytest.mark.parametrize("args", ["printf '%s' 'a b'", {"argv": "printf '%s' 'a b'"}])
def test_a_line_is_split_as_a_shell_would(args: Any) -> None:
    normal = args if isinstance(args, dict) else {"argv": args}
    assert act("command", normal, here()).done["stdout"] == "a b"


def test_what_will_be_run_is_shown_before() -> None:
    outcome = act("command", {"argv": ["echo", "a b"], "chdir": "/"}, here())
    assert outcome.change is not None
    assert outcome.change.summary == "run echo 'a b'"
    assert outcome.change.after == {"argv": ["echo", "a b"], "chdir": "/"}
    assert not outcome.change.reversible


def test_looking_runs_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    subject = module("command", {"argv": ["touch", str(trace)]})
    subject.decide(subject.observe(here()))  # type: ignore[attr-defined]
    assert not trace.exists()


def test_another_exit_status_is_a_failure_with_the_last_words() -> None:
    argv = ["sh", "-c", "echo out; echo first >&2; echo 'no such unit' >&2; exit 5"]
    with pytest.raises(ModuleFailed) as failed:
        act("command", {"argv": argv}, here())
    assert failed.value.message == "exit status 5: no such unit"
    assert failed.value.found["stdout"] == "out"
    assert failed.value.found["stderr"] == "first\nno such unit"
    assert failed.value.found["rc"] == 5


def test_a_signal_is_named() -> None:
    with pytest.raises(ModuleFailed, match="ended by SIGKILL"):
        act("command", {"argv": ["sh", "-c", "kill -KILL $$"]}, here())


def test_an_accepted_exit_status_is_a_success() -> None:
    args = {"argv": ["sh", "-c", "exit 5"], "ok_codes": [0, 5]}
    assert act("command", args, here()).done["rc"] == 5


def test_a_program_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(ModuleFailed, match="exit status 127"):
        act("command", {"argv": ["quell-no-such-program"]}, here())


def test_directory_variables_and_input_reach_it(tmp_path: Path) -> None:
    args = {
        "argv": ["sh", "-c", 'pwd; echo "$GREETING"; cat'],
        "chdir": str(tmp_path),
        "env": {"GREETING": "good $USER"},
        "stdin": "from stdin",
    }
    assert act("command", args, here()).done["stdout"] == f"{tmp_path}\ngood $USER\nfrom stdin"


@pytest.mark.parametrize(
    ("words", "exists", "runs"),
    [
        ("creates", True, False),
        ("creates", False, True),
        ("removes", True, True),
        ("removes", False, False),
    ],
)
def test_creates_and_removes_say_whether_to_run(
    words: str, exists: bool, runs: bool, tmp_path: Path
) -> None:
    path = tmp_path / "it's a $mark"
    if exists:
        path.touch()
    trace = tmp_path / "trace"
    outcome = act("command", {"argv": ["touch", str(trace)], words: str(path)}, here())
    assert trace.exists() is runs
    assert (outcome.change is not None) is runs
    assert outcome.seen[words] is exists


def test_creates_takes_patterns_relative_to_the_directory(tmp_path: Path) -> None:
    args = {"argv": ["touch", "trace"], "chdir": str(tmp_path), "creates": "*.pid"}
    assert act("command", args, here()).change is not None
    (tmp_path / "a b.pid").touch()
    assert act("command", args, here()).change is None


def test_a_dangling_link_exists(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    args = {"argv": ["false"], "creates": str(tmp_path / "link")}
    assert act("command", args, here()).change is None


def test_creates_is_data_for_the_shell(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    args = {"argv": ["true"], "creates": f"$(touch {trace}); touch {trace}"}
    act("command", args, here())
    assert not trace.exists()


def test_a_directory_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    args = {"argv": ["true"], "chdir": str(tmp_path / "no"), "creates": "x"}
    with pytest.raises(ModuleFailed, match="cannot look"):
        act("command", args, here())


def test_a_probe_runs_it_when_it_looks() -> None:
    outcome = probe("command", {"argv": ["printf", "one\\ntwo\\n"], "probe": True}, here())
    assert outcome.seen["stdout"] == "one\ntwo"
    assert outcome.finding is None
    assert outcome.summary == "one (+1 lines)"


def test_a_probes_exit_status_is_a_finding() -> None:
    outcome = probe("command", {"argv": "sh -c 'echo bad; exit 3'", "probe": True}, here())
    assert outcome.finding == "exit status 3: bad"
    assert outcome.seen["rc"] == 3


@pytest.mark.parametrize(
    ("answer", "summary"),
    [
        ((0, "", ""), "exit status 0, no output"),
        ((0, "up 3 days\n", ""), "up 3 days"),
        ((0, "a\nb\nc\n", ""), "a (+2 lines)"),
        ((0, "x" * 200, ""), "x" * 99 + "…"),
    ],
)
def test_a_probes_summary(answer: tuple[int, str, str], summary: str) -> None:
    host = target(FakeConnection([answer]))
    assert probe("command", {"argv": ["uptime"], "probe": True}, host).summary == summary


def test_it_is_sent_once_and_as_arguments() -> None:
    host = FakeConnection()
    act("command", {"argv": ["systemctl", "restart", "app"]}, target(host))
    assert host.commands == [Argv(("systemctl", "restart", "app"))]


def test_on_windows_cmd_looks_for_what_creates_names() -> None:
    for answer, changes in (("yes\r\nno\r\n", False), ("no\r\nno\r\n", True)):
        host = FakeConnection([(0, answer, "")], family="windows")
        outcome = act("command", {"argv": ["x"], "creates": "C:\\%TEMP%\\&calc"}, target(host))
        assert (outcome.change is not None) is changes
        looked = host.commands[0]
        assert isinstance(looked, Script)
        assert (looked.executable, looked.args) == ("cmd", ("C:\\%TEMP%\\&calc", ""))
        assert "calc" not in looked.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r"C:\Windows\System32\whoami.exe /all", (r"C:\Windows\System32\whoami.exe", "/all")),
        (r'"C:\Program Files\x.exe" a', (r"C:\Program Files\x.exe", "a")),
        (r'x "a \"b\" c" "d\\" e\f', ("x", 'a "b" c', "d\\", r"e\f")),
        (r"x \\server\share\ ", ("x", "\\\\server\\share\\")),
        ('x "" y', ("x", "", "y")),
        ('x a"b c"d', ("x", "ab cd")),
    ],
)
def test_on_windows_a_line_is_split_as_programs_do_there(line: str, words: tuple[str, ...]) -> None:
    host = FakeConnection(family="windows")
    outcome = act("command", {"argv": line}, target(host))
    assert host.commands == [Argv(words)]
    assert outcome.change is not None
    assert outcome.change.summary == f"run {line}"


@pytest.mark.parametrize("argv", ["", [], "  ", "'unbalanced"])
def test_no_program_is_refused(argv: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("command", {"argv": argv})
