"""Commands: the same promises on the controller and over SSH."""

from __future__ import annotations

import os
import threading
import time

import pytest

from engine.connections.base import OUTPUT_HEAD, OUTPUT_TAIL, Argv, Connection, Script
from engine.errors import DeadlineExceeded, HostError
from tests.connections.helpers import eventually

NASTY = (
    "",
    " ",
    "two words",
    "it's",
    '"',
    "$(touch /tmp/quell-canary)",
    "`id`",
    "a;b&c|d",
    "\\",
    "\\\\",
    "trailing\\",
    "*",
    "~",
    "!x",
    "-n",
    "--",
    "new\nline",
    "\ttab",
    "ünï",
    "#no comment",
    "%s",
)


def test_a_program_gets_its_arguments_as_they_are(connection: Connection) -> None:
    finished = connection.run(Argv(("printf", "%s\\0", *NASTY)), timeout=10)
    assert finished.stdout.head.decode().split("\0") == [*NASTY, ""]
    assert finished.status == 0


def test_a_script_gets_its_arguments_as_they_are(connection: Connection) -> None:
    finished = connection.run(Script('printf "%s\\0" "$@"', NASTY), timeout=10)
    assert finished.stdout.head.decode().split("\0") == [*NASTY, ""]


def test_streams_and_status_are_kept_apart(connection: Connection) -> None:
    finished = connection.run(Script("echo out; echo err >&2; exit 7"), timeout=10)
    assert (finished.status, finished.stdout.text, finished.stderr.text) == (7, "out\n", "err\n")
    assert finished.seconds > 0


def test_stdin_is_given_and_closed(connection: Connection) -> None:
    data = os.urandom(300_000)
    assert connection.run(Argv(("cat",)), stdin=data, timeout=10).stdout.size == len(data)
    script = Script('read -r line; echo "first $line"; cat')
    finished = connection.run(script, stdin=b"one\ntwo\nthree", timeout=10)
    assert finished.stdout.text == "first one\ntwo\nthree"
    assert connection.run(Script("cat; echo end"), timeout=10).stdout.text == "end\n"


def test_a_command_need_not_read_its_stdin(connection: Connection) -> None:
    finished = connection.run(Argv(("sh", "-c", "exit 3")), stdin=bytes(10_000_000), timeout=20)
    assert finished.status == 3


def test_variables_and_directory_are_the_commands_own(connection: Connection) -> None:
    env = {"QUELL_A": "it's\n$HOME", "QUELL_B": ""}
    text = 'printf "%s|%s|" "$QUELL_A" "$QUELL_B"; pwd'
    for command in (
        Script(text, env=env, cwd="/usr/share"),
        Argv(("sh", "-c", text), env=env, cwd="/usr/share"),
    ):
        assert connection.run(command, timeout=10).stdout.text == "it's\n$HOME||/usr/share\n"
    assert connection.run(Script("pwd; cd; pwd"), timeout=10).stdout.text.count("\n") == 2
    home, same = connection.run(Script("pwd; cd; pwd"), timeout=10).stdout.text.split()
    assert home == same


def test_nothing_of_a_script_is_in_a_process_list(connection: Connection) -> None:
    script = Script(
        f'S=$1; T="tell""tale"; tr "\\0" " " </proc/$$/cmdline; cat /proc/{"$$"}/cmdline',
        ("hunter2",),
        {"PASSWORD": "hunter3"},
    )
    finished = connection.run(script, timeout=10)
    assert "sh" in finished.stdout.text
    for secret in ("telltale", "hunter2", "hunter3", "cmdline"):
        assert secret not in finished.stdout.text


def test_a_script_sees_no_variables_of_ours(connection: Connection) -> None:
    script = Script('echo "[$_c$_l$_m$_n$_t]"; set -u; echo "$0 $#"')
    for stdin in (b"", b"given"):
        said = connection.run(script, timeout=10, stdin=stdin).stdout.text
        assert said == "[]\n/bin/sh 0\n"


