"""httpx through the link: the host's network, names and certificates."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from engine.connections.http import open_client
from engine.errors import DeadlineExceeded, DialRefused, ModuleFailed
from tests.connections.helpers import Resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Web:
    """A web server on the host; its certificate is for the name `localhost`."""

    http: str
    https: str
    ca: str


@pytest.fixture(scope="module")
def web(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    directory = tmp_path_factory.mktemp("web")
    directory.chmod(0o755)
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    name = ["-subj", "/CN=lab", "-addext", "subjectAltName=DNS:localhost"]
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    program = [sys.executable, str(Path(__file__).with_name("web.py"))]
    server = lab.h1.start([*program, str(certificate), str(key)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    with server.stdout:
        http, https = server.stdout.readline().split()
        yield Web(
            f"http://localhost:{int(http)}", f"https://localhost:{int(https)}", str(certificate)
        )


def client(connection: Connection, **changes: Any) -> httpx.Client:
    options: dict[str, Any] = {"timeout": 10.0, "verify": True, "ca": None}
    return open_client(connection, **{**options, "follow_redirects": False, **changes})


def test_a_page_is_read_as_the_host_sees_it(ssh: Connection, web: Web) -> None:
    with client(ssh) as http:
        response = http.get(web.http)
    assert response.status_code == 200
    assert response.text.startswith("hello ")
    with pytest.raises(httpx.ConnectError):
        httpx.get(web.http, trust_env=False)  # the controller has no such server


def test_a_connection_is_kept_and_used_again(ssh: Connection, web: Web) -> None:
    with client(ssh) as http:
        first, second = http.get(web.http).text, http.get(web.http).text
    assert first == second  # it tells how many connections there were
    with client(ssh) as http:
        assert http.get(web.http).text != first


def test_a_redirect_to_another_port_is_dialled_there(ssh: Connection, web: Web) -> None:
    with client(ssh) as http:
        assert http.get(f"{web.http}/elsewhere").status_code == 302
    with client(ssh, follow_redirects=True) as http:
        response = http.get(f"{web.http}/elsewhere")
    assert response.text == "hello 1"
    assert response.url.host == "127.0.0.1"


def test_the_controllers_proxy_is_not_used(
    ssh: Connection, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with client(ssh) as http:
        assert http.get(web.http).status_code == 200


def test_certificates_and_names_are_checked(ssh: Connection, web: Web) -> None:
    with client(ssh) as http, pytest.raises(httpx.ConnectError, match="self-signed certificate"):
        http.get(web.https)
    with client(ssh, ca=web.ca) as http:
        assert http.get(web.https).text.startswith("hello")
        with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
            http.get(web.https.replace("localhost", "127.0.0.1"))
    with client(ssh, verify=False) as http:
        assert http.get(web.https).status_code == 200


def test_a_ca_file_that_is_none_is_told(ssh: Connection, web: Web, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", Path("/etc/hostname")):
        with client(ssh, ca=str(path)) as http, pytest.raises(ModuleFailed, match=str(path)):
            http.get(web.https)


def test_what_the_host_cannot_reach_is_told_in_its_words(ssh: Connection) -> None:
    with client(ssh) as http:
        with pytest.raises(DialRefused, match="localhost:1: Connection refused"):
            http.get("http://localhost:1")
        with pytest.raises(DialRefused, match="name resolution"):
            http.get("http://no-such-name.invalid")


def test_a_connect_has_a_deadline(ssh: Connection, lab: Lab) -> None:
    drop = ["-p", "tcp", "--dport", "7998", "-j", "DROP"]
    lab.h1.exec(["iptables", "-w", "-I", "INPUT", *drop], check=True)
    try:
        with client(ssh, timeout=0.3) as http, pytest.raises(DeadlineExceeded):
            http.get("http://127.0.0.1:7998")
    finally:
        lab.h1.exec(["iptables", "-w", "-D", "INPUT", *drop], check=True)


def test_an_answer_that_stays_out_or_ends_early_is_httpxs_to_tell(
    ssh: Connection, web: Web
) -> None:
    with client(ssh, timeout=0.3) as http, pytest.raises(httpx.ReadTimeout):
        http.get(f"{web.http}/slow")
    with client(ssh) as http, pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{web.http}/short")


def test_a_closed_client_leaves_nothing_behind(ssh: Connection, web: Web) -> None:
    before = Resources(ssh)
    for _ in range(10):
        with client(ssh, ca=web.ca) as http:
            http.get(web.http)
            http.get(web.https)
    assert before.back()
