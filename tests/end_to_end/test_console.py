"""What people see: live on a terminal, plain elsewhere, the same in the end."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pexpect
import pytest

from tests.end_to_end.quell import LOCAL
from tests.end_to_end.terminal import shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell

pytestmark = pytest.mark.lab


def book(directory: Path, script: str = "echo first; echo second") -> Path:
    """A probe, a finding, a severity, an action, and a long look."""
    tasks = {
        "investigate": [
            {"name": "Look", "shell": {"probe": True, "script": script}},
            {"name": "Find", "shell": {"probe": True, "script": "exit 3"}},
        ],
        "severity": [{"level": "P4", "because": "it is a test"}],
        "mitigate": [{"name": "Change", "shell": "true"}],
        "resolve": [
            {
                "name": "Quiet",
                "hold": "300ms",
                "every": "100ms",
                "shell": {"probe": True, "script": "echo quiet"},
            }
        ],
    }
    path = directory / "book.yml"
    path.write_text(json.dumps({"name": "Console", "hosts": "app", **tasks}))
    return path


def on_terminal(quell: Quell, *arguments: str | Path, columns: int = 160, **env: str) -> str:
    """All that was sent to the terminal."""
    child = quell.at_terminal("run", *arguments, "-i", LOCAL, columns=columns, **env)
    child.expect(pexpect.EOF)
    sent = child.before
    child.close()
    assert child.exitstatus == 0, sent
    assert isinstance(sent, str)
    return sent


def without_times(lines: list[str]) -> list[str]:
    """The lines without run ids, times, and the words on long looks, which live ones move."""
    text = "\n".join(line for line in lines if not line.startswith("  … "))
    text = re.sub(r"run \d{8}-\d{4}-\w{4}|quell show \S+", "RUN", text)
    text = re.sub(r" +[0-9.]+ m?s$", "", text, flags=re.MULTILINE)
    return re.sub(r" in [0-9.]+ m?s ", " in TIME ", text).strip().splitlines()


def test_the_screen_ends_with_the_lines_that_a_log_has(quell: Quell, tmp_path: Path) -> None:
    path = book(tmp_path)
    sent = on_terminal(quell, path, "--yes")
    plain = quell("run", path, "-i", LOCAL, "--yes")
    lines = without_times(plain.stderr.splitlines())
    assert without_times(shown(sent)) == lines
    assert lines[0] == "Console · RUN · 1 host"
    assert "  ✓ Look                           localhost  first (+1 lines)" in lines
    assert "  ! Find                           localhost  exit status 3, no output" in lines[4]
    assert lines[-1] == "RESOLVED in TIME · RUN"
    assert "\x1b" not in plain.stderr
    assert plain.stdout == ""


def test_what_is_under_way_moves_on_a_terminal(quell: Quell, tmp_path: Path) -> None:
    sent = on_terminal(quell, book(tmp_path, "sleep 1"), "--yes")
    assert re.search(r"  … Look .*localhost", sent)
    assert "  … " not in "\n".join(shown(sent))


@pytest.mark.parametrize("columns", [20, 400])
def test_no_width_loses_a_word(quell: Quell, tmp_path: Path, columns: int) -> None:
    sent = on_terminal(quell, book(tmp_path), "--check", columns=columns)
    assert "first (+1 lines)" in sent
    assert "1 change would be made; nothing was changed" in sent


def test_no_color_is_honoured(quell: Quell, tmp_path: Path) -> None:
    assert "\x1b[1m" in on_terminal(quell, book(tmp_path), "--check")
    plain = on_terminal(quell, book(tmp_path), "--check", NO_COLOR="1")
    assert re.findall(r"\x1b\[[0-9;]*m", plain) == []


def test_a_dumb_terminal_gets_plain_lines(quell: Quell, tmp_path: Path) -> None:
    sent = on_terminal(quell, book(tmp_path), "--check", TERM="dumb")
    assert "\x1b" not in sent
    assert "CHECKED in" in sent


def test_no_terminal_obeys_what_a_host_says(quell: Quell, tmp_path: Path) -> None:
    path = book(tmp_path, r"printf '\033]0;owned\007\033[2J\342\200\256gpj'")
    sent = on_terminal(quell, path, "--check", "-vvv")
    plain = quell("run", path, "-i", LOCAL, "--check", "-vvv").stderr
    for text in (sent, plain):
        assert r"\e]0;owned\u0007\e[2J\u202egpj" in text
        assert not set("\x07\u202e") & set(text)
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text
