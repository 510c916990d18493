"""The loop of a persistent shell, on each `sh` that is at hand; what it holds against on a real
host is in test_session.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from pathlib import Path
from subprocess import PIPE

import pytest

from engine.connections import loop
from engine.connections.base import Argv, Script
from engine.connections.ending import Leader
from tests.connections.helpers import eventually

pytestmark = pytest.mark.slow  # all of it together: each starts programs

MARKER = "m4rk"


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


def said(
    sh: Path, *commands: Argv | Script, extra: bytes = b"", sockets: bool = False
) -> tuple[list[str], str]:
    """What the loop says to commands one after the other: its stdout by lines, its stderr."""
    orders = [loop.order(command, f"=m{n}") for n, command in enumerate(commands)]
    while True:
        before = newest()
        pid, out, err = heard(sh, b"".join(orders) + extra, sockets=sockets)
        if newest() >= before:
            break
        # Process ids have begun anew, and a loop takes no risk then.
    marked, ready, *lines = out.decode().splitlines(keepends=True)
    assert marked == f"{MARKER} {pid}\n"
    assert ready.encode() == loop.READY
    assert err.decode().startswith(marked)
    return lines, err.decode().removeprefix(marked)


def newest() -> int:
    """The process id that the kernel gave last."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


def heard(sh: Path, orders: bytes, *, sockets: bool) -> tuple[int, bytes, bytes]:
    """The loop's process id, and all that it says."""
    (out_end, outs), (err_end, errs) = (_ends(sockets=sockets) for _ in range(2))
    with subprocess.Popen([sh, "-s", MARKER], stdin=PIPE, stdout=outs, stderr=errs) as process:
        os.close(outs)
        os.close(errs)
        assert process.stdin
        process.stdin.write(program(sh) + orders)
        process.stdin.close()
        process.wait(60)
    # Not up to their ends: what a command left behind may hold them open.
    out, err = os.read(out_end, 65536), os.read(err_end, 65536)
    os.close(out_end)
    os.close(err_end)
    return process.pid, out, err


def program(sh: Path) -> bytes:
    """What such a shell is given first."""
    return loop.PROGRAM.replace(b"/bin/sh", bytes(sh))


def _ends(*, sockets: bool) -> tuple[int, int]:
    """A stream's ends: where it is read, and where it is written."""
    if sockets:
        ours, theirs = socket.socketpair()
        return ours.detach(), theirs.detach()
    return os.pipe()


def ends(sh: Path, text: str, *, sockets: bool = False) -> loop.End:
    """How a script ended, as the loop tells it."""
    lines, _ = said(sh, Script(text), sockets=sockets)
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
@pytest.mark.parametrize("sockets", [False, True], ids=["pipes", "sockets"])
def test_a_process_that_can_still_write_is_found(sh: Path, text: str, sockets: bool) -> None:
    assert ends(sh, text, sockets=sockets).last


@pytest.mark.parametrize(
    "text", [f"setsid {LATE} >/dev/null 2>&1 & sleep 0.1", "sleep 0.01 & wait", "true"]
)
def test_what_cannot_write_any_more_is_not_counted(sh: Path, text: str) -> None:
    assert not ends(sh, text).last


def test_after_a_command_that_left_something_there_is_no_other(sh: Path) -> None:
    lines, _ = said(sh, Script(f"{LATE} &"), Argv(("echo", "next")))
    assert lines == ["=m0 0 end\n"]


def test_an_order_that_arrives_cut_off_is_not_run(sh: Path) -> None:
    order = loop.order(Script("echo a'b; echo c"), "=m1")
    for length in range(len(order) - 1):
        lines, _ = said(sh, Argv(("true",)), extra=order[:length])
        assert lines == ["=m0 0 \n"], order[:length]