@pytest.mark.parametrize(("program", "status"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_started_ends_as_in_a_shell(
    connection: Connection, program: str, status: int
) -> None:
    finished = connection.run(Argv((program,)), timeout=10)
    assert finished.status == status
    assert program in finished.stderr.text


def test_a_signal_is_a_negative_status(connection: Connection) -> None:
    assert connection.run(Script("kill -KILL $$"), timeout=10).status == -9
    assert connection.run(Script("kill -TERM $$"), timeout=10).status == -15


def test_long_output_keeps_its_head_and_its_tail(connection: Connection) -> None:
    script = Script("printf start; head -c 20000000 /dev/zero; printf the-end")
    finished = connection.run(script, timeout=60)
    out = finished.stdout
    assert out.size == 20_000_012
    assert out.head.startswith(b"start\0")
    assert out.tail.endswith(b"\0the-end")
    assert (len(out.head), len(out.tail)) == (OUTPUT_HEAD, OUTPUT_TAIL)
    assert out.omitted == out.size - OUTPUT_HEAD - OUTPUT_TAIL
    assert f"… {out.omitted} bytes left out …" in out.text


def test_as_much_is_kept_as_is_asked_for(connection: Connection) -> None:
    script = Script("head -c 2000000 /dev/zero; echo end; head -c 600000 /dev/zero >&2")
    finished = connection.run(script, timeout=10, keep=2_000_003)
    assert finished.stdout.head == bytes(2_000_000) + b"end"
    assert (finished.stdout.tail, finished.stdout.omitted) == (b"", 1)
    assert finished.stderr.omitted == 600_000 - OUTPUT_HEAD - OUTPUT_TAIL
    assert connection.run(Script("echo all"), timeout=10, keep=2_000_000).stdout.text == "all\n"


def test_both_streams_are_drained_together(connection: Connection) -> None:
    script = Script(
        "for i in 1 2 3; do head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; done"
    )
    finished = connection.run(script, timeout=30)
    assert (finished.stdout.size, finished.stderr.size) == (9_000_000, 9_000_000)


def test_a_listener_hears_output_as_it_comes(connection: Connection) -> None:
    heard: list[tuple[str, bytes]] = []
    first = threading.Event()

    def listen(stream: str, data: bytes) -> None:
        heard.append((stream, data))
        first.set()

    script = Script('echo one; read -r _ <"$1"; echo two >&2', (_fifo(connection),))
    runner = threading.Thread(
        target=lambda: connection.run(script, timeout=20, listener=listen), daemon=True
    )
    runner.start()
    assert first.wait(10)
    assert heard == [("stdout", b"one\n")]
    connection.run(Script('echo go >"$1"; rm "$1"', script.args), timeout=10)
    runner.join(10)
    assert heard == [("stdout", b"one\n"), ("stderr", b"two\n")]


def _fifo(connection: Connection) -> str:
    made = connection.run(Script('f=$(mktemp -u) && mkfifo "$f" && echo "$f"'), timeout=10)
    return made.stdout.text.strip()


# These three wait for graces to pass, which is too long for the inner loop.
@pytest.mark.lab
def test_at_the_deadline_children_that_ignore_term_are_killed(connection: Connection) -> None:
    mark = f"{time.monotonic_ns() % 100_000 + 100_000}.5"
    script = Script('trap "" TERM; echo begun; sleep "$1" & sleep "$1"', (mark,))
    with pytest.raises(DeadlineExceeded, match=r"not done within 0\.5 s; it was ended") as caught:
        connection.run(script, timeout=0.5)
    assert caught.value.found["stdout"] == "begun\n"
    listed = Script('for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <"$f"; echo; done 2>/dev/null')
    assert eventually(lambda: f"sleep {mark}" not in connection.run(listed, timeout=10).stdout.text)


@pytest.mark.lab
def test_at_the_deadline_term_comes_first(connection: Connection) -> None:
    path = _fifo(connection)
    script = Script('trap "echo told >\\"$1\\"; exit" TERM; rm "$1"; sleep 60 & wait', (path,))
    with pytest.raises(DeadlineExceeded):
        connection.run(script, timeout=0.5)
    assert connection.get(path, 10, timeout=5) == b"told\n"


@pytest.mark.lab
def test_a_child_left_behind_does_not_hold_up_the_command(connection: Connection) -> None:
    started = time.monotonic()
    finished = connection.run(Script("sleep 30 & echo done; echo $!"), timeout=25)
    assert time.monotonic() - started < 20
    word, pid = finished.stdout.text.split()
    assert word == "done"
    connection.run(Argv(("kill", pid)), timeout=10)


def test_what_cannot_be_said_to_a_shell_is_refused(connection: Connection) -> None:
    with pytest.raises(HostError, match="NUL byte"):
        connection.run(Script("true", ("a\0b",)), timeout=5)
    with pytest.raises(HostError, match="not an environment variable's name: 'A B'"):
        connection.run(Script("true", env={"A B": "1"}), timeout=5)


def test_the_platform_is_what_the_host_says(connection: Connection) -> None:
    said = connection.run(Script("uname -m; id -un; id -u"), timeout=10).stdout.text.split()
    found = connection.platform
    assert (found.family, found.shell) == ("linux", "sh")
    assert [found.machine, found.user, str(found.uid)] == said
