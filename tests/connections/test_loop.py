"""The loop of a persistent shell, on each `sh` that is at hand; what it holds against on a real
host is in test_session.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from subprocess import PIPE

import pytest

from engine.connections import loop
from engine.connections.base import Argv, Script

pytestmark = pytest.mark.slow  # all of it together: each starts programs

KEY = "k3y"


@pytest.fixture(params=["dash", "bash", "busybox"])
def sh(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """It is called `sh`: bash has other habits under its own name."""
    link = tmp_path / "sh"
    for directory in os.get_exec_path():
        found = Path(directory, request.param)
        if found.exists():
            link.symlink_to(found)
            return link
    raise AssertionError(f"there is no {request.param} here")


def said(sh: Path, *commands: Argv | Script, extra: bytes = b"") -> tuple[list[str], str]:
    """What the loop says to commands one after the other: its stdout by lines, its stderr."""
    orders = [loop.order(command, KEY, f"=m{n}") for n, command in enumerate(commands)]
    with subprocess.Popen(
        [sh, "-c", loop.program(KEY), "sh"], stdin=PIPE, stdout=PIPE, stderr=PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"".join(orders) + extra)
        process.stdin.close()
        process.wait(60)
        # Not up to their ends: what a command left behind may hold them open.
        out, err = (os.read(pipe.fileno(), 65536) for pipe in (process.stdout, process.stderr))
    ready, *lines = out.decode().splitlines(keepends=True)
    assert ready.encode() == loop.READY
    return lines, err.decode()


def ends(sh: Path, text: str) -> loop.End:
    """How a script ended, as the loop tells it."""
    lines, _ = said(sh, Script(text))
    return loop.end(lines[-1].removeprefix("=m0").encode())


def test_each_command_ends_with_its_mark_on_both_streams(sh: Path) -> None:
    first = Script("echo out; echo err >&2; exit 7")
    lines, errors = said(sh, first, Argv(("echo", "two  words")), Argv(("printf", "no newline")))
    assert lines == ["out\n", "=m0 7 \n", "two  words\n", "=m1 0 \n", "no newline=m2 0 \n"]
    assert errors == "err\n=m0\n=m1\n=m2\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("exit 0", 0),
        ("exit 125", 125),
        ("exit 255", 255),
        ("exit 137", 137),
        ("exit 143", 143),
        ("kill -KILL $$", -9),
        ("kill -TERM $$", -15),
        ("kill -INT $$", -2),
        ("kill -PIPE $$", -13),
        ("ulimit -c 0; kill -SEGV $$", -11),
    ],
)
def test_a_signal_is_told_from_a_status(sh: Path, text: str, status: int) -> None:
    assert ends(sh, text) == loop.End(status, last=False)


LATE = "sleep 0.5"
PYTHON = "import subprocess; subprocess.Popen(['sleep', '0.5'], start_new_session=True)"


@pytest.mark.parametrize(
    "text",
    [
        f"{LATE} &",
        f"setsid {LATE} &",
        f"({LATE} & exec >&- 2>&-) &",
        f"{LATE} 2>/dev/null &",
        f"{LATE} >/dev/null &",
        f"{LATE} 8>&1 >/dev/null 2>&1 &",
        f'python3 -c "{PYTHON}"',
    ],
)
def test_a_process_that_can_still_write_is_found(sh: Path, text: str) -> None:
    assert ends(sh, text).last


@pytest.mark.parametrize(
    "text", [f"setsid {LATE} >/dev/null 2>&1 & sleep 0.1", "sleep 0.01 & wait", "true"]
)
def test_what_cannot_write_any_more_is_not_counted(sh: Path, text: str) -> None:
    assert not ends(sh, text).last


def test_after_a_command_that_left_something_there_is_no_other(sh: Path) -> None:
    lines, _ = said(sh, Script(f"{LATE} &"), Argv(("echo", "next")))
    assert lines == ["=m0 0 end\n"]


def test_what_does_not_begin_with_the_key_is_no_command(sh: Path) -> None:
    lines, _ = said(sh, Argv(("true",)), extra=b"key =m1 argv\n1\necho no\n")
    assert lines == ["=m0 0 \n"]


def test_where_proc_does_not_tell_the_shell_is_not_ready(sh: Path) -> None:
    text = loop.program(KEY).replace("/proc/loadavg", "/proc/version")
    done = subprocess.run(
        [sh, "-c", text, "sh"],
        input=loop.order(Argv(("echo", "no")), KEY, "=m0"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == b""
