"""What every handshake needs and none changes: read once a run, shared by all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.connections.hostkeys import KnownHosts

if TYPE_CHECKING:
    from collections.abc import Callable

    from paramiko.pkey import PublicBlob

    from engine.connections.agents import Agent, AgentKey
    from engine.connections.identities import Identity
    from engine.connections.settings import Settings

_USUAL_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_ASKED = 3
"""How often a passphrase is asked for, as by ssh."""


class Credentials:
    """Known host keys, private keys and agents.

    Thread-safe: whoever comes second waits for the first.
    """

    def __init__(self) -> None:
        """Nothing is read before it is asked for."""
        self._lock = threading.Lock()
        self._known_hosts: dict[str, KnownHosts] = {}
        self._identities: dict[Path, Identity] = {}
        self._certificates: dict[Path, PublicBlob | None] = {}
        self._agents: dict[str, Agent] = {}
        self._asked: set[Path] = set()

    def known_hosts(self, paths: tuple[Path, ...]) -> KnownHosts:
        """The keys in these files."""
        names = "\0".join(map(str, paths))  # paths are compared part by part
        with self._lock:
            if names not in self._known_hosts:
                self._known_hosts[names] = KnownHosts(paths)
            return self._known_hosts[names]

    def identity(self, path: Path) -> Identity:
        """The private key in a file."""
        from engine.connections import identities

        with self._lock:
            if path not in self._identities:
                self._identities[path] = identities.read(path)
            return self._identities[path]

    def usual_keys(self) -> list[Identity]:
        """The account's usual keys, those that there are."""
        paths = (Path(text).expanduser() for text in _USUAL_KEYS)
        return [self.identity(path) for path in paths if path.exists()]

    def certificates(self, paths: tuple[Path, ...]) -> list[PublicBlob]:
        """The certificates in these files; what is none is left out, as by ssh."""
        from engine.connections import identities

        with self._lock:
            for path in paths:
                if path not in self._certificates:
                    self._certificates[path] = identities.certificate(path)
            return [blob for path in paths if (blob := self._certificates[path])]

    def held(self, agent: str) -> list[AgentKey]:
        """The keys of an agent."""
        from engine.connections.agents import Agent

        with self._lock:
            if agent not in self._agents:
                self._agents[agent] = Agent(agent)
            return self._agents[agent].keys

    def unlock(self, settings: Settings, ask: Callable[[str], str]) -> None:
        """Ask for the passphrases of the keys that a host is to be entered with, each once.

        Args:
            settings: of the host.
            ask: shows a prompt, and returns what was typed; nothing to go on without the key.
        """
        held = {key.asbytes() for key in self.held(settings.agent)}
        if settings.private_keys:
            wanted = [self.identity(path) for path in settings.private_keys]
        else:
            wanted = self.usual_keys()
            if held or settings.password or not all(one.locked for one in wanted):
                return  # there is something else to try
        for one in wanted:
            if one.locked and one.public not in held:
                self._unlock(one.path, ask)

    def _unlock(self, path: Path, ask: Callable[[str], str]) -> None:
        from engine.connections import identities

        if path in self._asked:
            return
        self._asked.add(path)
        for _ in range(_ASKED):
            passphrase = ask(f"Passphrase of {path}")
            if not passphrase:
                return
            found = identities.read(path, passphrase)
            with self._lock:
                self._identities[path] = found
            if found.key is not None:
                return
