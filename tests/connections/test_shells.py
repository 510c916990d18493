"""Commands as text for shells; what they do to arguments is tested on real hosts in test_run."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.connections import platform as platforms
from engine.connections import shells
from engine.connections.base import Argv, Script


@pytest.mark.slow
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50))
def test_a_quoted_word_stays_one_word(text: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {shells.quote(text)}"], capture_output=True, check=True
    )
    assert done.stdout.decode() == f"{text}\0"


def test_plain_words_are_left_plain() -> None:
    assert shells.program(Argv(("ls", "-l", "/var/log"))) == "exec ls -l /var/log"
    assert shells.program(Script("id", ("a b",))) == "set -- 'a b'\nid"


# fish and csh have quoting rules of their own; the login line must mean the same to each of them.
@pytest.mark.parametrize("shell", ["sh", "bash", "/bin/busybox sh"])
def test_any_login_shell_starts_the_reader(shell: str) -> None:
    words = shell.split()
    assert shutil.which(words[0])
    data = shells.on_stdin("set -- 'a b'\ncat\necho \"$1 $#\"", b"given\n", "m4rk")
    done = subprocess.run(
        [*words, "-c", shells.LOGIN_LINE], input=data, capture_output=True, check=True
    )
    marker, _, rest = done.stdout.partition(b"\n")
    assert marker.startswith(b"m4rk ")
    assert done.stderr == marker + b"\n"
    assert rest == b"given\na b 1\n"


@pytest.mark.parametrize("shell", ["sh", "bash", "/bin/busybox sh"])
def test_a_login_shell_that_is_asked_what_it_is_starts_the_reader_too(shell: str) -> None:
    line = platforms.asking(shells.LOGIN_LINE)
    data = shells.on_stdin("echo done", b"", "m4rk")
    done = subprocess.run([*shell.split(), "-c", line], input=data, capture_output=True, check=True)
    asked, marker, rest = done.stdout.split(b"\n", 2)
    assert asked.startswith(b"QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:%USERNAME%:")
    assert marker.startswith(b"m4rk ")
    assert rest == b"done\n"
    assert "$env" not in line  # tcsh would not begin such a line


@pytest.mark.parametrize("shell", ["sh", "bash", "/bin/busybox sh"])
def test_a_bare_shell_runs_what_is_on_its_stdin(shell: str) -> None:
    argv = [*shell.split(), "-c", platforms.asking(shells.bare("m4rk"))]
    done = subprocess.run(argv, input=b'echo "$0 $*"\n', capture_output=True, check=True)
    asked, rest = done.stdout.split(b"\n", 1)
    assert asked.startswith(b"QUELL1:")
    assert rest == b"/bin/sh m4rk\n"


def test_the_login_line_has_nothing_that_other_shells_read_otherwise() -> None:
    inside = shells.LOGIN_LINE.split("'")[1]
    assert shells.LOGIN_LINE.count("'") == 2
    assert not set(inside) & set("\\\n!`")


def test_a_program_that_arrives_cut_off_is_not_run() -> None:
    data = shells.on_stdin("echo one\necho two", b"")
    for length in range(len(data) - 1):
        done = subprocess.run(
            ["sh", "-c", shells.READER], input=data[:length], capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (125, b""), data[:length]
