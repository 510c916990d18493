"""One connection a host: opened at first use, shared, remembered when it failed."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.base import Argv
from engine.connections.links import LazyConnection, Links
from engine.connections.local import LocalConnection
from engine.connections.settings import Settings
from engine.errors import Unreachable
from tests.connections.helpers import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Finished, Script

TRUE = Argv(("true",))


class Fake(LocalConnection):
    """A local connection that can die and be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = True
        self.closed = False
        self.dies = False
        """It has died, and that is found when it is used."""
        self.refuses = False
        self.used = 0
        self.meanwhile: Callable[[], object] = int
        """What happens while it is used."""

    def run(self, command: Argv | Script, **options: Any) -> Finished:
        self.used += 1
        self.meanwhile()
        if self.dies:
            self.alive = False
        if self.dies or self.refuses:
            raise Unreachable("no session")
        return super().run(command, **options)

    def close(self) -> None:
        self.closed = True


class Opener:
    """Counts how often a connection is opened."""

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        self.opened: list[Fake] = []
        self.attempts = 0

    def __call__(self) -> Fake:
        self.attempts += 1
        if self.failure:
            raise Unreachable(self.failure)
        self.opened.append(Fake())
        return self.opened[-1]


def test_nothing_is_opened_before_it_is_used() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    assert opener.attempts == 0
    connection.run(TRUE, timeout=5)
    assert connection.platform.family == "linux"
    assert opener.attempts == 1


def test_many_threads_wait_for_one_attempt() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    together = threading.Barrier(16)

    def use(_: int) -> int:
        together.wait()
        return connection.run(TRUE, timeout=10).status

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(use, range(16))) == [0] * 16
    assert opener.attempts == 1


def test_a_failure_is_remembered() -> None:
    opener = Opener("no route")
    connection = LazyConnection(opener)
    for _ in range(3):
        with pytest.raises(Unreachable, match="no route"):
            connection.run(TRUE, timeout=5)
    assert opener.attempts == 1


def test_a_dead_link_is_opened_anew_for_the_next_command() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    connection.run(TRUE, timeout=5)
    opener.opened[0].alive = False
    connection.run(TRUE, timeout=5)
    assert len(opener.opened) == 2
    assert opener.opened[0].closed


def test_after_the_end_nothing_is_opened() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    connection.run(TRUE, timeout=5)
    connection.close()
    connection.close()
    assert opener.opened[0].closed
    with pytest.raises(Unreachable, match="the run has ended"):
        connection.run(TRUE, timeout=5)


def test_a_link_that_turns_out_to_be_dead_is_opened_anew_and_used_once() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    connection.run(TRUE, timeout=5)
    opener.opened[0].dies = True
    assert connection.run(Argv(("echo", "here")), timeout=5).stdout.text == "here\n"
    assert [fake.used for fake in opener.opened] == [2, 1]


def test_what_an_interruption_has_cut_off_is_not_begun_again() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    connection.run(TRUE, timeout=5)
    opener.opened[0].dies = True
    opener.opened[0].meanwhile = connection.interrupt
    with pytest.raises(Unreachable, match="no session"):
        connection.run(TRUE, timeout=5)
    assert [fake.used for fake in opener.opened] == [2]
    assert connection.run(TRUE, timeout=5).status == 0


def test_a_refusal_on_a_link_that_stands_is_not_tried_again() -> None:
    opener = Opener()
    connection = LazyConnection(opener)
    connection.run(TRUE, timeout=5)
    opener.opened[0].refuses = True
    with pytest.raises(Unreachable, match="no session"):
        connection.run(TRUE, timeout=5)
    assert [fake.used for fake in opener.opened] == [2]


def test_a_host_is_looked_up_without_reaching_it() -> None:
    links = Links(
        {"dead": Settings("dead", address="192.0.2.1"), "here": Settings("here", "local")}
    )
    assert links.get("dead") is links.get("dead")
    assert links.get("here").run(TRUE, timeout=5).status == 0
    links.close()


def test_looking_up_imports_no_ssh() -> None:
    code = (
        "import sys; from engine.connections.links import Links; "
        "from engine.connections.settings import Settings; "
        "Links({'a': Settings('a')}).get('a'); "
        "sys.exit(any(m in sys.modules for m in ('paramiko', 'docker', 'httpx', 'psycopg')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_server_is_dialled_before_ssh_is_imported() -> None:
    # It makes its part ready while we import ours.
    code = """if True:
        import os, select, socket, sys
        from engine.connections.links import Links
        from engine.connections.settings import Settings

        server = socket.create_server(("127.0.0.1", 0))

        class Watch:
            def find_spec(self, name, path=None, target=None):
                if name == "paramiko":
                    os.write(1, b"dialled" if select.select([server], [], [], 0)[0] else b"not")
                    os._exit(0)

        sys.meta_path.insert(0, Watch())
        port = server.getsockname()[1]
        print(Links({"a": Settings("a", address="127.0.0.1", port=port)}).get("a").platform)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "dialled", done.stderr


def test_a_host_that_is_released_loses_its_link_and_gets_another_if_need_be() -> None:
    links = Links({"here": Settings("here", kind="local")})
    connection = links.get("here")
    assert connection.run(TRUE, timeout=10).status == 0
    opened = connection._kept.opened  # type: ignore[attr-defined]
    assert opened is not None
    links.release("here")
    assert eventually(lambda: connection._kept.opened is None)  # type: ignore[attr-defined]
    assert connection.run(TRUE, timeout=10).status == 0
    links.close()
    with pytest.raises(Unreachable):
        connection.run(TRUE, timeout=10)
