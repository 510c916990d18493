"""The incidents: each is really caused, by what causes it in production.

`python -m tests.incidents.causes ROLE …` is what runs on a host for one, until it is ended.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from tests.lab.postgres import DATABASE, ROLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.incidents.system import System

_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

CACHE = 400
"""Megabytes that the backend is to hold, more than its container may."""


def crash(system: System) -> None:
    """A user exports a report that makes the backend panic."""
    system.status("/api/export", post="{}")
    _until(lambda: system.container("backend", "{{.State.Status}}") == "exited")


def latency(system: System) -> None:
    """A report locks the table of events, and its author has gone to lunch."""
    _start(system, "lock")
    _until(lambda: system.db.psql("select count(*) from pg_locks where not granted") != "0")


def auth(system: System) -> None:
    """A key was rotated badly: the backend's settings name a file that holds none."""
    from tests.incidents.system import KEY, SETTINGS

    system.app.write(f"{KEY}.new", "oops\n")
    edit = ["sed", "-i.before", f"s|^JWT_KEY_FILE=.*|JWT_KEY_FILE={KEY}.new|", SETTINGS]
    system.app.exec(edit, check=True)
    system.app.docker("restart", "-t", "1", "backend")
    system.wait_until_ready()


def oom(system: System) -> None:
    """The backend is to cache more than its container may hold."""
    hoard = f"update settings set value = {CACHE}"  # noqa: S608 a number of ours
    system.db.psql(f"{hoard} where name = 'cache_megabytes'")
    _until(lambda: system.container("backend", "{{.State.OOMKilled}}") == "true")


def pool(system: System) -> None:
    """A job leaks its sessions until the database has no room left."""
    job = _start(system, "leak", subprocess.PIPE)
    _until(lambda: _stays_unready(system))
    assert job.stdin is not None
    job.stdin.close()


def port(system: System) -> None:
    """An old process took the backend's port while that was being restarted."""
    from tests.incidents.system import BACKEND

    system.app.docker("stop", "-t", "1", "backend")
    system.app.start([sys.executable, "-m", "http.server", str(BACKEND)], **_QUIET)
    _until(lambda: system.ready() == 404)
    system.app.docker("start", "backend")
    _until(lambda: system.container("backend", "{{.State.Status}}") == "exited")


class Incident(NamedTuple):
    """How it is caused, and the alert that tells of it."""

    cause: Callable[[System], None]
    alert: str


INCIDENTS = {
    "crash": Incident(crash, "BackendDown"),
    "latency": Incident(latency, "HighLatency"),
    "auth": Incident(auth, "AuthFailures"),
    "oom": Incident(oom, "BackendDown"),
    "pool": Incident(pool, "BackendNotReady"),
    "port": Incident(port, "BackendDown"),
}
"""Each by its name."""


def _start(system: System, role: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Run a role of this file on db1."""
    from tests.incidents.system import ROOT

    argv = ["env", "-C", str(ROOT), sys.executable, "-m", "tests.incidents.causes", role]
    return system.db.start(argv, stdin=stdin, **_QUIET)


def _stays_unready(system: System) -> bool:
    """Whether it is so for longer than the backend keeps a connection."""
    for _ in range(8):
        if system.ready() != 503:
            return False
        time.sleep(0.25)
    return True


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError("the incident did not come about within a minute")
        time.sleep(0.1)


def _lock() -> None:
    with psycopg.connect(dbname=DATABASE, user=ROLE, application_name="report") as session:
        session.execute("lock table events in access exclusive mode")
        threading.Event().wait()


def _leak() -> None:
    """Take all there is until the input ends, and keep it."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    held = []
    while not ended.is_set():
        try:
            session = psycopg.connect(
                dbname=DATABASE, user=ROLE, application_name="nightly-job", autocommit=True
            )
            session.execute("select 1")
            held.append(session)
        except psycopg.OperationalError:
            time.sleep(0.05)  # full for now
    threading.Event().wait()


if __name__ == "__main__":
    {"lock": _lock, "leak": _leak}[sys.argv[1]]()
