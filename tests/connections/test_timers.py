"""A command ends by its deadline although its link did not last as long."""

from __future__ import annotations

import secrets
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Script
from engine.connections.ending import Leader
from engine.errors import DeadlineExceeded, LinkLost
from tests.connections.helpers import connected, eventually, settings_for
from tests.end_to_end.hosts import processes
from tests.lab.faults import black_hole, kill_sshd, sshd_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection, Finished
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PORT = 2272


@pytest.fixture
def host(lab: Lab) -> Iterator[Connection]:
    lab.h1.sshd(PORT)
    yield from connected(settings_for(lab.h1, ansible_port=PORT))
    kill_sshd(lab.h1, PORT)


@pytest.fixture
def mark() -> str:
    """A number of seconds that no other process sleeps for."""
    return f"{100_000 + secrets.randbelow(900_000)}.375"


def asleep(lab: Lab, mark: str) -> bool:
    return lab.h1.exec(["pgrep", "-f", f"^sleep {mark}$"]).returncode == 0


def begin(
    pool: ThreadPoolExecutor, connection: Connection, mark: str, stdin: bytes, timeout: float
) -> Future[Finished]:
    """A command of which it is known that it runs."""
    begun = threading.Event()
    script = Script("trap '' TERM; echo begun; sleep \"$1\"; :", (mark,))
    running = pool.submit(
        connection.run,
        script,
        stdin=stdin,
        timeout=timeout,
        listener=lambda *_: begun.set(),
    )
    assert begun.wait(20)
    return running


@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["in a shell", "in a session"])
def test_the_host_ends_it_when_its_link_has_died(
    host: Connection, lab: Lab, mark: str, stdin: bytes
) -> None:
    with ThreadPoolExecutor() as pool:
        running = begin(pool, host, mark, stdin, 4)
        assert eventually(lambda: asleep(lab, "1"))  # the host's timer
        lab.h1.exec(["kill", "-KILL", *sshd_sessions(lab.h1, PORT)], check=True)
        with pytest.raises(LinkLost):
            running.result(30)
    assert asleep(lab, mark)
    assert eventually(lambda: not asleep(lab, mark), 30)


def test_the_host_ends_it_when_nothing_gets_there(host: Connection, lab: Lab, mark: str) -> None:
    with ThreadPoolExecutor() as pool:
        running = begin(pool, host, mark, b"", 4)
        assert eventually(lambda: asleep(lab, "1"))
        with black_hole(lab.h1, PORT):
            with pytest.raises(DeadlineExceeded, match="whether it has ended is not known"):
                running.result(30)
            assert eventually(lambda: not asleep(lab, mark), 30)


def test_one_that_was_cut_off_early_is_told_of_before_the_next(
    host: Connection, lab: Lab, mark: str
) -> None:
    with ThreadPoolExecutor() as pool:
        running = begin(pool, host, mark, b"", 2)
        lab.h1.exec(["kill", "-KILL", *sshd_sessions(lab.h1, PORT)], check=True)
        with pytest.raises(LinkLost):
            running.result(30)
    assert host.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
    assert eventually(lambda: not asleep(lab, mark), 30)


def test_one_that_could_not_be_ended_is_ended_before_the_next(
    host: Connection, lab: Lab, mark: str
) -> None:
    with ThreadPoolExecutor() as pool:
        running = begin(pool, host, mark, b"", 0.5)
        with (
            black_hole(lab.h1, PORT),
            pytest.raises(DeadlineExceeded, match="whether it has ended is not known"),
        ):
            running.result(30)
    assert asleep(lab, mark)
    assert host.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
    assert eventually(lambda: not asleep(lab, mark), 30)


def test_a_timer_ends_with_its_command(host: Connection, lab: Lab) -> None:
    before = processes(lab.h1)
    for stdin in (b"", b"x"):
        assert host.run(Argv(("sleep", "1.5")), stdin=stdin, timeout=60).status == 0
    assert eventually(lambda: processes(lab.h1) <= before)


def test_a_timer_does_not_hit_the_shells_next_command(host: Connection) -> None:
    script = Script('sleep "$1"; echo $PPID', ("1.5",))
    shell = host.run(script, timeout=3).stdout.text
    finished = host.run(Script(script.text, ("6",)), timeout=60)
    assert (finished.status, finished.stdout.text) == (0, shell)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "66.375"], start_new_session=True) as started:
        yield started
        started.kill()


def set_timer(process: subprocess.Popen[bytes], *, age: int) -> str:
    """One that is due, for a leader of at least so many seconds; what it says."""
    script = Leader(process.pid).timer(0, age)
    argv = ["sh", "-c", script.text, "sh", *script.args]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_a_process_that_took_over_the_pid_is_left_alone(process: subprocess.Popen[bytes]) -> None:
    assert set_timer(process, age=3600) == ""
    assert process.poll() is None
    assert set_timer(process, age=0) != ""
    assert process.wait(20) == -15


def test_an_old_process_is_hit(process: subprocess.Popen[bytes]) -> None:
    assert eventually(lambda: set_timer(process, age=1) != "")
    assert process.wait(20) == -15
