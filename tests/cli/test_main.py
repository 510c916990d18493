"""The `quell` command itself: its subcommands, and what becomes of errors."""

from __future__ import annotations

import gc
import subprocess
import sys

import click
import pytest

from engine import __version__
from engine.cli import main as subject
from engine.errors import (
    ApprovalNeeded,
    GuardRefused,
    InputError,
    Interrupted,
    JournalError,
    Unreachable,
)

HEAVY = ("docker", "httpx", "jinja2", "jsonschema", "paramiko", "psycopg", "rich", "yaml")


def code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        subject.main(list(arguments))
    return ended.value.code


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("--version") == 0
    assert capsys.readouterr().out == f"quell {__version__}\n"


def test_the_version_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom engine.cli.main import main\n"
        "try: main(['--version'])\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def test_a_command_looks_for_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    # A run may go on for hours; starting up and leaving are not worth the search.
    found: list[bool] = []

    @click.command()
    def command() -> None:
        found.append(gc.isenabled())

    monkeypatch.setattr("engine.cli.runs.command", command)
    assert code("runs") == 0
    assert code("--version") == 0
    assert (found, gc.isenabled()) == ([True], True)


def test_every_command_is_listed_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("--help") == 0
    listed = capsys.readouterr().out
    for name in subject.cli.list_commands(click.Context(subject.cli)):
        assert f"\n  {name} " in listed
        assert code(name, "--help") == 0
        assert capsys.readouterr().out.startswith(f"Usage: quell {name} ")


def test_a_misspelled_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("rnu") == 1
    assert 'no command "rnu" — did you mean "run"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InputError("wrong"), 1),
        (JournalError("wrong"), 2),
        (ApprovalNeeded("wrong"), 3),
        (Unreachable("wrong"), 4),
        (GuardRefused("wrong"), 5),
        (Interrupted("wrong"), 99),
    ],
)
def test_an_error_is_a_message_and_a_code(
    error: Exception,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(subject.cli, "main", fails)
    assert code("run") == expected
    assert capsys.readouterr().err == "wrong\n"


def test_our_bug_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(**_: object) -> None:
        raise ValueError("\x1b[2Jnever expected")

    monkeypatch.setattr(subject.cli, "main", breaks)
    assert code("run") == 250
    said = capsys.readouterr().err
    assert r"ValueError: \e[2Jnever expected" in said
    assert said.endswith("This is a bug in quell: please report it with the lines above.\n")


@pytest.mark.slow
def test_a_reader_that_has_left_is_no_failure() -> None:
    script = "from engine.cli.main import main; main(['modules'])"
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -c "{script}" | head -n 1 >/dev/null; echo "$?"'],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
