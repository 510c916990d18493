"""A machine that stands behind a host of the lab: nobody gets there but through that host."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.lab.namespace import Namespace
from tests.lab.sshd import prepare, start_sshd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.sshd import ClientKey


class Behind(Namespace):
    """A machine with an sshd on port 22, joined to another machine and to nothing else.

    Args:
        name: its host name.
        number: of its network, unlike that of every other such machine.
        host: the machine that it stands behind.
        client: whose key it lets in.
        known_hosts: the file that its host key is added to.
    """

    def __init__(
        self, name: str, number: int, host: Namespace, client: ClientKey, known_hosts: Path
    ) -> None:
        super().__init__(name)
        try:
            self.address = f"198.18.{number}.2"
            self.gateway = f"198.18.{number}.1"
            """The machine that it stands behind, as it sees it."""
            self._join(host, f"b{os.getpid()}{number}")
            self.host_key = prepare(self, client)
            start_sshd(self, self.address, 22, {})
            with known_hosts.open("a") as file:
                file.write(f"{self.address} {self.host_key}\n")
        except BaseException:
            self.close()
            raise

    def _join(self, host: Namespace, link: str) -> None:
        # The pid is the controller's name of it, so only the host's network is entered.
        batch = (
            f"link add {link} type veth peer name eth0 netns {self.pid}\n"
            f"addr add {self.gateway}/30 dev {link}\n"
            f"link set {link} up\n"
        )
        inside = ["nsenter", "-t", str(host.pid), "-n", "--", "ip", "-batch", "-"]
        subprocess.run(inside, input=batch.encode(), check=True)
        self.exec(
            ["ip", "-batch", "-"],
            stdin=f"addr add {self.address}/30 dev eth0\nlink set eth0 up\nlink set lo up\n",
            check=True,
        )
