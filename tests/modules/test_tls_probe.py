from __future__ import annotations

import socket
import ssl
import subprocess
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from engine.errors import LinkLost, Unreachable
from modules.tls_probe import Secured, TlsProbe
from tests.lab.ports import free_port
from tests.modules.certificates import Authority, tls_server
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.servers import saying

if TYPE_CHECKING:
    from pathlib import Path

    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def ask(port: int, authority: Authority | None = None, **args: Any) -> Outcome:
    ca = {"ca": str(authority.path)} if authority else {}
    return probe("tls_probe", {"host": "127.0.0.1", "port": port, **ca, **args}, here())


def test_a_certificate_that_is_good(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1", "shop.example.com", days=30.5)) as port:
        outcome = ask(port, authority)
    seen = outcome.seen
    assert outcome.finding is None
    assert outcome.summary == "ends in 30 days, trusted, TLSv1.3, by CN=Lab authority"
    assert (seen["trusted"], seen["problem"], seen["error"]) == (True, None, None)
    assert 30.4 < seen["days_left"] <= 30.5
    ends, begins = (datetime.fromisoformat(seen[name]) for name in ("not_after", "not_before"))
    assert timedelta(days=31) < ends - begins < timedelta(days=32)
    assert (seen["subject"], seen["issuer"]) == ("CN=server", "CN=Lab authority")
    assert seen["names"] == ["shop.example.com", "127.0.0.1"]
    assert seen["cipher"].startswith("TLS_")
    assert len(seen["fingerprint"]) == 64
    assert int(seen["serial"], 16) > 0
    assert 0 < seen["elapsed"] < 10


@pytest.mark.parametrize(
    ("days", "min_days", "finding"),
    [
        (15, None, None),
        (13.5, None, "the certificate ends in 13 days"),
        (13.5, 7, None),
        (100.5, 120, "the certificate ends in 100 days"),
        (1.51, None, "the certificate ends in 1 d 12 h"),
    ],
)
def test_one_that_ends_soon_is_a_finding(
    days: float, min_days: float | None, finding: str | None, authority: Authority
) -> None:
    with tls_server(authority.issue("127.0.0.1", days=days)) as port:
        args = {} if min_days is None else {"min_days": min_days}
        assert ask(port, authority, **args).finding == finding


def test_one_that_has_ended_is_told_all_the_same(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1", days=-3.5)) as port:
        outcome = ask(port, authority)
        unverified = ask(port, authority, verify=False)
    assert outcome.finding == "the certificate is not trusted: certificate has expired"
    assert outcome.summary == "ended 3 days ago, not trusted, TLSv1.3, by CN=Lab authority"
    assert -3.6 < outcome.seen["days_left"] < -3.4
    assert unverified.finding == "the certificate ended 3 days ago"


def test_one_of_an_unknown_authority_is_a_finding(authority: Authority) -> None:
    with tls_server(authority.issue("127.0.0.1")) as port:
        outcome = ask(port)
        assert ask(port, verify=False).finding is None
    assert outcome.seen["trusted"] is False
    assert outcome.seen["issuer"] == "CN=Lab authority"
    assert str(outcome.finding).startswith("the certificate is not trusted: unable to get")


def test_one_for_another_name_is_a_finding(authority: Authority) -> None:
    with tls_server(authority.issue("shop.example.com")) as port:
        wrong = ask(port, authority)
        right = ask(port, authority, server_name="shop.example.com")
    assert str(wrong.finding).startswith("the certificate is not trusted: IP address mismatch")
    assert wrong.seen["names"] == ["shop.example.com"]
    assert right.finding is None


def test_the_server_is_asked_for_the_name(authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.issue("shop.example.com")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with tls_server(context) as port:
        ask(port, authority, server_name="shop.example.com")
    assert asked == ["shop.example.com"]


def test_a_certificate_without_names_has_none(authority: Authority) -> None:
    with tls_server(authority.issue()) as port:
        assert ask(port, authority, verify=False).seen["names"] == []


def test_one_that_cannot_be_read_is_a_finding() -> None:
    probed = module("tls_probe", {"host": "db"})
    assert isinstance(probed, TlsProbe)
    seen = Secured(elapsed=0, protocol="TLSv1.3", trusted=True, problem="bad time")
    assert probed.finding(seen) == "the certificate cannot be read: bad time"
    assert probed.summary(seen) == "cannot be read, trusted, TLSv1.3, by nobody"


def test_the_protocol_is_told(authority: Authority) -> None:
    context = authority.issue("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_server(context) as port:
        assert ask(port, authority).seen["protocol"] == "TLSv1.2"


def test_a_server_that_speaks_no_tls_is_evidence() -> None:
    with saying(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        outcome = ask(int(url.rpartition(":")[2]))
    assert outcome.finding == (
        "no TLS: the handshake failed: wrong version number: "
        "the server may not speak TLS on this port"
    )
    assert outcome.seen["protocol"] is None


def test_a_handshake_that_is_broken_off_is_evidence() -> None:
    with saying(b"") as url:
        outcome = ask(int(url.rpartition(":")[2]))
    assert str(outcome.finding).startswith("no TLS: ")


def test_a_closed_port_is_evidence() -> None:
    port = free_port()
    assert ask(port).finding == f"no TLS: 127.0.0.1:{port}: Connection refused"


def test_a_server_that_never_answers_is_evidence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        outcome = ask(mute.getsockname()[1], max_time="200ms")
    assert outcome.finding == "no TLS: no answer within 0.2 s"


def test_a_missing_authority_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match=r"none\.pem"):
        ask(1, ca=str(tmp_path / "none.pem"))


@pytest.mark.parametrize("error", [Unreachable("no route"), LinkLost("the link died")])
def test_a_host_that_cannot_be_reached_is_no_evidence_of_the_server(error: Exception) -> None:
    with pytest.raises(type(error)):
        probe("tls_probe", {"host": "db"}, target(FakeConnection(refuse=error)))


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"host": "https://x"},
        {"host": "x", "port": 0},
        {"host": "x", "min_days": -1},
        {"host": "x", "server_name": "a b"},
        {"host": "x", "unknown": 1},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("tls_probe", args)


@pytest.mark.lab
def test_a_server_that_only_the_host_sees(lab: Lab, links: Links, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("db.h1", days=9.5)
    lab.h1.write("/srv/tls.pem", (tmp_path / "server.pem").read_bytes())
    # It serves one client and ends.
    serve = ["openssl", "s_server", "-accept", "127.0.0.1:8443", "-cert", "/srv/tls.pem"]
    server = lab.h1.start([*serve, "-naccept", "1", "-www"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    while b"ACCEPT" not in server.stdout.readline():
        assert server.poll() is None
    args = {"host": "localhost", "port": 8443, "server_name": "db.h1", "ca": str(authority.path)}
    outcome = probe("tls_probe", args, target(links.get("h1")))
    server.communicate(timeout=20)
    assert outcome.finding == "the certificate ends in 9 days"
    assert outcome.seen["trusted"] is True
