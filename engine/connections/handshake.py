"""From an address to an authenticated link; a host proves itself before we do."""

from __future__ import annotations

import random
import socket
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import quicksocket
from engine.connections.authentication import authenticate
from engine.connections.hostkeys import HostKey
from engine.connections.transport import Link
from engine.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

    from engine.connections.credentials import Credentials
    from engine.connections.settings import Settings

_ATTEMPTS = 4
"""A server over its MaxStartups drops some connections before it says who it is."""


def connect(settings: Settings, credentials: Credentials) -> Link:
    """Open the link of one host.

    Raises:
        Unreachable: why not, for a tired person; nothing was run there.
    """
    deadline = time.monotonic() + settings.timeout
    link = _agree(settings, credentials, deadline)
    try:
        shown = link.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
        known = credentials.known_hosts(settings.known_hosts)
        known.check(settings.address, settings.port, key)
        authenticate(link, settings, credentials, _remaining(settings, deadline))
    except BaseException:
        link.close()
        raise
    return link


def _remaining(settings: Settings, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unreachable(f"{_where(settings)}: no answer within {settings.timeout:g} s")
    return left


def _where(settings: Settings) -> str:
    return f"{settings.address} port {settings.port}"


def _agree(settings: Settings, credentials: Credentials, deadline: float) -> Link:
    """Connect and agree on keys, again if the server hung up before it said who it is."""
    known = credentials.known_hosts(settings.known_hosts)
    kinds = known.kinds(settings.address, settings.port)
    for attempt in range(_ATTEMPTS):
        link = Link(_tcp(settings, deadline))
        if not (failure := _negotiate(link, kinds, deadline)):
            return link
        link.close()
        pause = random.uniform(0.1, 0.4) * 2**attempt  # noqa: S311 - jitter is no secret
        if link.remote_version or time.monotonic() + pause > deadline:
            break
        time.sleep(pause)
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
        return f"{_where(settings)}: the SSH handshake failed: {failure}"
    return (
        f"{_where(settings)} accepts connections but does not answer as an SSH server "
        f"(is it the right port? is its sshd overloaded?)"
    )


def _tcp(settings: Settings, deadline: float) -> quicksocket.QuickSocket:
    try:
        timeout = _remaining(settings, deadline)
        return quicksocket.connect(settings.address, settings.port, timeout)
    except TimeoutError as error:
        raise Unreachable(
            f"{_where(settings)}: no answer within {settings.timeout:g} s "
            f"(host down, or a firewall drops it)"
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            f"{_where(settings)}: connection refused (is sshd running, and on that port?)"
        ) from error
    except socket.gaierror as error:
        raise Unreachable(
            f"the name {settings.address!r} cannot be resolved: {error.strerror}"
        ) from error
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreachable(f"{_where(settings)}: {said}") from error


def _prefer(link: paramiko.Transport, kinds: list[str]) -> None:
    """Ask the server for a key of a kind that we know of it."""
    options = link.get_security_options()
    wanted = [k for kind in kinds for k in _signatures(kind) if k in options.key_types]
    options.key_types = [*wanted, *(k for k in options.key_types if k not in wanted)]


def _signatures(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
