"""A command ends by its deadline although its link did not last as long."""

from __future__ import annotations

import secrets
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Finished, Output, Script
from engine.connections.ending import Leader
from engine.connections.links import Links
from engine.connections.timers import Command, Timers
from engine.errors import DeadlineExceeded, HostError, LinkLost, Unreachable
from tests.connections.helpers import connected, eventually, settings_for
from tests.end_to_end.hosts import processes
from tests.lab.delay import Delay
from tests.lab.faults import black_hole, frozen, kill_sshd, sshd_sessions, sshd_tree
from tests.lab.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PORT = 2272


@pytest.fixture
def host(lab: Lab) -> Iterator[Connection]:
    lab.h1.sshd(PORT)
    assert eventually(lambda: not asleep(lab, "1"))  # an earlier command's timer
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


@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["in a shell", "in a session"])
def test_one_that_its_host_was_slow_to_begin_is_told_of_too(
    host: Connection, lab: Lab, mark: str, stdin: bytes
) -> None:
    with ThreadPoolExecutor() as pool:
        with frozen(lab.h1, sshd_tree(lab.h1, PORT)):
            beginning = pool.submit(begin, pool, host, mark, stdin, 8)
            time.sleep(4)
        running = beginning.result(30)
        lab.h1.exec(["kill", "-KILL", *sshd_sessions(lab.h1, PORT)], check=True)
        with pytest.raises(LinkLost):
            running.result(30)
    assert host.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
    assert eventually(lambda: not asleep(lab, mark), 30)


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    """To the host."""
    lab.h1.sshd(PORT)
    with Wire(PORT, lab.h1.address) as wire:
        lab.h1.known_at(f"[127.0.0.1]:{wire.port}")
        yield wire
    kill_sshd(lab.h1, PORT)


def cut_off(host: Connection, wire: Wire, message: int, mark: str) -> HostError:
    """Begin to sleep while the link is cut; what is said of that."""
    wire.cut(message, "unheard")
    with pytest.raises(HostError) as caught:
        host.run(Script('exec sleep "$1"', (mark,)), timeout=3)
    wire.mend()
    return caught.value


def test_wherever_the_link_to_a_known_host_is_cut_it_is_told_of(
    lab: Lab, wire: Wire, mark: str
) -> None:
    left = 0
    place = {"ansible_host": "127.0.0.1", "ansible_port": wire.port}
    for host in connected(settings_for(lab.h1, **place)):
        for message in range(4):
            with ThreadPoolExecutor() as pool:
                begin(pool, host, "1.5", b"", 20)  # it has the shell that there is
                cut_off(host, wire, message, mark)
            left += asleep(lab, mark)
            assert host.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
    assert left
    assert eventually(lambda: not asleep(lab, mark), 30)


def test_wherever_the_link_to_a_new_host_is_cut_it_is_told_of(
    lab: Lab, wire: Wire, mark: str
) -> None:
    left = 0
    place = {"ansible_host": "127.0.0.1", "ansible_port": wire.port}
    for message in range(8, 16):  # the first are of the handshake
        links = Links({"h1": settings_for(lab.h1, **place)})
        host = links.get("h1")
        if not isinstance(cut_off(host, wire, message, mark), Unreachable):
            left += asleep(lab, mark)
            assert host.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
        links.close()
    assert left
    assert eventually(lambda: not asleep(lab, mark), 30)


def test_an_account_that_runs_something_else_is_not_told_of_what_may_not_have_begun() -> None:
    timers, told = Timers(), list[Script]()

    def run(script: Script) -> Finished:
        told.append(script)
        return Finished(0, Output(b"", b"", 0), Output(b"", b"", 0), 0.0)

    timers.lose(Command(Leader(None, loop="m4rk"), 0.0))
    timers.lose(Command(Leader(4711), 0.0))
    timers.settle(run)
    assert [script.args[:3] for script in told] == [("4711", "4711", "")]
    timers.obeyed = True
    timers.settle(run)
    timers.settle(run)
    assert [script.args[:3] for script in told[1:]] == [("", "", "m4rk")]


def test_an_interrupt_waits_until_a_command_that_has_begun_has_said_so(lab: Lab, mark: str) -> None:
    with Delay(lab.h1.address, lab.h1.port, 0.4) as far:
        lab.h1.known_at(f"[127.0.0.1]:{far.port}")
        where = {"ansible_host": "127.0.0.1", "ansible_port": far.port}
        links = Links({"h1": settings_for(lab.h1, **where)})
        host = links.get("h1")
        with ThreadPoolExecutor() as pool:
            running = pool.submit(host.run, Argv(("sleep", mark)), timeout=60)
            assert eventually(lambda: asleep(lab, mark), 20)
            host.interrupt()
            assert not asleep(lab, mark)
            assert running.result(20).status == -15
        links.close()


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
