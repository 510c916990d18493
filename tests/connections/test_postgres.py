"""psycopg through the link, on a server that only the host can reach."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine.connections.postgres import open_session
from engine.errors import DeadlineExceeded, DialRefused, ModuleFailed
from tests.connections.helpers import Resources, eventually
from tests.lab.postgres import CERTIFICATE, DATABASE, PASSWORD, ROLE, SECURE_ROLE

if TYPE_CHECKING:
    from pathlib import Path

    from engine.connections.base import Connection
    from tests.connections.helpers import Server
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab_postgres")]


def session(connection: Connection, **changes: Any) -> psycopg.Connection[dict[str, Any]]:
    usual = {"database": DATABASE, "user": "postgres", "password": None, "port": 5432}
    options: dict[str, Any] = {**usual, "host": "/var/run/postgresql", "timeout": 10.0, **changes}
    return open_session(connection, **options)


def test_the_ssh_account_is_who_we_are_on_the_hosts_socket(ssh: Connection) -> None:
    with session(ssh) as opened:
        row = opened.execute(
            "select current_user as name, inet_server_addr() as address"
        ).fetchone()
    assert row == {"name": "postgres", "address": None}


def test_a_password_opens_the_hosts_loopback(ssh: Connection) -> None:
    with session(ssh, host="localhost", user=ROLE, password=PASSWORD) as opened:
        row = opened.execute("select host(inet_server_addr()) as address").fetchone()
    assert row in ({"address": "127.0.0.1"}, {"address": "::1"})


@pytest.mark.parametrize("host", ["/var/run/postgresql", "localhost"])
def test_libpq_says_nothing_to_the_terminal(
    ssh: Connection, host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    changes = {"user": ROLE, "password": PASSWORD} if host == "localhost" else {}
    with session(ssh, host=host, **changes):
        pass
    assert capfd.readouterr() == ("", "")


def test_each_statement_is_its_own_transaction(ssh: Connection) -> None:
    with session(ssh) as opened:
        assert opened.autocommit
        ours = opened.execute("show application_name").fetchone()
    assert ours == {"application_name": "quell"}


def test_closing_the_session_closes_its_way_there(ssh: Connection, lab: Lab) -> None:
    before = Resources(ssh)
    opened = session(ssh)
    row = opened.execute("select pg_backend_pid() as pid").fetchone()
    assert row is not None
    opened.close()
    opened.close()
    assert before.back()
    pid = str(row["pid"])
    assert eventually(lambda: pid not in lab.h1.psql("select pid from pg_stat_activity").split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": "nobody"}, 'FATAL:  Peer authentication failed for user "nobody"'),
        ({"database": "nothing"}, 'FATAL:  database "nothing" does not exist'),
        (
            {"host": "localhost", "user": ROLE, "password": "wrong"},
            f'FATAL:  password authentication failed for user "{ROLE}"',
        ),
    ],
)
def test_the_servers_refusal_is_told_in_its_words(
    ssh: Connection, changes: dict[str, Any], words: str
) -> None:
    before = Resources(ssh)
    with pytest.raises(ModuleFailed) as caught:
        session(ssh, **changes)
    assert caught.value.message.endswith(words)
    assert "quell-forward" not in caught.value.message
    assert before.back()


def test_the_controllers_own_password_is_not_sent(
    ssh: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with pytest.raises(ModuleFailed, match="no password supplied"):
        session(ssh, host="localhost", user=ROLE)


def test_nor_is_the_one_in_its_pgpass(
    ssh: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for sslmode in (None, "disable"):
        with pytest.raises(ModuleFailed, match="no password supplied"):
            session(ssh, host="localhost", user=ROLE, sslmode=sslmode)


# ── TLS ───────────────────────────────────────────────────────────────────────────────────────


def encrypted(connection: Connection, **changes: Any) -> bool:
    """Whether a session with that role is."""
    options = {"host": "db.h1", "user": ROLE, "password": PASSWORD, **changes}
    with session(connection, **options) as opened:
        row = opened.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
    assert row is not None
    return bool(row["ssl"])


@pytest.fixture
def ca(lab: Lab, tmp_path: Path) -> Path:
    """What the server's certificate is trusted by."""
    path = tmp_path / "ca.pem"
    path.write_text(lab.h1.exec(["cat", CERTIFICATE], check=True).stdout)
    return path


def test_a_server_with_a_name_is_spoken_with_as_psql_would(ssh: Connection) -> None:
    before = Resources(ssh)
    assert encrypted(ssh)
    assert encrypted(ssh, sslmode="require")
    assert not encrypted(ssh, sslmode="disable")
    assert before.back()


def test_one_that_wants_tls_gets_it(ssh: Connection, ca: Path) -> None:
    assert encrypted(ssh, user=SECURE_ROLE)
    assert encrypted(ssh, user=SECURE_ROLE, sslmode="verify-full", ca=str(ca))
    with pytest.raises(ModuleFailed, match=rf'user "{SECURE_ROLE}".*, no encryption$'):
        encrypted(ssh, user=SECURE_ROLE, sslmode="disable")


def test_the_servers_certificate_is_checked(ssh: Connection, ca: Path, lab: Lab) -> None:
    with pytest.raises(ModuleFailed, match='does not match host name "localhost"'):
        encrypted(ssh, host="localhost", sslmode="verify-full", ca=str(ca))
    assert encrypted(ssh, host="localhost", sslmode="verify-ca", ca=str(ca))
    ca.write_text(lab.h2.exec(["cat", CERTIFICATE], check=True).stdout)
    with pytest.raises(ModuleFailed, match=r"^PostgreSQL at db\.h1:5432: .*certificate verify"):
        encrypted(ssh, sslmode="verify-full", ca=str(ca))
    with pytest.raises(ModuleFailed, match=r"/nowhere.*does not exist"):
        encrypted(ssh, sslmode="verify-full", ca="/nowhere")


def test_what_libpq_tried_with_and_without_tls_is_told_once(ssh: Connection) -> None:
    with pytest.raises(ModuleFailed) as caught:
        encrypted(ssh, password="wrong")
    assert caught.value.message == (
        f'PostgreSQL at db.h1:5432: FATAL:  password authentication failed for user "{ROLE}"'
    )


def test_no_server_is_told(ssh: Connection) -> None:
    with pytest.raises(DialRefused, match=r"/\.s\.PGSQL\.1: no such socket"):
        session(ssh, port=1)
    with pytest.raises(DialRefused, match="localhost:1: Connection refused"):
        session(ssh, host="localhost", port=1)


def test_a_server_that_says_nothing_is_given_up(ssh: Connection, ssh_server: Server) -> None:
    before = Resources(ssh)
    with pytest.raises(DeadlineExceeded, match="no answer within"):
        session(ssh, host="localhost", port=ssh_server.mute, timeout=2.0)
    assert before.back()


def test_an_ended_backend_is_an_operational_error(ssh: Connection, lab: Lab) -> None:
    with session(ssh) as opened:
        row = opened.execute("select pg_backend_pid() as pid").fetchone()
        assert row is not None
        lab.h1.psql(f"select pg_terminate_backend({row['pid']})")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            opened.execute("select 1")


def test_a_running_statement_can_be_cancelled(ssh: Connection) -> None:
    with session(ssh) as opened:
        timer = threading.Timer(0.3, opened.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            opened.execute("select pg_sleep(60)")
        timer.join()
