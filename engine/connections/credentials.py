"""What every handshake needs and none changes: read once a run, shared by all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.connections.hostkeys import KnownHosts
from engine.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


class Credentials:
    """Known host keys and private keys. Thread-safe: whoever comes second waits for the first."""

    def __init__(self) -> None:
        """Nothing is read before it is asked for."""
        self._lock = threading.Lock()
        self._known_hosts: dict[tuple[Path, ...], KnownHosts] = {}
        self._keys: dict[Path, paramiko.PKey | Unreachable] = {}

    def known_hosts(self, paths: tuple[Path, ...]) -> KnownHosts:
        """The keys in these files."""
        with self._lock:
            if paths not in self._known_hosts:
                self._known_hosts[paths] = KnownHosts(paths)
            return self._known_hosts[paths]

    def private_key(self, path: Path) -> paramiko.PKey:
        """The key in a file.

        Raises:
            Unreachable: it cannot be used, and why.
        """
        with self._lock:
            if path not in self._keys:
                try:
                    self._keys[path] = _load(path)
                except Unreachable as failure:
                    self._keys[path] = failure
            found = self._keys[path]
        if isinstance(found, Unreachable):
            raise Unreachable(found.message)
        return found

    def default_keys(self) -> list[tuple[Path, paramiko.PKey]]:
        """The account's usual keys, those that can be used."""
        found = []
        for path in (Path(text).expanduser() for text in _DEFAULT_KEYS):
            if path.exists():
                try:
                    found.append((path, self.private_key(path)))
                except Unreachable:
                    continue  # an encrypted one: if it is to be used, the agent has it
        return found


def _load(path: Path) -> paramiko.PKey:
    import paramiko
    from paramiko.pkey import UnknownKeyType

    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        raise Unreachable(f"private key {path}: {error.strerror}") from error
    except TypeError as error:  # from the cryptography library: no passphrase was given
        raise Unreachable(
            f"private key {path} has a passphrase; give it to the agent: ssh-add {path}"
        ) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise Unreachable(f"private key {path} cannot be read: {error}") from error
