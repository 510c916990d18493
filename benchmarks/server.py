"""Many hosts cheaply: one OpenSSH server on this machine, reached by many loopback addresses."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_HOSTS = 250
START_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Args:
        directory: where its files are, and where cases may write theirs.
        port: on every address.
        user: who may log in, with `key`.
        key: private key file, ed25519.
        known_hosts: has the server's key for each address.
    """

    directory: Path
    port: int
    user: str
    key: Path
    known_hosts: Path

    def hosts(self, count: int) -> list[str]:
        """So many addresses of it."""
        return addresses()[:count]


def addresses() -> list[str]:
    """127.0.1.1 and those after it."""
    return [f"127.0.1.{number}" for number in range(1, MOST_HOSTS + 1)]


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Server]:
    """A server while the context lasts; ended by its pid afterwards.

    Args:
        directory: an empty one, for keys and configuration.

    Raises:
        SystemExit: there is no sshd, or it does not start.
    """
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("there is no sshd here; on Debian: apt-get install openssh-server")
    server = _configure(directory)
    config = directory / "sshd_config"
    with (directory / "sshd.log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _wait_until_up(server, process, directory / "sshd.log")
        yield server
    finally:
        process.terminate()
        process.wait()


def _configure(directory: Path) -> Server:
    directory.chmod(0o700)
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(command, check=True)
    shutil.copy(directory / "user_key.pub", directory / "authorized_keys")
    server = Server(
        directory=directory,
        port=_free_port(),
        user=getpass.getuser(),
        key=directory / "user_key",
        known_hosts=directory / "known_hosts",
    )
    kind, key, *_ = (directory / "host_key.pub").read_text(encoding="ascii").split()
    lines = [f"[{address}]:{server.port} {kind} {key}\n" for address in addresses()]
    server.known_hosts.write_text("".join(lines), encoding="ascii")
    (directory / "sshd_config").write_text(_config(server), encoding="ascii")
    (directory / "home").mkdir()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    return server


def _config(server: Server) -> str:
    # It listens on every address, for there is no shorter way to many; but lets in loopback only.
    # A home of its own: what the account's .bashrc costs is no property of what is measured.
    return f"""\
ListenAddress 0.0.0.0
Port {server.port}
HostKey {server.directory}/host_key
AuthorizedKeysFile {server.directory}/authorized_keys
AllowUsers {server.user}@127.0.0.0/8
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv HOME={server.directory}/home
StrictModes no
PidFile none
LogLevel ERROR
MaxStartups 1000
MaxSessions 100
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104 - free on every address
        return int(probe.getsockname()[1])


def _wait_until_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    late = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < late:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.1.1", server.port)):
            return
        time.sleep(0.05)
    raise SystemExit(f"sshd does not start:\n{log.read_text(encoding='utf-8')}")
