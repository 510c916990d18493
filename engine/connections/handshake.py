"""From an address to an authenticated link; a host proves itself before we do."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from engine.connections.authentication import authenticate
from engine.connections.hostkeys import HostKey, Server
from engine.connections.proxies import CommandSocket, Way, where
from engine.connections.transport import Link
from engine.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

    from engine.connections.credentials import Credentials
    from engine.connections.proxies import Reach
    from engine.connections.settings import Settings

_ATTEMPTS = 4
"""A server over its MaxStartups drops some connections before it says who it is."""


def connect(settings: Settings, credentials: Credentials, reach: Reach | None = None) -> Link:
    """Open the link of one host.

    Args:
        settings: the host's.
        credentials: the run's.
        reach: for the links of jump hosts; not needed by a host that has none.

    Raises:
        Unreachable: why not, for a tired person; nothing was run there.
    """
    way = Way(settings, _jump(settings, reach))
    deadline = time.monotonic() + settings.timeout
    link = _agree(way, credentials, deadline)
    try:
        shown = link.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
        known = credentials.known_hosts(settings.known_hosts)
        known.check(server(settings), key)
        authenticate(link, settings, credentials, deadline)
    except BaseException:
        link.close()
        raise
    link.watch(settings.alive_every, settings.alive_count)
    return link


def server(settings: Settings) -> Server:
    """The host as known_hosts files name it."""
    direct = settings.jump is None and not settings.proxy_command
    return Server(settings.address, settings.port, settings.host_key_alias, direct=direct)


def _jump(settings: Settings, reach: Reach | None) -> Link | None:
    if settings.jump is None:
        return None
    assert reach is not None
    try:
        return reach(settings.jump)
    except Unreachable as error:
        raise Unreachable(
            f"{where(settings)}: jump host {settings.jump.name}: {error.message}",
            lasting=error.lasting,
        ) from error


def _remaining(settings: Settings, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unreachable(f"{where(settings)}: no answer within {settings.timeout:g} s")
    return left


def _agree(way: Way, credentials: Credentials, deadline: float) -> Link:
    """Connect and agree on keys, again if the server hung up before it said who it is."""
    settings = way.settings
    known = credentials.known_hosts(settings.known_hosts)
    kinds = known.kinds(server(settings))
    for attempt in range(_ATTEMPTS):
        link = Link(way.open(_remaining(settings, deadline)))
        if not (failure := _negotiate(link, kinds, deadline)):
            return link
        ended = link.sock.said() if isinstance(link.sock, CommandSocket) else ""
        link.close()
        pause = random.uniform(0.1, 0.4) * 2**attempt  # noqa: S311 - jitter is no secret
        if link.remote_version or ended or time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
    if ended:
        raise Unreachable(f"{where(settings)}: ProxyCommand {settings.proxy_command!r}: {ended}")
    raise Unreachable(_no_agreement(settings, link, failure))


def _negotiate(link: Link, kinds: list[str], deadline: float) -> str:
    """Empty when keys are agreed on, else what went wrong."""
    done = threading.Event()
    try:
        _prefer(link, kinds)
        link.start_client(event=done)
        done.wait(max(0.0, deadline - time.monotonic()))
    except BaseException:
        link.close()
        raise
    if link.is_active() and link.initial_kex_done:
        return ""
    return str(link.get_exception() or "") or "it hung up, or did not answer in time"


def _no_agreement(settings: Settings, link: Link, failure: str) -> str:
    if link.remote_version:
        return f"{where(settings)}: the SSH handshake failed: {failure}"
    return (
        f"{where(settings)} accepts connections but does not answer as an SSH server "
        f"(is it the right port? is its sshd overloaded?)"
    )


def _prefer(link: paramiko.Transport, kinds: list[str]) -> None:
    """Ask the server for a key of a kind that we know of it."""
    options = link.get_security_options()
    wanted = [k for kind in kinds for k in _signatures(kind) if k in options.key_types]
    options.key_types = [*wanted, *(k for k in options.key_types if k not in wanted)]


def _signatures(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
