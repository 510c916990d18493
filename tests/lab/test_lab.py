"""The lab is what the other tests believe it is."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab import postgres
from tests.lab.many import ManyHosts
from tests.lab.namespace import Namespace, need

if TYPE_CHECKING:
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


def ssh(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={host.known_hosts}"]
    argv = ["ssh", *options, "-i", str(host.key_path), "-p", str(host.port)]
    argv += [f"{host.user}@{host.address}", command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)


def test_a_host_lets_the_client_in_and_is_another_machine(lab: Lab) -> None:
    for host in (lab.h1, lab.h2):
        kinds = ("net", "mnt", "pid", "uts", "ipc")
        done = ssh(host, f"cd /proc/self/ns; hostname; id -un; readlink {' '.join(kinds)}")
        assert done.stderr == ""
        name, user, *theirs = done.stdout.split()
        assert (name, user) == (host.name, "root")
        assert len(theirs) == len(kinds)
        assert not set(theirs) & {str(Path("/proc/self/ns", kind).readlink()) for kind in kinds}
    lab.h1.write("/srv/only-here", "h1")
    assert ssh(lab.h2, "cat /srv/only-here").returncode == 1
    assert not Path("/srv/only-here").exists()


def test_nobody_reaches_postgres_but_through_ssh(lab_postgres: Lab) -> None:
    for host in (lab_postgres.h1, lab_postgres.h2):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.address, postgres.PORT), timeout=5)
        assert not Path(postgres.SOCKET_DIR, f".s.PGSQL.{postgres.PORT}").exists()
        query = "psql -X -A -t -U postgres insightengine -c 'select current_user'"
        assert ssh(host, query).stdout == "postgres\n"


def test_nobody_reaches_docker_but_through_ssh(lab_docker: Lab) -> None:
    host = lab_docker.h1
    run = host.docker(
        *["run", "-d", "-p", "127.0.0.1:8099:80", "lab:1"],
        *["sh", "-c", "echo inside >/www/index.html; exec httpd -f -p 80 -h /www"],
    )
    try:
        name = run.stdout.strip()
        assert name[:12] in ssh(host, "docker ps").stdout
        page = "exec 3<>/dev/tcp/localhost/8099; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        assert "inside" in ssh(host, page).stdout
        assert name not in ssh(lab_docker.h2, "docker ps -q --no-trunc").stdout
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.address, 8099), timeout=5)
        ours = subprocess.run(
            ["docker", "ps", "-q", "--no-trunc"], capture_output=True, check=False
        )
        assert name.encode() not in ours.stdout
    finally:
        host.docker("rm", "-f", name)


def test_a_host_can_be_entered_without_ssh(lab: Lab, tmp_path: Path) -> None:
    assert lab.h1.exec(["hostname"]).stdout == "h1\n"
    assert lab.h1.exec(["cat"], stdin="text").stdout == "text"
    assert lab.h1.exec(["sh", "-c", "echo $X; pwd"], env={"X": "1"}, cwd=tmp_path).stdout == (
        f"1\n{tmp_path}\n"
    )
    assert lab.h1.exec(["sh", "-c", "exit 7"]).returncode == 7


def test_orphans_are_collected(lab: Lab) -> None:
    lab.h1.exec(["sh", "-c", "sleep 0.01 &"], check=True)
    zombies = "sleep 0.2; ps -e -o stat= | grep -c Z"
    assert lab.h1.exec(["sh", "-c", zombies]).stdout == "0\n"


def test_closing_a_machine_ends_all_that_runs_in_it() -> None:
    machine = Namespace("gone")
    process = machine.start(["sh", "-c", "echo up; exec sleep 1000"], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as said:
        assert said.readline() == b"up\n"
    inner = machine.pid
    machine.close()
    assert process.returncode == -9
    assert not Path(f"/proc/{inner}").exists()


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match=r"dockerd: apt-get install docker\.io"):
        need("dockerd")


def test_the_inventory_names_both_hosts(lab: Lab, tmp_path: Path) -> None:
    text = lab.inventory(tmp_path).read_text()
    assert f"h1: {{ansible_host: {lab.h1.address}}}" in text
    assert f"h2: {{ansible_host: {lab.h2.address}}}" in text


def test_many_hosts_are_one_server_under_many_addresses(tmp_path: Path) -> None:
    with ManyHosts(260) as many:
        assert many.addresses[-1] == "127.0.2.10"
        for address in (many.addresses[0], many.addresses[-1]):
            with socket.create_connection((address, many.port), timeout=5) as link:
                assert link.recv(4) == b"SSH-"
            assert f"[{address}]:{many.port} ssh-ed25519" in many.known_hosts.read_text()
        assert "n0259: {ansible_host: 127.0.2.10}" in many.inventory(tmp_path).read_text()
    assert not many.directory.exists()
