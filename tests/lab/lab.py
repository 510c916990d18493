"""The lab: two Linux hosts that nobody reaches but through SSH."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.dockerd import remove_cgroups, start_dockerd
from tests.lab.namespace import Namespace
from tests.lab.postgres import AS_POSTGRES, DATABASE, start_postgres
from tests.lab.sshd import ClientKey, make_key, prepare, start_sshd

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping


class Host(Namespace):
    """One host: a machine with an sshd; PostgreSQL and Docker are started when asked for.

    Args:
        name: `h1`.
        number: 0 to 7, of all that are up at once; with our pid it makes the subnet.
        client: whose key it lets in.
        known_hosts: the file that its host keys are added to.

    `address`, `port`, `user`, `key_path` and `known_hosts` are what a client needs.
    """

    port = 22
    user = "root"
    docker_listens: tuple[str, ...] = ()

    def __init__(self, name: str, number: int, client: ClientKey, known_hosts: Path) -> None:
        super().__init__(name)
        try:
            self.key_path = client.path
            self.known_hosts = known_hosts
            base = 32 * (os.getpid() % 2**18) + 4 * number
            prefix = f"10.{128 + (base >> 16)}.{base >> 8 & 255}"
            self.address = f"{prefix}.{(base & 255) + 2}"
            self.gateway = f"{prefix}.{(base & 255) + 1}"
            """The controller, as the host sees it."""
            link = f"q{os.getpid()}{name}"
            self.connect(link, f"{self.gateway}/30", f"{self.address}/30")
            self.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 db.{name}\n")
            self.host_key = prepare(self, client)
            """`type base64`, as in known_hosts."""
            self._lock = threading.Lock()
            self._running: set[str] = set()
            self.sshd(self.port)
        except BaseException:
            self.close()
            raise

    def sshd(self, port: int, options: Mapping[str, str | list[str]] | None = None) -> None:
        """Start one more sshd, with other options; it lives as long as the host."""
        start_sshd(self, self.address, port, options or {})
        self.known_at(self.address if port == Host.port else f"[{self.address}]:{port}")

    def known_at(self, where: str) -> None:
        """Let clients know its key under an address, as known_hosts files name it."""
        with self.known_hosts.open("a") as file:
            file.write(f"{where} {self.host_key}\n")

    def postgres(self) -> None:
        """Start PostgreSQL unless it runs."""
        with self._lock:
            if "postgres" not in self._running:
                start_postgres(self)
                self._running.add("postgres")

    def dockerd(self) -> None:
        """Start the Docker engine unless it runs; its image is `lab:1`."""
        with self._lock:
            if "dockerd" not in self._running:
                start_dockerd(self, *self.docker_listens)
                self._running.add("dockerd")

    def psql(self, sql: str, *, database: str = DATABASE) -> str:
        """What PostgreSQL answers the superuser: a row a line, columns separated by `|`."""
        argv = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", database]
        done = self.exec([*AS_POSTGRES, *argv], stdin=sql, check=True)
        return done.stdout.strip()

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `docker` command inside."""
        return self.exec(["docker", *arguments], check=check)

    def close(self) -> None:
        """End it, and remove what Docker left in the kernel."""
        super().close()
        remove_cgroups(self)


class Lab:
    """Two hosts, and the client that may enter them; a context manager."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"quell-lab-{os.getpid()}-"))
        self.hosts: list[Host] = []
        try:
            client = self.client = make_key(self.directory / "id_ed25519")
            known_hosts = self.directory / "known_hosts"
            for number, name in enumerate(("h1", "h2")):
                self.hosts.append(Host(name, number, client, known_hosts))
        except BaseException:
            self.close()
            raise
        self.h1, self.h2 = self.hosts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inventory(self, directory: Path) -> Path:
        """Write an inventory of both hosts: h1 in group `app`, h2 in `db`."""
        path = directory / "inventory.yml"
        path.write_text(f"""\
all:
  vars:
    ansible_user: {Host.user}
    ansible_port: {Host.port}
    ansible_ssh_private_key_file: {self.h1.key_path}
    ansible_ssh_known_hosts_file: {self.h1.known_hosts}
  children:
    app:
      hosts:
        h1: {{ansible_host: {self.h1.address}}}
    db:
      hosts:
        h2: {{ansible_host: {self.h2.address}}}
""")
        return path

    def close(self) -> None:
        """End the hosts and remove the files."""
        for host in self.hosts:
            host.close()
        shutil.rmtree(self.directory)
