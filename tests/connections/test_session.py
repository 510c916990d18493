"""Persistent shells on a real sshd: nothing that a command does confuses the next one."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import OUTPUT_HEAD, OUTPUT_TAIL, Argv, Script
from engine.connections.credentials import Credentials
from engine.connections.handshake import connect
from engine.connections.links import Links
from engine.connections.pool import SHELLS
from engine.connections.ssh import SshConnection
from engine.errors import DeadlineExceeded, LinkLost
from tests.connections.helpers import Resources, settings_for
from tests.lab.delay import Delay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection, Finished
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

SHELL = Script("echo $PPID")
"""Says which shell runs it."""


@pytest.fixture
def opened(lab: Lab) -> Iterator[Callable[..., Connection]]:
    """Connections to the first host, with other variables."""
    made: list[Links] = []

    def open_(**changes: object) -> Connection:
        made.append(Links({"h1": settings_for(lab.h1, **changes)}))
        return made[-1].get("h1")

    yield open_
    for links in made:
        links.close()


def text(connection: Connection, command: Argv | Script, timeout: float = 20) -> str:
    return connection.run(command, timeout=timeout).stdout.text


def made_pipe(connection: Connection) -> str:
    return text(connection, Script("f=$(mktemp -u) && mkfifo $f && echo $f")).strip()


def assert_in_order(connection: Connection) -> None:
    """The next command has its own output and status, and nothing else."""
    finished = connection.run(Script("printf 'out '; printf 'err ' >&2; exit 3"), timeout=20)
    assert (finished.status, finished.stdout.text, finished.stderr.text) == (3, "out ", "err ")
    assert text(connection, Argv(("echo", "again"))) == "again\n"


def test_commands_share_a_shell(host: Connection) -> None:
    assert len({text(host, SHELL) for _ in range(5)}) == 1
    assert text(host, Argv(("sh", "-c", "echo $PPID"))) == text(host, SHELL)


@pytest.mark.parametrize(
    ("script", "status", "out"),
    [
        ("exit 5", 5, b""),
        ("exec sh -c 'exit 6'", 6, b""),
        ("exec >&- 2>&-; exit 7", 7, b""),
        ("exec <&-; exit 8", 8, b""),
        ("printf 'no newline'", 0, b"no newline"),
        (r"printf 'a\000b\377\376c\n\000'", 0, b"a\0b\xff\xfec\n\0"),
        ("echo =; printf =; printf '=0123456789abcdef0123456789abcdef 0 \\n'; exit 9", 9, None),
        ("echo +; exit 10", 10, b"+\n"),
        ("if", 2, b""),
        ("echo 'open", 2, b""),
        ("cat; read -r _; exit 11", 11, b""),
        ("kill -TERM 0; sleep 60", -15, b""),
        ("trap '' TERM; kill -TERM 0; exit 12", 12, b""),
        ("set -eux; cd /; umask 777; ulimit -n 3; false", 1, b""),
        ("exec no-such-program", 127, b""),
    ],
)
def test_no_command_confuses_the_next(
    host: Connection, script: str, status: int, out: bytes | None
) -> None:
    finished = host.run(Script(script), timeout=20)
    if script in {"if", "echo 'open"}:
        assert finished.status in {1, 2}  # of a syntax error; bash has another idea of it
    else:
        assert finished.status == status
    if out is not None:
        assert finished.stdout.head == out
    assert_in_order(host)


def test_a_long_output_is_bounded_and_leaves_nothing_behind(host: Connection) -> None:
    script = Script("head -c 20000000 /dev/zero; printf the-end; head -c 3000000 /dev/zero >&2")
    finished = host.run(script, timeout=60)
    out = finished.stdout
    assert (out.size, finished.stderr.size) == (20_000_007, 3_000_000)
    assert (len(out.head), len(out.tail)) == (OUTPUT_HEAD, OUTPUT_TAIL)
    assert out.tail.endswith(b"\0the-end")
    assert_in_order(host)


def test_what_a_command_prints_is_heard_while_it_runs(host: Connection) -> None:
    heard: list[bytes] = []
    first = threading.Event()

    def listen(_: str, data: bytes) -> None:
        heard.append(data)
        first.set()

    pipe = made_pipe(host)
    with ThreadPoolExecutor() as pool:
        script = Script('printf 1; read -r _ <"$1"; printf 2', (pipe,))
        running = pool.submit(host.run, script, timeout=20, listener=listen)
        assert first.wait(20)
        assert heard == [b"1"]
        host.run(Script('echo >"$1"; rm "$1"', (pipe,)), timeout=20)
        assert running.result(20).stdout.text == "12"


# ── the shell's own end ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "command",
    [Script("kill -9 $PPID; sleep 0.1"), Argv(("sh", "-c", "kill -9 $PPID")), Script("kill -9 0")],
)
def test_a_command_that_kills_its_shell_is_not_known_to_have_ended(
    host: Connection, command: Argv | Script
) -> None:
    with pytest.raises(LinkLost, match="its shell was ended under a command; whether it took eff"):
        host.run(command, timeout=20)
    assert_in_order(host)


def test_a_shell_that_was_killed_in_between_is_replaced(host: Connection, lab: Lab) -> None:
    shell = text(host, SHELL).strip()
    lab.h1.exec(["kill", "-KILL", shell], check=True)
    lab.h1.exec(["sh", "-c", f"while kill -0 {shell} 2>/dev/null; do sleep 0.01; done"], check=True)
    # What the server answers now it says after the word of that.
    host.run(Argv(("cat",)), stdin=b"x", timeout=20)
    assert text(host, SHELL).strip() != shell


# ── processes that are left behind ────────────────────────────────────────────────────────────

LATE = 'sleep 1.5; echo late; echo late >&2; : >"$0"'
POPEN = "import subprocess, sys; subprocess.Popen(['sh', '-c', *sys.argv[1:]]{})"
APART = ", start_new_session=True, stdin=subprocess.DEVNULL"


@pytest.mark.parametrize(
    "start",
    [
        'sh -c "$1" "$2" &',
        'setsid sh -c "$1" "$2" &',
        f'python3 -c "{POPEN.format("")}" "$1" "$2"',
        f'python3 -c "{POPEN.format(APART)}" "$1" "$2"',
    ],
)
def test_what_a_child_that_was_left_prints_is_never_anothers(host: Connection, start: str) -> None:
    pipe, shell = made_pipe(host), text(host, SHELL)
    assert host.run(Script(start, (LATE, pipe)), timeout=20).stdout.text == ""
    # This one runs while the child prints.
    finished = host.run(Script(': <"$1"; rm "$1"; echo $PPID', (pipe,)), timeout=20)
    assert (finished.stderr.text, finished.stdout.text.count("\n")) == ("", 1)
    assert finished.stdout.text != shell
    assert_in_order(host)


def test_a_daemon_that_lets_go_of_the_output_keeps_the_shell(host: Connection) -> None:
    shell = text(host, SHELL)
    script = Script("setsid sleep 60 >/dev/null 2>&1 </dev/null & sleep 0.1; echo $!")
    pid = text(host, script).strip()
    assert text(host, SHELL) == shell
    host.run(Argv(("kill", pid)), timeout=20)


# ── nothing leaks ─────────────────────────────────────────────────────────────────────────────

LEAKS = """
cd /usr/share; umask 077; ulimit -n 77; set -fu; trap 'echo trapped' EXIT INT; f() { :; }; v=1
export QUELL_LEAK=1 PATH=/nowhere; alias ls=rm; readonly w=2; set -- a b; exec 5</dev/null
"""
STATE = """
pwd; umask; ulimit -a; echo "$-"; trap; echo "$#$*"; alias; ls /proc/self/fd | wc -l
env | grep -v -e ^_= -e ^PPID=; set | grep -v -e ^_= -e PPID -e BASHPID -e ^PIPESTATUS
"""


def test_nothing_of_a_command_is_left_for_the_next(host: Connection) -> None:
    before, shell = text(host, Script(STATE)), text(host, SHELL)
    assert text(host, Script(LEAKS)) == "trapped\n"
    env = {"QUELL_LEAK": "2", "IFS": "x"}
    assert host.run(Argv(("true",), env=env, cwd="/usr"), timeout=20).status == 0
    assert text(host, Script(STATE)) == before
    assert text(host, Argv(("pwd",))) == before.partition("\n")[0] + "\n"
    assert text(host, SHELL) == shell


def test_the_mark_cannot_be_read_by_the_command(host: Connection) -> None:
    looks = (
        'set; env; for p in $$ $PPID; do for f in cmdline environ; do tr "\\0" "\\n" </proc/$p/$f;'
        "done; done"
    )
    found = set()
    for command in (Script(looks), Argv(("sh", "-c", looks))):
        said = text(host, command)
        assert "PATH=" in said
        found |= set(re.findall("[0-9a-f]{16}", said))
    [marker] = found  # the shell's own, which ends nothing
    lies = f"={marker} 0\n{marker} 1\n"
    done = host.run(Script('printf %s "$1"; printf %s "$1" >&2; exit 7', (lies,)), timeout=20)
    assert (done.status, done.stdout.text, done.stderr.text) == (7, lies, lies)
    assert_in_order(host)


# ── deadlines ─────────────────────────────────────────────────────────────────────────────────


def test_at_the_deadline_the_command_ends_and_others_go_on(host: Connection) -> None:
    pipe = made_pipe(host)
    with ThreadPoolExecutor() as pool:
        other = pool.submit(text, host, Script('cat "$1"; rm "$1"', (pipe,)))
        script = Script("trap '' TERM; echo begun; sleep 63.25 & sleep 63.25")
        with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s; it was ended") as caught:
            host.run(script, timeout=0.5)
        assert caught.value.found == {"stdout": "begun\n", "stderr": ""}
        host.run(Script('echo done >"$1"', (pipe,)), timeout=20)
        assert other.result(20) == "done\n"
    assert text(host, Script("ps | grep '[s]leep 63.25'; :")) == ""
    assert_in_order(host)


def test_a_deadline_in_the_middle_of_sending_is_one_too(host: Connection) -> None:
    with pytest.raises(DeadlineExceeded):
        host.run(Script(":" + " " * 30_000_000), timeout=0.5)
    assert_in_order(host)


# ── how many ──────────────────────────────────────────────────────────────────────────────────


def together(connection: Connection, lab: Lab, count: int) -> list[Future[Finished]]:
    """So many commands, none of which ends before all have begun."""
    lab.h1.exec(["sh", "-c", "rm -rf /srv/here; mkdir /srv/here"], check=True)
    script = Script(
        "echo $PPID; : >/srv/here/$$; n=0\n"
        'while set -- /srv/here/*; [ $# -lt "$COUNT" ]; do sleep 0.02; done',
        env={"COUNT": str(count)},
    )
    with ThreadPoolExecutor(count) as pool:
        return [pool.submit(connection.run, script, timeout=30) for _ in range(count)]


def test_commands_at_once_have_shells_of_their_own_up_to_a_bound(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    lab.h1.sshd(2234, {"MaxSessions": "10"})
    connection = opened(ansible_port=2234)
    shells = {one.result().stdout.text for one in together(connection, lab, SHELLS)}
    assert len(shells) == SHELLS
    with ThreadPoolExecutor(2 * SHELLS) as pool:
        again = set(pool.map(lambda _: text(connection, SHELL), range(2 * SHELLS)))
    assert again <= shells


def test_where_few_sessions_are_allowed_commands_take_turns(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    lab.h1.sshd(2235, {"MaxSessions": "2"})
    connection = opened(ansible_port=2235)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: text(connection, Script("sleep 0.1; echo x")), range(8)))
    assert said == ["x\n"] * 8


def test_a_shell_that_nobody_uses_makes_room(opened: Callable[..., Connection], lab: Lab) -> None:
    lab.h1.sshd(2236, {"MaxSessions": "1"})
    connection = opened(ansible_port=2236)
    for _ in range(3):
        assert text(connection, Argv(("echo", "x"))) == "x\n"
        assert connection.run(Argv(("cat",)), stdin=b"given", timeout=20).stdout.text == "given"


def test_without_proc_each_command_has_a_session_of_its_own(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    hidden = "exec unshare -m sh -c 'umount -l /proc; exec /bin/bash -c \"$SSH_ORIGINAL_COMMAND\"'"
    lab.h1.sshd(2237, {"ForceCommand": hidden})
    connection = opened(ansible_port=2237)
    assert connection.platform.family == "linux"
    assert_in_order(connection)
    server = lab.h1.exec(["cat", f"/proc/{text(connection, SHELL).strip()}/comm"]).stdout
    assert server == "sshd\n"


def test_a_shell_that_is_none_of_ours_is_asked_once_what_it_is(
    opened: Callable[..., Connection], lab: Lab
) -> None:
    answer = "printf x >>/srv/asked; echo QUELL1:Windows_NT:AMD64:x"
    lab.h1.sshd(2238, {"ForceCommand": answer})
    assert opened(ansible_port=2238).platform.family == "windows"
    assert lab.h1.exec(["cat", "/srv/asked"], check=True).stdout == "x"


# ── round trips ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def far(lab: Lab) -> Iterator[Delay]:
    """20 ms away."""
    with Delay(lab.h1.address, lab.h1.port, 0.02) as delay:
        lab.h1.known_at(f"[127.0.0.1]:{delay.port}")
        yield delay


def cost(delay: Delay, work: Callable[[], object]) -> int:
    """How many round trips it takes."""
    before = delay.round_trips
    work()
    return delay.round_trips - before


def test_a_command_costs_one_round_trip(far: Delay, opened: Callable[..., Connection]) -> None:
    connection = opened(ansible_host="127.0.0.1", ansible_port=far.port)
    text(connection, Argv(("true",)))
    assert [cost(far, lambda: text(connection, SHELL)) for _ in range(10)] == [1] * 10
    assert cost(far, lambda: connection.platform) == 1


def test_the_first_command_pays_nothing_for_its_shell(
    far: Delay, opened: Callable[..., Connection]
) -> None:
    def first(stdin: bytes) -> int:
        connection = opened(ansible_host="127.0.0.1", ansible_port=far.port)
        return cost(far, lambda: connection.run(Argv(("cat",)), stdin=stdin, timeout=20))

    # With stdin it has a session of its own, as each had before there were shells. A handshake's
    # messages meet in more or fewer bursts: of several, the one that met best is compared.
    assert min(first(b"") for _ in range(4)) <= min(first(b"x") for _ in range(4))


def test_the_platform_is_asked_for_through_the_first_shell(
    far: Delay, opened: Callable[..., Connection]
) -> None:
    connection = opened(ansible_host="127.0.0.1", ansible_port=far.port)
    assert connection.platform.family == "linux"
    assert cost(far, lambda: text(connection, Argv(("true",)))) == 1


# ── long counts ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.sweep
def test_3000_commands_leave_nothing_behind(lab: Lab) -> None:
    link = connect(settings_for(lab.h1), Credentials())
    connection = SshConnection(link, "root@h1")
    before = Resources(connection)
    with ThreadPoolExecutor(8) as pool:
        said = pool.map(lambda n: text(connection, Argv(("echo", str(n)))), range(3000))
        assert list(said) == [f"{n}\n" for n in range(3000)]
    assert connection.alive
    assert before.back()
    link.close()
