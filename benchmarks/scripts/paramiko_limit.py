"""The limit: ten commands a host with bare paramiko, nothing else. See `--help`.

known_hosts and the key are parsed once and shared; 32 hosts at a time.
"""

from __future__ import annotations

import argparse
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko


class QuickSocket(socket.socket):
    """Sends at once and acknowledges at once: OpenSSH waits 40 ms for it otherwise."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As `socket.recv`; the kernel forgets the option after each."""
        data = super().recv(size, flags)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def main() -> None:
    """Connect to every host and run the commands there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["channel", "shell"], help="a channel each, or one shell")
    parser.add_argument("hosts", type=Path, help="a file with an address a line")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--known-hosts", required=True)
    parser.add_argument("--commands", type=int, default=10)
    options = parser.parse_args()

    key = paramiko.Ed25519Key.from_private_key_file(options.key)
    known = paramiko.HostKeys(options.known_hosts)
    work = channel_each if options.way == "channel" else one_shell

    def one(host: str) -> None:
        link = connect(host, options.port, options.user, key, known)
        try:
            work(link, options.commands)
        finally:
            link.close()

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, options.hosts.read_text(encoding="utf-8").split()))


def connect(
    host: str, port: int, user: str, key: paramiko.PKey, known: paramiko.HostKeys
) -> paramiko.Transport:
    """An authenticated transport to a host whose key is known."""
    plain = socket.create_connection((host, port))
    quick = QuickSocket(fileno=plain.detach())
    quick.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link = paramiko.Transport(quick)
    link.start_client(timeout=30)
    if not known.check(f"[{host}]:{port}", link.get_remote_server_key()):
        raise SystemExit(f"{host}: unknown host key")
    link.auth_publickey(user, key)
    return link


def channel_each(link: paramiko.Transport, commands: int) -> None:
    """Run each command over a channel of its own."""
    for number in range(commands):
        channel = link.open_session()
        channel.exec_command(f"echo hello {number}")
        said = channel.makefile("rb").read()
        if channel.recv_exit_status() != 0 or said != b"hello %d\n" % number:
            raise SystemExit(f"command {number} failed: {said!r}")
        channel.close()


def one_shell(link: paramiko.Transport, commands: int) -> None:
    """Run each command in the same remote shell; the next is sent when one has ended."""
    channel = link.open_session()
    channel.exec_command("/bin/sh")
    answers = channel.makefile("rb")
    for number in range(commands):
        channel.sendall(f"echo hello {number}; echo end $?\n".encode())
        said = answers.readline() + answers.readline()
        if said != b"hello %d\nend 0\n" % number:
            raise SystemExit(f"command {number} failed: {said!r}")
    channel.close()


if __name__ == "__main__":
    main()
