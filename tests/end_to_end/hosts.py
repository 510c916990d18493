"""What is staged on a host, and what is true there afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.lab import Host

_ACTORS = str(Path(__file__).with_name("actors.py"))


@contextmanager
def actor(host: Host, role: str, argument: object) -> Iterator[Any]:
    """A program of `actors` in the host; yields what it said when it was there."""
    process = host.start(
        [sys.executable, _ACTORS, role, str(argument)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=30)


@contextmanager
def sessions(host: Host, idle: int) -> Iterator[dict[str, Any]]:
    """So many idle database sessions, and one of each kind that must survive."""
    end_all = (
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
        " where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    try:
        with actor(host, "sessions", idle) as said:
            yield said
    finally:
        # The server does not notice that the client of a working session has gone.
        host.psql(end_all)


class Marks:
    """A file on hosts that each action and look of a playbook adds a line to, to be counted."""

    def __init__(self) -> None:
        self.path = f"/srv/marks-{uuid.uuid4().hex}"

    def on(self, host: Host) -> list[str]:
        """The lines."""
        return host.exec(["sh", "-c", 'cat "$1" 2>/dev/null', "sh", self.path]).stdout.split()

    def playbook(self, directory: Path, *actions: str, more: str = "") -> Path:
        """A playbook for all hosts: one look, then these actions, each leaving its own name.

        Args:
            directory: where it is written.
            actions: their names, one word each.
            more: further keywords of the playbook.
        """

        def shell(name: str, extra: str = "") -> str:
            script = f"{{script: 'echo {name} >>\"$1\"', args: [{self.path}]{extra}}}"
            return f"  - {{name: {name}, shell: {script}}}\n"

        path = directory / "marks.yml"
        path.write_text(
            f"name: Leave marks\nhosts: all\n{more}"
            f"investigate:\n{shell('look', ', probe: true')}"
            f"mitigate:\n{''.join(map(shell, actions))}"
        )
        return path


def eventually(holds: Callable[[], object], *, within: float = 20) -> None:
    """Wait until it holds.

    Raises:
        AssertionError: it did not, within so many seconds.
    """
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.05)


def processes(host: Host) -> set[tuple[str, ...]]:
    """Pid, start time and name of every process that is not ours of looking."""
    script = 'cat /proc/[0-9]*/stat 2>/dev/null; echo "$$"'
    *stats, me = host.exec(["sh", "-c", script]).stdout.splitlines()
    found: set[tuple[str, ...]] = set()
    for stat in stats:
        head, _, tail = stat.rpartition(")")
        pid, _, name = head.partition(" (")
        fields = tail.split()
        if me not in (pid, fields[1]):
            found.add((pid, fields[19], name))
    return found


def backends(host: Host) -> set[str]:
    """Pid and start of every client's backend."""
    return set(
        host.psql(
            "select pid, backend_start from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid()"
        ).splitlines()
    )


def fetch(host: Host, port: int, path: str = "/") -> tuple[int, str]:
    """Status and body of a page, as the host itself sees it."""
    script = (
        "import sys, urllib.request, urllib.error\n"
        "try: answer = urllib.request.urlopen(sys.argv[1], timeout=5)\n"
        "except urllib.error.HTTPError as error: answer = error\n"
        "print(answer.status, answer.read().decode())"
    )
    url = f"http://127.0.0.1:{port}{path}"
    done = host.exec([sys.executable, "-c", script, url], check=True)
    status, _, body = done.stdout.strip().partition(" ")
    return int(status), body
