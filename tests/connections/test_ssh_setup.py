"""What a user's ssh_config says of host keys and silence, on a real sshd."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Script
from engine.connections.links import Links
from engine.connections.settings import Settings
from engine.connections.ssh_config import SshConfigs
from engine.errors import LinkLost, Unreachable
from tests.connections.helpers import settings_for
from tests.lab.many import ManyHosts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _no_keys_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def enter(host: Host, *arguments: str) -> str:
    """Log in with these arguments; no known_hosts file is named but by them."""
    changes = {"ansible_ssh_known_hosts_file": None}
    settings = settings_for(host, ansible_ssh_common_args=" ".join(arguments), **changes)
    links = Links({"h1": settings})
    try:
        return links.get("h1").run(Argv(("hostname",)), timeout=20).stdout.text.strip()
    finally:
        links.close()


# ── host keys ─────────────────────────────────────────────────────────────────────────────────


def test_host_keys_are_looked_for_in_every_file(lab: Lab, tmp_path: Path) -> None:
    empty, own = tmp_path / "empty", tmp_path / "own"
    empty.write_text("")
    own.write_text(f"{lab.h1.address} {lab.h1.host_key}\n")
    assert enter(lab.h1, f'-o UserKnownHostsFile="{empty} {own}"') == "h1"
    files = f"-o UserKnownHostsFile={empty} -o GlobalKnownHostsFile={own}"
    assert enter(lab.h1, files) == "h1"
    with pytest.raises(Unreachable, match="is unknown"):
        enter(lab.h1, f"-o UserKnownHostsFile={empty}")


def test_a_hashed_file_is_understood(lab: Lab, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"{lab.h1.address} {lab.h1.host_key}\n")
    argv = ["ssh-keygen", "-q", "-H", "-f", str(known)]
    subprocess.run(argv, check=True, capture_output=True)
    assert lab.h1.address not in known.read_text()
    assert enter(lab.h1, f"-o UserKnownHostsFile={known}") == "h1"


def test_a_host_is_known_by_its_alias(lab: Lab, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"the-app {lab.h1.host_key}\n")
    way = f"-o UserKnownHostsFile={known} -o HostKeyAlias=the-app"
    assert enter(lab.h1, way) == "h1"
    known.write_text("")
    with pytest.raises(Unreachable) as caught:
        enter(lab.h1, way)
    command = caught.value.message.rpartition("trust it with: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert enter(lab.h1, way) == "h1"


def test_no_option_lets_an_unknown_host_in(lab: Lab, tmp_path: Path) -> None:
    known = tmp_path / "known"
    for word in ("no", "off", "accept-new"):
        way = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking={word}"
        with pytest.raises(Unreachable, match="is unknown"):
            enter(lab.h1, way)
    assert not known.exists()


def test_a_host_that_shows_a_certificate_shows_its_key_to_us(lab: Lab, tmp_path: Path) -> None:
    sign = "ssh-keygen -q -t ed25519 -N '' -f ca; cp host_ed25519 one; cp host_ed25519.pub one.pub"
    sign += "; ssh-keygen -q -h -s ca -I h1 one.pub; cat ca.pub"
    script = f"cd /srv/ssh && {sign}"
    authority = lab.h1.exec(["sh", "-ec", script], check=True).stdout.strip()
    lab.h1.sshd(2261, {"HostKey": "/srv/ssh/one", "HostCertificate": "/srv/ssh/one-cert.pub"})
    known = tmp_path / "known"
    known.write_text(f"@cert-authority * {authority}\n")
    way = f"-o UserKnownHostsFile={known} -p 2261"
    changes = {"ansible_port": None, "ansible_ssh_known_hosts_file": None}
    links = Links({"h1": settings_for(lab.h1, ansible_ssh_common_args=way, **changes)})
    with pytest.raises(Unreachable, match="host certificates are not supported") as caught:
        links.get("h1").run(Argv(("true",)), timeout=20)
    links.close()
    command = caught.value.message.rpartition("trust it with: ")[2]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    links = Links({"h1": settings_for(lab.h1, ansible_ssh_common_args=way, **changes)})
    assert links.get("h1").run(Argv(("true",)), timeout=20).status == 0
    links.close()


# ── silence ───────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_falls_silent_is_found(lab: Lab) -> None:
    lab.h1.sshd(2262)
    way = "-o ServerAliveInterval=1 -o ServerAliveCountMax=2"
    settings = settings_for(lab.h1, ansible_port=2262, ansible_ssh_common_args=way)
    links = Links({"h1": settings})
    connection = links.get("h1")
    assert connection.run(Argv(("true",)), timeout=20).status == 0
    drop = ["-p", "tcp", "--dport", "2262", "-j", "DROP"]
    lab.h1.exec(["iptables", "-w", "-I", "INPUT", *drop], check=True)
    try:
        with pytest.raises(LinkLost):
            connection.run(Script("sleep 30"), timeout=30)
    finally:
        lab.h1.exec(["iptables", "-w", "-D", "INPUT", *drop], check=True)
        links.close()


def test_a_server_that_answers_is_left_alone(lab: Lab) -> None:
    way = "-o ServerAliveInterval=1 -o ServerAliveCountMax=1"
    links = Links({"h1": settings_for(lab.h1, ansible_ssh_common_args=way)})
    connection = links.get("h1")
    assert connection.run(Script("sleep 4"), timeout=20).status == 0
    time.sleep(2)
    assert connection.alive
    links.close()


# ── many hosts ────────────────────────────────────────────────────────────────────────────────


def test_for_many_hosts_each_file_is_read_once(tmp_path: Path) -> None:
    with ManyHosts(40) as many:
        config = tmp_path / "config"
        config.write_text(
            f"Host n*\n User {many.user}\n Port {many.port}\n IdentityFile {many.key_path}\n"
            f" UserKnownHostsFile {many.known_hosts}\n"
        )
        configs = SshConfigs((config,))
        settings = {
            f"n{number}": Settings.from_variables(
                f"n{number}",
                {"ansible_ssh_common_args": f"-o HostName={address}"},
                configs=configs,
            )
            for number, address in enumerate(many.addresses)
        }
        links = Links(settings)
        try:
            assert links.get("n0").run(Argv(("true",)), timeout=20).status == 0
            # What was read is not there to be read again.
            for path in (config, many.key_path, many.known_hosts):
                path.unlink()
            with ThreadPoolExecutor(8) as pool:
                done = pool.map(
                    lambda name: links.get(name).run(Argv(("true",)), timeout=20).status, settings
                )
                assert list(done) == [0] * 40
        finally:
            links.close()
