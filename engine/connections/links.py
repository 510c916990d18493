"""The run's connections: one a host, opened when it is first used, kept until the end."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from engine.connections.become import Ladders
from engine.connections.credentials import Credentials
from engine.errors import Unreachable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from engine.connections.base import (
        Address,
        Argv,
        Become,
        Connection,
        Finished,
        Listener,
        Platform,
        Script,
    )
    from engine.connections.proxies import JumpHosts, Reach
    from engine.connections.settings import Settings

HANDSHAKES = 32
"""How many connects may be under way at once: more overflow servers' listen queues."""


class Links:
    """Holds every host's connection. Thread-safe.

    Args:
        settings: of each host, by its name in the inventory.
    """

    def __init__(self, settings: Mapping[str, Settings]) -> None:
        """Open nothing yet."""
        self._credentials = Credentials()
        self._settings = [one for one in settings.values() if one.kind == "ssh"]
        self._jump_hosts = _jump_hosts(self._settings, self._credentials)
        self._handshakes = threading.Semaphore(HANDSHAKES)
        self._links = {host: LazyConnection(self._opener(one)) for host, one in settings.items()}

    def get(self, host: str) -> Connection:
        """A host's connection; cheap: it connects when it is first used."""
        return self._links[host]

    def unlock(self, ask: Callable[[str], str]) -> None:
        """Ask for the passphrases of keys that are locked, before anything waits for them.

        Args:
            ask: shows a prompt, and returns what was typed; nothing to go on without the key.
        """
        for settings in self._settings:
            for one in (settings, *settings.way):
                self._credentials.unlock(one, ask)

    def interrupt(self) -> None:
        """End what is under way on every host, all at once; the next use connects again."""
        with ThreadPoolExecutor(HANDSHAKES) as pool:
            list(pool.map(LazyConnection.interrupt, self._links.values()))

    def close(self) -> None:
        """End all links at once."""
        with ThreadPoolExecutor(HANDSHAKES) as pool:
            list(pool.map(LazyConnection.close, self._links.values()))
        if self._jump_hosts is not None:
            self._jump_hosts.close()

    def _opener(self, settings: Settings) -> Callable[[], Connection]:
        ladders = Ladders()

        def open_() -> Connection:
            with self._handshakes:
                reach = self._jump_hosts.link if self._jump_hosts else None
                return _open(settings, self._credentials, reach, ladders)

        return open_


def _jump_hosts(settings: list[Settings], credentials: Credentials) -> JumpHosts | None:
    if not any(one.jump for one in settings):
        return None
    from engine.connections.proxies import JumpHosts

    return JumpHosts(credentials)


def _open(
    settings: Settings, credentials: Credentials, reach: Reach | None, ladders: Ladders
) -> Connection:
    if settings.kind == "local":
        from engine.connections.local import LocalConnection

        return LocalConnection(ladders, settings.shell)
    from engine.connections.handshake import connect
    from engine.connections.ssh import SshConnection

    link = connect(settings, credentials, reach)
    where = f"{settings.user}@{settings.address}"
    return SshConnection(link, where, ladders, settings.shell)


class LazyConnection:
    """A `Connection` that connects at first use; several threads wait for the one attempt.

    A failed attempt is remembered: nobody waits for the same dead host twice. A link that died is
    opened anew for the next use, since what is about to be sent has never been sent.
    """

    def __init__(self, open_: Callable[[], Connection]) -> None:
        """Keep how to open it."""
        self._open = open_
        self._lock = threading.Lock()
        self._opened: Connection | None = None
        self._failure: str | None = None

    def _get(self) -> Connection:
        with self._lock:
            if self._failure is None and (self._opened is None or not self._opened.alive):
                self._renew()
            if self._failure is not None:
                raise Unreachable(self._failure)
            assert self._opened is not None
            return self._opened

    def _renew(self) -> None:
        if self._opened is not None:
            self._opened.close()
        try:
            self._opened = self._open()
        except Unreachable as failure:
            self._failure = failure.message
        else:
            if self._failure is not None:  # the run ended in the meantime
                self._opened.close()

    @property
    def platform(self) -> Platform:
        """As in `Connection`."""
        return self._get().platform

    @property
    def alive(self) -> bool:
        """As in `Connection`."""
        return self._opened is None or self._opened.alive

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        """As in `Connection`."""
        return self._get().run(
            command, stdin=stdin, timeout=timeout, keep=keep, become=become, listener=listener
        )

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        return self._get().dial(address, timeout=timeout, become=become)

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return self._get().forward(address, timeout=timeout, become=become)

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`."""
        self._get().put(data, path, mode, timeout=timeout, become=become)

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`."""
        return self._get().get(path, limit, timeout=timeout, become=become)

    def interrupt(self) -> None:
        """As in `Connection`."""
        if self._opened is not None:
            self._opened.interrupt()

    def close(self) -> None:
        """As in `Connection`; it is not opened again."""
        # Not under the lock: a connect may be under way, and the run must end now.
        self._failure = "the run has ended"
        opened = self._opened
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()
