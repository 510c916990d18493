"""The run's connections: one a host, opened when it is first used.

It is kept until the end, or until the run says that nothing more is asked of the host.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from engine.connections.become import Ladders
from engine.connections.credentials import Credentials
from engine.connections.entrance import time_left
from engine.connections.kept import Kept
from engine.connections.timers import Timers
from engine.errors import Overdue, Unreachable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

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

R = TypeVar("R")

HANDSHAKES = 32
"""How many connects may be under way at once: more overflow servers' listen queues."""

RELEASES = 4
"""How many links are closed at once while others are at work."""

ENDPOINT = 6
"""How many of them to the same server: sshd begins to drop logins at ten (MaxStartups)."""

_SOON = 5.0
"""Seconds for one more link to a host that let us in before."""


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
        self._releasing = ThreadPoolExecutor(RELEASES, "release")
        self._endpoints: defaultdict[object, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(ENDPOINT)
        )
        self._links = {
            host: LazyConnection(self._opener(one), one.address) for host, one in settings.items()
        }

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

    def release(self, host: str) -> None:
        """End a host's link soon, since nothing more is asked of it; a next use connects again."""
        self._releasing.submit(self._links[host].rest)

    def interrupt(self) -> None:
        """End what is under way on every host, all at once; the next use connects again."""
        with ThreadPoolExecutor(HANDSHAKES) as pool:
            list(pool.map(LazyConnection.interrupt, self._links.values()))

    def close(self) -> None:
        """End all links at once."""
        self._releasing.shutdown()
        with ThreadPoolExecutor(HANDSHAKES) as pool:
            list(pool.map(LazyConnection.close, self._links.values()))
        if self._jump_hosts is not None:
            self._jump_hosts.close()

    def _opener(self, settings: Settings) -> Callable[[], Connection]:
        ladders, timers = Ladders(), Timers()
        endpoint = (settings.address, settings.port, settings.proxy_command, settings.way)
        at_once = self._endpoints[endpoint]

        def open_() -> Connection:
            with at_once, self._handshakes:
                reach = self._jump_hosts.link if self._jump_hosts else None
                return _open(settings, self._credentials, reach, ladders, timers)

        return open_


def _jump_hosts(settings: list[Settings], credentials: Credentials) -> JumpHosts | None:
    if not any(one.jump for one in settings):
        return None
    from engine.connections.proxies import JumpHosts

    return JumpHosts(credentials)


def _open(
    settings: Settings,
    credentials: Credentials,
    reach: Reach | None,
    ladders: Ladders,
    timers: Timers,
) -> Connection:
    if settings.kind == "local":
        from engine.connections.local import LocalConnection

        return LocalConnection(ladders, settings.shell)
    from engine.connections.direct import dial

    dialled = dial(settings) if settings.direct else None
    from engine.connections.handshake import connect
    from engine.connections.ssh import SshConnection

    link = connect(settings, credentials, reach, dialled)
    soon = structs.replace(settings, timeout=min(settings.timeout, _SOON))
    return SshConnection(
        link,
        f"{settings.user}@{settings.address}",
        ladders,
        settings.shell,
        another=partial(connect, soon, credentials, reach),
        timers=timers,
    )


class LazyConnection:
    """A `Connection` that connects at first use; several threads wait for the one attempt.

    A link that died is opened anew for the next use, since what is about to be sent has never
    been sent. That it had died may be found only then.
    """

    def __init__(self, open_: Callable[[], Connection], name: str = "") -> None:
        """Keep how to open it.

        Args:
            open_: connects, or raises `Unreachable`.
            name: of the host, for messages.
        """
        self._kept = Kept(name, open_, lambda one: one.alive, lambda one: one.close())

    def _use(self, timeout: float, work: Callable[[Connection, float], R]) -> R:
        """Do some work within so many seconds, the connect among them."""
        ends = time.monotonic() + timeout
        interruptions = self._kept.interruptions

        try:
            connection = self._kept.get(timeout)
            try:
                return work(connection, time_left(ends))
            except Unreachable:
                # What an interruption has cut off is not to be begun again.
                if connection.alive or self._kept.interruptions != interruptions:
                    raise
            return work(self._kept.get(time_left(ends)), time_left(ends))
        except Overdue as error:
            # Some of the time may have gone into the connect: who asked knows only the whole.
            raise Overdue(timeout, error.found, gone=error.gone) from error

    @property
    def platform(self) -> Platform:
        """As in `Connection`."""
        return self._kept.get().platform

    @property
    def alive(self) -> bool:
        """As in `Connection`."""
        opened = self._kept.opened
        return opened is None or opened.alive

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
        return self._use(
            timeout,
            lambda connection, left: connection.run(
                command, stdin=stdin, timeout=left, keep=keep, become=become, listener=listener
            ),
        )

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        return self._use(
            timeout,
            lambda connection, left: connection.dial(address, timeout=left, become=become),
        )

    @contextlib.contextmanager
    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> Iterator[str]:
        """As in `Connection`."""
        with contextlib.ExitStack() as open_:

            def enter(connection: Connection, left: float) -> str:
                return open_.enter_context(connection.forward(address, timeout=left, become=become))

            yield self._use(timeout, enter)

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`."""
        self._use(
            timeout,
            lambda connection, left: connection.put(data, path, mode, timeout=left, become=become),
        )

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`."""
        return self._use(
            timeout,
            lambda connection, left: connection.get(path, limit, timeout=left, become=become),
        )

    def rest(self) -> None:
        """End what is open; the next use opens it again."""
        self._kept.rest()

    def interrupt(self) -> None:
        """As in `Connection`."""
        self._kept.interrupt()
        opened = self._kept.opened
        if opened is not None:
            opened.interrupt()

    def close(self) -> None:
        """As in `Connection`; it is not opened again."""
        with contextlib.suppress(OSError):
            self._kept.close()
