"""Sessions on the lab's PostgreSQL, each a psql on the host."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING

from tests.lab.postgres import AS_POSTGRES, DATABASE, ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.lab import Host


class Client:
    """One session.

    Args:
        host: where the server and the client are.
        user: the role; the superuser is `postgres`.
        application: what it calls itself.
        database: that it connects to.
    """

    def __init__(
        self, host: Host, user: str = ROLE, application: str = "app", database: str = DATABASE
    ) -> None:
        as_ = AS_POSTGRES if user == "postgres" else []
        argv = [*as_, "psql", "-X", "-A", "-t", "-q", "-U", user, database]
        self._host = host
        self._psql = host.start(
            argv,
            env={"PGAPPNAME": application},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.pid = int(self.ask("select pg_backend_pid();"))

    def send(self, sql: str) -> None:
        """Give it a statement; do not wait."""
        assert self._psql.stdin is not None
        self._psql.stdin.write(f"{sql}\n".encode())
        self._psql.stdin.flush()

    def ask(self, sql: str) -> str:
        """The first line of the answer."""
        assert self._psql.stdout is not None
        self.send(sql)
        return self._psql.stdout.readline().decode().strip()

    def begin(self) -> None:
        """Be idle in a transaction."""
        self.ask("begin; select 1;")

    def work(self, sql: str = "select pg_sleep(600);") -> None:
        """Be active, and wait until the server knows."""
        self.send(sql)
        until = time.monotonic() + 10
        while self.state != "active" and time.monotonic() < until:
            time.sleep(0.01)
        assert self.state == "active"

    @property
    def state(self) -> str:
        """As the server has it; empty once the session is gone."""
        return self._host.psql(f"select state from pg_stat_activity where pid = {self.pid}")  # noqa: S608 - a number

    @property
    def there(self) -> bool:
        """Whether the session is still there."""
        return self.state != ""

    def end(self) -> None:
        """Have the server end the session, if it still is one."""
        if self.there:
            self._host.psql(f"select pg_terminate_backend({self.pid}, 5000)")

    def close(self) -> None:
        """End the session and the psql."""
        self.end()
        assert self._psql.stdin is not None
        assert self._psql.stdout is not None
        self._psql.kill()
        with contextlib.suppress(BrokenPipeError):
            self._psql.stdin.close()
        self._psql.stdout.close()
        self._psql.wait()


@contextlib.contextmanager
def clients(host: Host, *users: str, application: str = "app") -> Iterator[list[Client]]:
    """A session of each role; they are gone afterwards."""
    with contextlib.ExitStack() as stack:
        opened = []
        for user in users:
            client = Client(host, user, application)
            stack.callback(client.close)
            opened.append(client)
        yield opened
