"""At its deadline a command is ended with all that it began, wherever that has gone."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import OUTPUT_HEAD, OUTPUT_TAIL, Argv, Script
from engine.connections.links import Links
from engine.errors import DeadlineExceeded
from tests.connections.helpers import eventually, settings_for
from tests.lab import sshd

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Connection
    from tests.lab.lab import Host, Lab

# Graces have to pass, which is too long for the inner loop even without a link.
pytestmark = pytest.mark.lab

STAYS = {
    "plainly": 'sleep "$1"',
    "with children that ignore TERM": 'trap \'\' TERM; sleep "$1" & sleep "$1"',
    "in a session of its own": 'setsid sleep "$1"; :',
    "in the background, in a session of its own": 'setsid sleep "$1" & wait',
    "in a session of its own, ignoring TERM": "setsid sh -c \"trap '' TERM; sleep $1; :\" & wait",
    "as a child of nobody": '(setsid sleep "$1" &); sleep "$1"',
    "stopped": 'kill -STOP $$; sleep "$1"',
    "with its group stopped": 'sleep "$1" & kill -STOP 0; wait',
    "with its group stopped, ignoring TERM": "trap '' TERM; kill -STOP 0; sleep \"$1\"",
}
"""How a command may overstay, for so many seconds."""


@pytest.fixture
def mark() -> str:
    """A number of seconds that no other process sleeps for."""
    return f"{100_000 + secrets.randbelow(900_000)}.125"


def sleepers(connection: Connection, mark: str) -> str:
    """The pids of those that sleep for so long."""
    script = Script('ps -eo pid=,args= | while read -r p c s; do [ "$s" != "$1" ] || echo $p; done')
    return connection.run(Script(script.text, (mark,)), timeout=20).stdout.text


def overstay(connection: Connection, stdin: bytes, mark: str) -> dict[str, str]:
    """Run all of these, some at a time, and say how each ended."""

    def run(script: str) -> str:
        try:
            connection.run(Script(script, (mark,)), stdin=stdin, timeout=0.5)
        except DeadlineExceeded as error:
            return error.message
        return "it ended in time"

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(STAYS, pool.map(run, STAYS.values()), strict=True))


def assert_nothing_stays(connection: Connection, stdin: bytes, mark: str) -> None:
    ended = "not done within 0.5 s; it was ended"
    assert overstay(connection, stdin, mark) == dict.fromkeys(STAYS, ended)
    assert sleepers(connection, mark) == ""
    assert connection.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"


@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["in a shell", "in a session"])
def test_nothing_of_it_stays_on_a_host(host: Connection, stdin: bytes, mark: str) -> None:
    assert_nothing_stays(host, stdin, mark)


def test_a_script_is_ended_before_what_it_waits_for(host: Connection, mark: str) -> None:
    path = f"/tmp/waits-{mark}"  # noqa: S108 - on the host
    # As text, the pid of what it waits for comes before its own, with many others in between.
    text = 'echo 9998 >/proc/sys/kernel/ns_last_pid; sh -c "$3" sh "$1" "$2"; :'
    others = 'i=0; while [ $i -lt 200 ]; do sleep "$2" & i=$((i+1)); done'
    waits = f'echo $$ >"$1"; ({others}; wait) & sleep "$2"; echo later >>"$1"'
    with pytest.raises(DeadlineExceeded):
        host.run(Script(text, (path, mark, waits)), timeout=2)
    assert host.run(Argv(("cat", path)), timeout=20).stdout.text == "9999\n"


def test_nothing_of_it_stays_here(local: Connection, mark: str) -> None:
    assert_nothing_stays(local, b"", mark)


def test_a_daemon_that_let_go_is_no_longer_the_commands(connection: Connection, mark: str) -> None:
    script = '(setsid sleep "$1" >/dev/null 2>&1 </dev/null &); sleep 60'
    with pytest.raises(DeadlineExceeded, match="it was ended"):
        connection.run(Script(script, (mark,)), timeout=0.5)
    [daemon] = sleepers(connection, mark).split()
    assert connection.run(Argv(("kill", daemon)), timeout=20).status == 0


def test_what_an_earlier_command_left_running_is_left_alone(host: Connection, mark: str) -> None:
    script = Script('sleep "$1" >/dev/null 2>&1 </dev/null & sleep 0.1; echo $PPID', (mark,))
    shell = host.run(script, timeout=20).stdout.text
    assert host.run(Script("echo $PPID"), timeout=20).stdout.text == shell
    with pytest.raises(DeadlineExceeded, match="it was ended"):
        host.run(Argv(("sleep", "60")), timeout=0.5)
    [server] = sleepers(host, mark).split()
    assert host.run(Argv(("kill", server)), timeout=20).status == 0


def test_others_that_write_to_the_same_file_are_left_alone(
    connection: Connection, mark: str
) -> None:
    script = 'mkfifo "$1"; exec 3<>"$1"; sleep "$2" >&3 2>&1 </dev/null & echo $!'
    fifo = connection.run(Argv(("mktemp", "-u")), timeout=20).stdout.text.strip()
    assert connection.run(Script(script, (fifo, mark)), timeout=20).status == 0
    with pytest.raises(DeadlineExceeded, match="it was ended"):
        connection.run(Script('exec >"$1" 2>&1; sleep 60', (fifo,)), timeout=0.5)
    [other] = sleepers(connection, mark).split()
    connection.run(Script('kill "$1"; rm "$2"', (other, fifo)), timeout=20)


def test_one_that_fills_the_pipe_is_ended_like_any_other(connection: Connection, mark: str) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 1 s; it was ended") as caught:
        connection.run(Argv(("yes", mark)), timeout=1)
    said = str(caught.value.found["stdout"])
    assert said.startswith(f"{mark}\n")
    assert " bytes left out …" in said
    assert len(said) < OUTPUT_HEAD + OUTPUT_TAIL + 100
    assert connection.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"


def test_one_that_reads_nothing_is_ended_like_any_other(connection: Connection, mark: str) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s; it was ended"):
        connection.run(Argv(("sleep", mark)), stdin=bytes(20_000_000), timeout=0.5)
    assert sleepers(connection, mark) == ""


@pytest.fixture
def raised(lab: Lab) -> Callable[[str], None]:
    """Makes a program on the first host that anybody may run as root."""

    def make(path: str) -> None:
        lab.h1.exec(["cp", "/bin/bash", path], check=True)
        lab.h1.exec(["chmod", "4755", path], check=True)

    return make


def test_one_that_cannot_be_ended_is_not_called_ended(
    lab: Lab, raised: Callable[[str], None], mark: str
) -> None:
    raised("/srv/as-root")
    links = Links({"h1": settings_for(lab.h1, ansible_user=sshd.USER)})
    connection = links.get("h1")
    assert connection.platform.user == sshd.USER
    become = "exec setpriv --reuid=0 --regid=0 --clear-groups sleep $0"
    try:
        with pytest.raises(DeadlineExceeded, match="whether it has ended is not known"):
            connection.run(Argv(("/srv/as-root", "-p", "-c", become, mark)), timeout=0.5)
    finally:
        links.close()
    end(lab.h1, sleepers_in(lab.h1, mark))


def sleepers_in(host: Host, mark: str) -> list[str]:
    return host.exec(["pgrep", "-f", f"^sleep {mark}$"]).stdout.split()


def end(host: Host, pids: list[str]) -> None:
    assert pids
    host.exec(["kill", *pids], check=True)
    assert eventually(lambda: not any(host.exec(["kill", "-0", p]).returncode == 0 for p in pids))
