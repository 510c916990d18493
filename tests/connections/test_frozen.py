"""A host that stands still, or is gone in the middle: whoever waits on it is told in time.

What is frozen stays frozen until the error has come: nothing but the deadline ends the waiting.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests

from engine.connections import docker, http, postgres
from engine.connections.base import Argv, Script, Tcp
from engine.errors import DeadlineExceeded, LinkLost
from tests.connections.helpers import Resources, connected, settings_for
from tests.lab.dockerd import SOCKET
from tests.lab.faults import black_hole, frozen, kill_sshd, sshd_sessions
from tests.lab.postgres import DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from engine.connections.base import Connection
    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

PORT = 2273


@pytest.fixture
def host(lab: Lab) -> Iterator[Connection]:
    """A dead peer is found after two seconds of silence."""
    lab.h1.sshd(PORT)
    quick = "-o ServerAliveInterval=1 -o ServerAliveCountMax=1"
    yield from reached(lab, ansible_ssh_extra_args=quick)


@pytest.fixture
def patient(lab: Lab) -> Iterator[Connection]:
    """Nobody looks for a dead peer here: only deadlines end what waits."""
    lab.h1.sshd(PORT)
    yield from reached(lab, ansible_ssh_extra_args="-o ServerAliveInterval=0")


def reached(lab: Lab, **changes: Any) -> Iterator[Connection]:
    yield from connected(settings_for(lab.h1, ansible_port=PORT, **changes))
    kill_sshd(lab.h1, PORT)


@contextlib.contextmanager
def sshd_frozen(lab: Lab) -> Iterator[None]:
    with frozen(lab.h1, sshd_sessions(lab.h1, PORT)):
        yield


def kill_session(lab: Lab) -> None:
    lab.h1.exec(["kill", "-KILL", *sshd_sessions(lab.h1, PORT)], check=True)


def session(connection: Connection, timeout: float) -> psycopg.Connection[dict[str, Any]]:
    return postgres.open_session(
        connection,
        database=DATABASE,
        user="postgres",
        password=None,
        host="/var/run/postgresql",
        port=5432,
        timeout=timeout,
    )


# ── commands and files ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["in a shell", "in a session"])
def test_a_command_ends_at_its_deadline(patient: Connection, lab: Lab, stdin: bytes) -> None:
    with sshd_frozen(lab), pytest.raises(DeadlineExceeded):
        patient.run(Argv(("true",)), stdin=stdin, timeout=1)
    assert patient.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"


def test_so_does_one_that_is_under_way(patient: Connection, lab: Lab) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(
            patient.run,
            Script("echo begun; sleep 60"),
            timeout=3,
            listener=lambda *_: begun.set(),
        )
        assert begun.wait(20)
        with (
            sshd_frozen(lab),
            pytest.raises(DeadlineExceeded, match="whether it has ended is not known"),
        ):
            running.result(60)
    assert patient.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"


def test_a_file_is_not_waited_for_beyond_the_deadline(patient: Connection, lab: Lab) -> None:
    with sshd_frozen(lab):
        with pytest.raises(DeadlineExceeded):
            patient.put(bytes(8_000_000), "/srv/file", 0o600, timeout=1)
        with pytest.raises(DeadlineExceeded):
            patient.get("/etc/passwd", 100, timeout=1)


def test_a_link_that_takes_nothing_more_is_given_up_at_the_deadline(
    patient: Connection, lab: Lab
) -> None:
    begun = [threading.Event() for _ in range(6)]
    data = bytes(50_000_000)

    def upload(one: threading.Event) -> str:
        script = Script("echo begun; cat >/dev/null; sleep 60")
        with pytest.raises((DeadlineExceeded, LinkLost)) as caught:
            patient.run(script, stdin=data, timeout=4, listener=lambda *_: one.set())
        return type(caught.value).__name__

    with ThreadPoolExecutor(len(begun)) as pool:
        ended = [pool.submit(upload, one) for one in begun]
        assert all(one.wait(20) for one in begun)
        with sshd_frozen(lab):
            assert "Overdue" in {one.result(60) for one in ended}
    assert patient.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"


# ── streams ───────────────────────────────────────────────────────────────────────────────────


def test_a_stream_is_not_waited_for_beyond_the_deadline(patient: Connection, lab: Lab) -> None:
    with (
        sshd_frozen(lab),
        pytest.raises(DeadlineExceeded, match=r"localhost:80: no answer within 1 s"),
    ):
        patient.dial(Tcp("localhost", 80), timeout=1)


def get(connection: Connection, port: int, timeout: float) -> httpx.Response:
    options: dict[str, Any] = {"verify": True, "ca": None, "follow_redirects": False}
    with http.open_client(connection, timeout=timeout, **options) as client:
        return client.get(f"http://localhost:{port}/")


def test_a_request_ends_at_its_deadline(patient: Connection, ssh_server: Server) -> None:
    with pytest.raises(httpx.ReadTimeout):
        get(patient, ssh_server.mute, 1)


def test_a_request_whose_link_dies_is_not_called_unanswered(
    host: Connection, lab: Lab, ssh_server: Server
) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(get, host, ssh_server.mute, 60)
        while not streams(lab, ssh_server.mute):
            assert not waiting.done()
        kill_session(lab)
        with pytest.raises(LinkLost, match=r"^localhost:\d+: the SSH connection broke under it; "):
            waiting.result(60)


def streams(lab: Lab, port: int) -> str:
    return lab.h1.exec(["ss", "-Htn", "state", "established", f"dport = :{port}"]).stdout


# ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("lab_postgres")
@pytest.mark.parametrize("what", ["the backend", "sshd"])
def test_a_statement_ends_at_the_deadline(patient: Connection, lab: Lab, what: str) -> None:
    before = Resources(patient)
    with session(patient, 3) as opened:
        row = opened.execute("select pg_backend_pid() as pid").fetchone()
        assert row is not None
        pids = [str(row["pid"])] if what == "the backend" else sshd_sessions(lab.h1, PORT)
        with (
            frozen(lab.h1, pids),
            pytest.raises(DeadlineExceeded, match=r"^PostgreSQL at /var/run/postgresql/\.s\.PGSQL"),
        ):
            opened.execute("select 1")
    assert before.back()


@pytest.mark.usefixtures("lab_postgres")
def test_a_server_that_stands_still_is_told(patient: Connection, lab: Lab) -> None:
    [server] = lab.h1.exec(["head", "-1", "/srv/postgresql/data/postmaster.pid"]).stdout.split()
    said = r"^PostgreSQL at /var/run/postgresql/\.s\.PGSQL\.5432: no answer within 1 s$"
    with frozen(lab.h1, [server]), pytest.raises(DeadlineExceeded, match=said):
        session(patient, 1)


@pytest.mark.usefixtures("lab_postgres")
def test_a_statement_whose_link_dies_is_told(host: Connection, lab: Lab) -> None:
    with session(host, 60) as opened:
        kill_session(lab)
        with pytest.raises(LinkLost, match=r"PGSQL\.5432: the SSH connection broke under it; whe"):
            opened.execute("select 1")


@pytest.mark.usefixtures("lab_postgres")
def test_a_link_that_is_cut_off_in_a_query_is_found_before_the_deadline(
    host: Connection, lab: Lab
) -> None:
    with (
        session(host, 100) as opened,
        black_hole(lab.h1, PORT),
        pytest.raises(LinkLost, match=r"PGSQL\.5432: the SSH connection broke under it"),
    ):
        opened.execute("select pg_sleep(100)")


# ── Docker ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("lab_docker")
@pytest.mark.parametrize("what", ["the engine", "sshd"])
def test_a_request_to_docker_ends_at_the_deadline(patient: Connection, lab: Lab, what: str) -> None:
    before = Resources(patient)
    said = f"^Docker at {SOCKET}: not done within 3 s$"
    pids = engine(lab) if what == "the engine" else sshd_sessions(lab.h1, PORT)
    with contextlib.closing(docker.open_client(patient, SOCKET, timeout=3)) as client:
        client.ping()
        with frozen(lab.h1, pids):
            with pytest.raises(DeadlineExceeded, match=said):
                client.ping()
            with pytest.raises(DeadlineExceeded, match=said):
                client.ping()
    assert before.back()


def engine(lab: Lab) -> list[str]:
    return lab.h1.exec(["cat", "/run/docker.pid"], check=True).stdout.split()


@pytest.mark.usefixtures("lab_docker")
def test_an_engine_that_stands_still_is_told(patient: Connection, lab: Lab) -> None:
    with (
        frozen(lab.h1, engine(lab)),
        pytest.raises(DeadlineExceeded, match=f"^Docker at {SOCKET}: not done within 1 s$"),
    ):
        docker.open_client(patient, SOCKET, timeout=1)


@pytest.mark.usefixtures("lab_docker")
def test_a_body_that_stops_coming_ends_at_the_deadline(patient: Connection, lab: Lab) -> None:
    with contextlib.closing(docker.open_client(patient, SOCKET, timeout=3)) as client:
        url = f"{client.api.base_url}/v{client.api.api_version}/events"
        with (
            contextlib.closing(client.api.get(url, stream=True)) as response,
            frozen(lab.h1, engine(lab)),
            pytest.raises(requests.RequestException),
        ):
            next(response.iter_content(1))


@pytest.mark.usefixtures("lab_docker")
def test_a_request_to_docker_whose_link_dies_is_told(host: Connection, lab: Lab) -> None:
    with contextlib.closing(docker.open_client(host, SOCKET, timeout=60)) as client:
        kill_session(lab)
        with pytest.raises(LinkLost, match=f"^Docker at {SOCKET}: the SSH connection broke under"):
            client.ping()
