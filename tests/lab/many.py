"""Many hosts cheaply, for load: one sshd on every address of the loopback network."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.lab.delay import Delay
from tests.lab.namespace import Namespace
from tests.lab.ports import free_port
from tests.lab.sshd import make_key, prepare, start_sshd

_OPTIONS = {
    # Every address is the controller's own: nobody but the controller may come in.
    "AllowUsers": "root@127.0.0.0/8",
    "PasswordAuthentication": "no",
    # An empty home: the account's .bashrc would be part of every channel's time.
    "SetEnv": "HOME=/srv",
}


class ManyHosts:
    """One sshd, addressed as 127.0.1.1, 127.0.1.2…; a context manager.

    Args:
        count: how many addresses `known_hosts` and the inventory have.
        round_trip: seconds to them; it is a proxy that makes them far.
    """

    user = "root"

    def __init__(self, count: int, round_trip: float = 0.0) -> None:
        self.addresses = [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(count)]
        self.directory = Path(tempfile.mkdtemp(prefix=f"quell-many-{os.getpid()}-"))
        self._machine = Namespace("many", network=False)
        self._distance = ExitStack()
        try:
            client = make_key(self.directory / "id_ed25519")
            self.key_path = client.path
            self.known_hosts = self.directory / "known_hosts"
            key = prepare(self._machine, client)
            self.port = free_port()
            start_sshd(self._machine, "0.0.0.0", self.port, _OPTIONS)
            if round_trip:
                delay = Delay("127.0.0.1", self.port, round_trip, "0.0.0.0")
                self.port = self._distance.enter_context(delay).port
        except BaseException:
            self.close()
            raise
        lines = [f"[{address}]:{self.port} {key}\n" for address in self.addresses]
        self.known_hosts.write_text("".join(lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inventory(self, directory: Path) -> Path:
        """Write an inventory with all of them in group `many`: `n0000`, `n0001`…"""
        path = directory / "many.yml"
        hosts = "".join(
            f"    n{number:04}: {{ansible_host: {address}}}\n"
            for number, address in enumerate(self.addresses)
        )
        path.write_text(f"""\
many:
  vars:
    ansible_user: {self.user}
    ansible_port: {self.port}
    ansible_ssh_private_key_file: {self.key_path}
    ansible_ssh_known_hosts_file: {self.known_hosts}
  hosts:
{hosts}""")
        return path

    def close(self) -> None:
        """End the server and remove the files."""
        self._distance.close()
        self._machine.close()
        shutil.rmtree(self.directory)
