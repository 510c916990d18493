from __future__ import annotations

import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.base import Argv, Script, Tcp
from engine.connections.local import LocalConnection
from engine.connections.local_processes import Process
from engine.errors import HostError

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from engine.connections.base import Connection, Finished
    from tests.connections.helpers import Server


def begin(pool: ThreadPoolExecutor, connection: Connection, text: str) -> Future[Finished]:
    """A command of which it is known that it runs."""
    begun = threading.Event()
    running = pool.submit(
        connection.run,
        Script(f"echo begun; {text}"),
        timeout=60,
        listener=lambda *_: begun.set(),
    )
    assert begun.wait(20)
    return running


@pytest.mark.parametrize("text", ["sleep 61.125", "trap '' TERM; while :; do sleep 61.125; done"])
def test_an_interrupted_command_is_ended_with_its_children(
    connection: Connection, text: str
) -> None:
    with ThreadPoolExecutor() as pool:
        running = begin(pool, connection, text)
        connection.interrupt()
        assert running.result(20).status in (-15, -9)
    left = connection.run(Script("ps -eo args | grep '[s]leep 61.125'"), timeout=10)
    assert left.stdout.text == ""


def test_several_commands_are_ended_together(connection: Connection) -> None:
    with ThreadPoolExecutor() as pool:
        running = [begin(pool, connection, f"sleep 62.{n}") for n in range(4)]
        connection.interrupt()
        assert [one.result(20).status for one in running] == [-15] * 4


def test_what_waits_on_a_stream_is_woken(connection: Connection, server: Server) -> None:
    stream = connection.dial(Tcp("127.0.0.1", server.mute), timeout=10)
    with stream, ThreadPoolExecutor() as pool:
        waiting = pool.submit(stream.recv, 1)
        connection.interrupt()
        assert waiting.result(20) == b""


def test_what_comes_after_works_as_before(connection: Connection) -> None:
    connection.interrupt()
    assert connection.run(Argv(("echo", "again")), timeout=10).stdout.text == "again\n"


def test_nothing_to_interrupt_is_no_fault(connection: Connection) -> None:
    connection.run(Argv(("true",)), timeout=10)
    connection.interrupt()
    connection.interrupt()
    with pytest.raises(HostError):
        connection.get("/no/such/file", 1, timeout=10)


def test_an_interrupt_while_a_command_begins_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    here = LocalConnection()

    class Begun(Process):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            here.interrupt()

    monkeypatch.setattr("engine.connections.local.Process", Begun)
    assert here.run(Argv(("sleep", "60")), timeout=30).status == -signal.SIGTERM
