"""Several hosts that can be killed one by one: an sshd each, all in one machine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.lab.faults import frozen, kill_sshd, signal, sshd_sessions, sshd_tree
from tests.lab.namespace import Namespace
from tests.lab.ports import free_port
from tests.lab.sshd import make_key, prepare, start_sshd

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_ECHO = str(Path(__file__).parents[1] / "connections" / "echo.py")
_OPTIONS = {
    # Every address is the controller's own: nobody but the controller may come in.
    "AllowUsers": "root@127.0.0.0/8",
    "PasswordAuthentication": "no",
    "SetEnv": "HOME=/srv",
    # What production has.
    "MaxStartups": "10:30:100",
    "MaxSessions": "10",
}


@dataclass(frozen=True)
class One:
    """One of them."""

    name: str
    address: str
    port: int


class SeveralHosts:
    """So many sshds, on addresses and ports of their own; a context manager.

    They share a machine, so that all that is left behind on any of them is in one process list. A
    server there echoes, on the port `echo` of its loopback.
    """

    def __init__(self, count: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"quell-several-{os.getpid()}-"))
        self.machine = Namespace("several", network=False)
        try:
            client = make_key(self.directory / "id_ed25519")
            key = prepare(self.machine, client)
            self.hosts = [self._host(number) for number in range(count)]
            with ThreadPoolExecutor() as pool:
                list(pool.map(self.start, self.hosts))
            self.variables = {
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(client.path),
                "ansible_ssh_known_hosts_file": str(self.directory / "known_hosts"),
            }
            lines = [f"[{one.address}]:{one.port} {key}\n" for one in self.hosts]
            (self.directory / "known_hosts").write_text("".join(lines))
            self.echo = self._start_echo()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _host(number: int) -> One:
        return One(f"s{number:02}", f"127.0.2.{1 + number}", free_port())

    def _start_echo(self) -> int:
        path = f"/run/echo-{secrets.token_hex(4)}.sock"
        process = self.machine.start([sys.executable, _ECHO, path], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            return int(process.stdout.readline().split()[0])

    def start(self, host: One) -> None:
        """Start its sshd."""
        start_sshd(self.machine, host.address, host.port, _OPTIONS)

    def kill(self, host: One) -> None:
        """End its sshd, and all that runs below it."""
        kill_sshd(self.machine, host.port)

    def cut(self, host: One) -> None:
        """End its connections; what runs in them goes on."""
        signal(self.machine, "KILL", sshd_sessions(self.machine, host.port))

    def frozen(self, host: One) -> AbstractContextManager[None]:
        """It stands still while the context lasts."""
        return frozen(self.machine, sshd_tree(self.machine, host.port))

    def processes(self) -> list[str]:
        """What runs on them, but for the servers that were started here."""
        listed = self.machine.exec(
            ["ps", "-ww", "-eo", "pid=,args="], check=True
        ).stdout.splitlines()
        ours = ("sshd -D -f /srv/ssh/config-", "sys.stdin.read()", _ECHO, "ps -ww -eo pid=,args=")
        return [line.strip() for line in listed if not any(word in line for word in ours)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End them and remove the files."""
        self.machine.close()
        shutil.rmtree(self.directory)