def test_what_is_given_to_a_new_shell_is_not_for_others_to_see(sh: Path) -> None:
    text = "cat /proc/self/cmdline /proc/$$/cmdline /proc/$$/environ; : secret PID"
    lines, _ = said(sh, Script(text))
    assert f"\0{sh}\0-c\0" in lines[0]
    assert "secret" not in "".join(lines)


def test_a_long_text_is_run_whole(sh: Path) -> None:
    text = "cat <<end\n" + "line\n" * 40_000 + "end\necho $$"
    lines, _ = said(sh, Script(f"{{\n{text}\n}} | tail -n 2"))
    assert lines[0] == "line\n"


def test_where_proc_does_not_tell_the_shell_is_not_ready(sh: Path) -> None:
    text = program(sh).replace(b"/proc/loadavg", b"/proc/version")
    done = subprocess.run(
        [sh, "-s", MARKER],
        input=text + loop.order(Argv(("echo", "no")), "=m0"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.startswith(MARKER.encode())
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        Argv(("sleep", "61.875")),
        Script("sleep 61.875; :"),
        Script("sleep 61.875; : $$"),
    ],
    ids=["a program", "a text in a copy", "a text in a shell"],
)
def test_it_is_found_by_its_marker_and_its_command_is_ended(
    sh: Path, command: Argv | Script
) -> None:
    marker = secrets.token_hex(8)
    timer = Leader(None, loop=marker).timer(0, 0)

    def tell() -> str:
        argv = [str(sh), "-c", timer.text.replace("/bin/sh", str(sh)), "sh", *timer.args]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    assert tell() == ""  # there is none yet
    with subprocess.Popen(
        [sh, "-s", marker], stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    ) as process:
        assert process.stdin
        process.stdin.write(program(sh) + loop.order(command, "=m0"))
        process.stdin.flush()
        assert eventually(lambda: tell() != "")
        end = process.communicate(timeout=60)[0].splitlines()[-1]
    assert loop.end(end.removeprefix(b"=m0")).status == -15
    assert process.returncode >= 0  # no signal: it was left alone itself


@pytest.mark.parametrize(
    "text",
    [
        "echo $# $* $0 $-",
        "set | grep ^_q_",
        "newest; writes; session; leaves; type leaves",
        "break; echo after",
        "continue; echo after",
        "return 3; echo after",
        "set -e; false; echo after",
        "set -eu; echo $nothing; echo after",
        "exit_() { exit 4; }; exit_; echo after",
        "trap 'echo bye' EXIT; echo hello",
        "trap; umask; pwd; ulimit -n",
        "echo $! $OPTIND; jobs; wait; echo $?",
        "read line; echo $? $line",
        "echo out; echo err >&2; exec 4>&1 1>&2; echo moved; echo back >&4",
        "echo 'open",
        "nowhere and back",
        "true\nnowhere and back",
        "(exit 6); echo $?; exit $?",
        "f=$(echo a; echo b); echo \"$f\"; exec echo \"replaced\"",
        "cat <<end; true\n$HOME\nend\necho",
        "echo /proc/self/fd/*",
        "echo ${x:-unset} ${BASH_VERSION:+$(set -o | grep posix)}",
    ],
)  # fmt: skip
def test_a_text_finds_all_as_in_a_shell_of_its_own(sh: Path, text: str) -> None:
    anew = f"{text} # PID"  # which might be asked for, and would be another's
    assert said(sh, Script(text)) == said(sh, Script(anew))


def test_in_dash_a_text_needs_no_new_shell(sh: Path) -> None:
    hidden = Script('d="$"; eval "echo $d$d"')
    lines, _ = said(sh, hidden, hidden)
    assert (lines[0] == lines[2]) == (sh.resolve().name == "dash")


def test_who_asks_for_its_process_has_one(sh: Path) -> None:
    for name in ("$$", "${$}"):
        lines, _ = said(sh, Script(f"echo {name}; exec sh -c 'echo $$'"))
        assert lines[0] == lines[1]
