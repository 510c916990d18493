"""Getting in: who is let through, and what a tired person reads when nobody is."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv
from engine.connections.credentials import Credentials
from engine.connections.handshake import connect
from engine.connections.links import Links
from engine.errors import Unreachable
from tests.connections.helpers import eventually, settings_for
from tests.connections.impostor import Impostor
from tests.lab import sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.connections.settings import Settings
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _no_keys_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the agent nor the default keys of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def watched(lab: Lab) -> Host:
    """The first host, with an sshd on port 2201 that logs every message of the protocol."""
    lab.h1.sshd(2201, {"LogLevel": "DEBUG2"})
    return lab.h1


def refusal(settings: Settings) -> str:
    """Why the connect failed."""
    before = threading.active_count()
    with pytest.raises(Unreachable) as caught:
        connect(settings, Credentials())
    until = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < until, "a thread was left behind"
        time.sleep(0.01)
    return caught.value.message


def user_of(settings: Settings) -> str:
    """Connect, and ask who we are there."""
    links = Links({"h1": settings})
    try:
        return links.get("h1").run(Argv(("id", "-un")), timeout=10).stdout.text.strip()
    finally:
        links.close()


# ── the host proves itself first ──────────────────────────────────────────────────────────────


def logins(host: Host) -> int:
    log = host.exec(["cat", "/srv/ssh/log-2201"], check=True).stdout
    return log.count("userauth-request for user")


def test_a_known_host_is_entered(watched: Host) -> None:
    before = logins(watched)
    assert user_of(settings_for(watched, ansible_port=2201)) == "root"
    assert logins(watched) > before


def test_an_unknown_host_is_refused_before_we_say_who_we_are(watched: Host, tmp_path: Path) -> None:
    nobody = tmp_path / "known_hosts"
    before = logins(watched)
    changes = {"ansible_port": 2201, "ansible_ssh_known_hosts_file": str(nobody)}
    said = refusal(settings_for(watched, **changes, ansible_password="secret"))
    assert f"the host key of {watched.address} port 2201 is unknown" in said
    assert logins(watched) == before
    # The command that the message names mends it.
    command = said.rpartition("trust it with: ")[2]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert user_of(settings_for(watched, **changes)) == "root"


def test_a_changed_host_is_refused_before_we_say_who_we_are(
    watched: Host, lab: Lab, tmp_path: Path
) -> None:
    kind, _ = lab.h2.host_key.split()
    other = sshd.make_key(tmp_path / "other").public
    known = tmp_path / "known_hosts"
    known.write_text(f"[{watched.address}]:2201 {other}")
    before = logins(watched)
    changes = {"ansible_port": 2201, "ansible_ssh_known_hosts_file": str(known)}
    said = refusal(settings_for(watched, **changes, ansible_password="secret"))
    assert "HAS CHANGED" in said
    assert kind in said
    assert logins(watched) == before
    remove, scan = re.findall(r": (ssh-keygen -R .*?), then: (ssh-keyscan .*)", said)[0]
    for command in (remove, scan):
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert user_of(settings_for(watched, **changes)) == "root"


def test_a_host_is_asked_for_the_kind_of_key_that_is_known(lab: Lab, tmp_path: Path) -> None:
    keys = [f"/srv/ssh/host_{kind}" for kind in ("ed25519", "ecdsa")]
    lab.h1.sshd(2202, {"HostKey": keys})
    ecdsa = lab.h1.exec(["cat", f"{keys[1]}.pub"], check=True).stdout
    known = tmp_path / "known_hosts"
    known.write_text(f"[{lab.h1.address}]:2202 {ecdsa}")
    changes = {"ansible_port": 2202, "ansible_ssh_known_hosts_file": str(known)}
    assert user_of(settings_for(lab.h1, **changes)) == "root"


# ── we prove ourselves ────────────────────────────────────────────────────────────────────────


def test_a_password_lets_in(lab: Lab) -> None:
    changes = {"ansible_user": sshd.USER, "ansible_ssh_private_key_file": None}
    settings = settings_for(lab.h1, **changes, ansible_password=sshd.PASSWORD)
    assert user_of(settings) == sshd.USER


def test_a_password_is_given_where_it_is_asked_for_interactively(lab: Lab) -> None:
    lab.h1.sshd(
        2203,
        {"UsePAM": "yes", "KbdInteractiveAuthentication": "yes", "PasswordAuthentication": "no"},
    )
    changes = {"ansible_user": sshd.USER, "ansible_ssh_private_key_file": None}
    right = settings_for(lab.h1, ansible_port=2203, ansible_password=sshd.PASSWORD, **changes)
    assert user_of(right) == sshd.USER
    wrong = settings_for(lab.h1, ansible_port=2203, ansible_password="no", **changes)
    assert "login refused: tried password" in refusal(wrong)


def test_key_and_password_together_let_in_where_both_are_asked_for(lab: Lab) -> None:
    lab.h1.sshd(2204, {"AuthenticationMethods": "publickey,password"})
    changes = {"ansible_port": 2204, "ansible_user": sshd.USER}
    both = settings_for(lab.h1, **changes, ansible_password=sshd.PASSWORD)
    assert user_of(both) == sshd.USER
    said = refusal(settings_for(lab.h1, **changes))
    assert said.endswith("; it accepts password")


def test_the_usual_key_of_the_account_is_found(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(lab.h1.key_path.read_bytes())
    assert user_of(settings_for(lab.h1, ansible_ssh_private_key_file=None)) == "root"


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield
        process.terminate()


@pytest.mark.usefixtures("agent")
def test_the_agents_key_is_offered(lab: Lab) -> None:
    subprocess.run(["ssh-add", "-q", str(lab.h1.key_path)], check=True, env=os.environ)
    assert user_of(settings_for(lab.h1, ansible_ssh_private_key_file=None)) == "root"


@pytest.mark.usefixtures("agent")
def test_a_key_with_a_passphrase_works_by_the_agent_that_has_it(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_bytes(lab.h1.key_path.read_bytes())
    path.chmod(0o600)
    subprocess.run(["ssh-add", "-q", str(path)], check=True, env=os.environ)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(path)], check=True)
    assert user_of(settings_for(lab.h1, ansible_ssh_private_key_file=str(path))) == "root"


def test_a_refused_login_names_all_that_was_tried(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    usual = tmp_path / ".ssh" / "id_ed25519"
    sshd.make_key(usual)
    named = sshd.make_key(tmp_path / "named")
    changes = {"ansible_ssh_private_key_file": str(named.path), "ansible_password": "wrong"}
    said = refusal(settings_for(lab.h1, **changes))
    assert f"root@{lab.h1.address} port 22: login refused: tried key {named.path} (SHA256:" in said
    assert said.endswith(", password")
    assert "wrong" not in said
    assert str(usual) not in said  # as by ssh: a named key stands for the usual ones
    said = refusal(settings_for(lab.h1, ansible_ssh_private_key_file=None))
    assert f"key {usual} (SHA256:" in said


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (None, "No such file or directory"),
        (b"no key at all", "cannot be read"),
        ("secret", "has a passphrase; give it to the agent: ssh-add "),
    ],
)
def test_a_key_that_cannot_be_used_is_told(
    lab: Lab, tmp_path: Path, make: bytes | str | None, why: str
) -> None:
    path = tmp_path / "key"
    if isinstance(make, bytes):
        path.write_bytes(make)
    elif make is not None:
        sshd.make_key(path, passphrase=make)
    said = refusal(settings_for(lab.h1, ansible_ssh_private_key_file=str(path)))
    assert f"private key {path}" in said
    assert why in said


def test_nothing_to_try_is_told(lab: Lab) -> None:
    said = refusal(settings_for(lab.h1, ansible_ssh_private_key_file=None))
    assert "there was no key and no password to try" in said


# ── nobody is there ───────────────────────────────────────────────────────────────────────────


def test_a_closed_port_is_told(lab: Lab) -> None:
    said = refusal(settings_for(lab.h1, ansible_port=1))
    assert said == (
        f"{lab.h1.address} port 1: connection refused (is sshd running, and on that port?)"
    )


def test_a_name_that_does_not_exist_is_told(lab: Lab) -> None:
    said = refusal(settings_for(lab.h1, ansible_host="no-such-host.invalid"))
    assert said.startswith("the name 'no-such-host.invalid' cannot be resolved: ")
    assert "no-such" in refusal(settings_for(lab.h1, ansible_host="no-such-" + "x" * 80))


def test_a_black_hole_is_given_up_in_time(lab: Lab) -> None:
    drop = ["-p", "tcp", "--dport", "2299", "-j", "DROP"]
    lab.h1.exec(["iptables", "-w", "-I", "INPUT", *drop], check=True)
    try:
        said = refusal(settings_for(lab.h1, ansible_port=2299, ansible_timeout=1))
    finally:
        lab.h1.exec(["iptables", "-w", "-D", "INPUT", *drop], check=True)
    assert said == (
        f"{lab.h1.address} port 2299: no answer within 1 s (host down, or a firewall drops it)"
    )


@pytest.mark.parametrize(
    ("says", "stay", "told"),
    [
        (b"", True, "it says nothing within 2 s (is it the right port? is its sshd overloaded?)"),
        (b"", False, "it hangs up (is it the right port? is its sshd overloaded?)"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", False, "it says 'HTTP/1.1 400 Bad' (is it the right port?)"),
        (b"220 mail\r\n", True, "it says '220 mail' (is it the right port?)"),
    ],
    ids=["silent", "hangs up", "http", "mail"],
)
def test_what_is_no_ssh_server_is_told(lab: Lab, says: bytes, stay: bool, told: str) -> None:
    with Impostor(says, stay=stay) as server:
        changes = {"ansible_host": "127.0.0.1", "ansible_port": server.port}
        said = refusal(settings_for(lab.h1, **changes, ansible_timeout=2))
    assert said == (
        f"127.0.0.1 port {server.port} accepts connections but does not answer as an SSH server: "
        f"{told}"
    )


def test_a_server_that_hangs_up_at_first_is_asked_again(lab: Lab) -> None:
    # As sshd does over its MaxStartups.
    with Impostor(b"", stay=False) as server:
        changes = {"ansible_host": "127.0.0.1", "ansible_port": server.port}
        refusal(settings_for(lab.h1, **changes, ansible_timeout=10))
        assert server.visits == 4


def test_a_server_that_hung_up_and_then_says_nothing_is_told_of_as_it_was(lab: Lab) -> None:
    # Asked for the last time, it has hardly any time left.
    with Impostor(b"", stay=False, patience=1) as server:
        changes = {"ansible_host": "127.0.0.1", "ansible_port": server.port}
        said = refusal(settings_for(lab.h1, **changes, ansible_timeout=2))
    assert said.endswith("it hangs up (is it the right port? is its sshd overloaded?)")


@pytest.mark.parametrize("reset", [False, True])
def test_a_server_that_dies_in_the_handshake_is_told(lab: Lab, reset: bool) -> None:
    with Impostor(b"SSH-2.0-Impostor\r\n", stay=False, reset=reset) as server:
        changes = {"ansible_host": "127.0.0.1", "ansible_port": server.port}
        said = refusal(settings_for(lab.h1, **changes, ansible_timeout=5))
        assert server.visits == 1
    assert said == f"127.0.0.1 port {server.port}: the SSH handshake failed: it hung up"


def test_a_server_that_stops_in_the_handshake_is_told(lab: Lab) -> None:
    with Impostor(b"SSH-2.0-Impostor\r\n", stay=True) as server:
        changes = {"ansible_host": "127.0.0.1", "ansible_port": server.port}
        said = refusal(settings_for(lab.h1, **changes, ansible_timeout=1))
    assert said == (
        f"127.0.0.1 port {server.port}: the SSH handshake failed: gives no answer within 1 s"
    )


# ── many at once ──────────────────────────────────────────────────────────────────────────────


def half_way(host: Host, port: int) -> socket.socket:
    """A client that has not logged in yet, and is counted for as long."""
    while True:
        client = socket.create_connection((host.address, port))
        if client.recv(100).startswith(b"SSH-2.0-"):
            return client
        client.close()  # whoever looked whether it has started is still counted


def test_a_server_that_is_full_is_asked_until_it_is_not(lab: Lab) -> None:
    lab.h1.sshd(2205, {"MaxStartups": "1"})
    settings = settings_for(lab.h1, ansible_port=2205, ansible_timeout=60)
    with ThreadPoolExecutor(2) as pool:
        with half_way(lab.h1, 2205):
            waiting = pool.submit(user_of, settings)
            log = ["grep", "-c", "drop connection", "/srv/ssh/log-2205"]
            assert eventually(lambda: int(lab.h1.exec(log).stdout or 0) > 0)
        assert waiting.result(60) == "root"


def test_a_server_that_stays_full_is_told(lab: Lab) -> None:
    lab.h1.sshd(2206, {"MaxStartups": "1"})
    with half_way(lab.h1, 2206):
        said = refusal(settings_for(lab.h1, ansible_port=2206, ansible_timeout=2))
    assert re.fullmatch(
        rf"{lab.h1.address} port 2206: its sshd takes no more logins at once \(MaxStartups\), "
        r"\d+ attempts were turned away",
        said,
    )


def test_a_server_with_the_usual_limit_turns_none_of_us_away(lab: Lab) -> None:
    lab.h1.sshd(2207, {"MaxStartups": "10:30:100"})
    names = [f"n{number}" for number in range(30)]
    links = Links({name: settings_for(lab.h1, ansible_port=2207) for name in names})
    with ThreadPoolExecutor(len(names)) as pool:
        ended = pool.map(lambda name: links.get(name).run(Argv(("true",)), timeout=60), names)
        assert [one.status for one in ended] == [0] * len(names)
    links.close()
    log = lab.h1.exec(["cat", "/srv/ssh/log-2207"], check=True).stdout
    assert log.count("Accepted publickey") == len(names)
    assert "drop connection" not in log
