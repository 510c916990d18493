"""Proving to a host who we are: the named key, the agent's, the usual ones, the password."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from engine.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from engine.connections.credentials import Credentials
    from engine.connections.settings import Settings
    from engine.connections.transport import Link


@dataclass(frozen=True, slots=True)
class _Try:
    """One way in.

    Args:
        name: for the message: `key /root/.ssh/id_ed25519`.
        method: SSH's name of it.
        attempt: returns the methods that are still asked for; none when we are in. Itself None
            where there is nothing to offer, and the name says why.
    """

    name: str
    method: str
    attempt: Callable[[], list[str]] | None


def authenticate(link: Link, settings: Settings, credentials: Credentials, timeout: float) -> None:
    """Log in.

    Args:
        link: agreed on keys, its host key accepted.
        settings: the account, and what to offer first.
        credentials: the run's.
        timeout: seconds for each answer.

    Raises:
        Unreachable: refused, naming all that was tried.
    """
    link.auth_timeout = timeout
    tried: list[str] = []
    accepted: list[str] = []
    with contextlib.closing(_ways(link, settings, credentials)) as ways:
        for way in ways:
            if accepted and not _fits(way.method, accepted):
                continue
            tried.append(way.name)
            accepted = _attempt(way, accepted, settings, tried)
            if link.is_authenticated():
                return
            if not link.is_active():
                raise Unreachable(_refusal(settings, tried, "then it ended the connection"))
    raise Unreachable(
        _refusal(settings, tried, f"it accepts {', '.join(accepted)}" if accepted else "")
    )


def _fits(method: str, accepted: list[str]) -> bool:
    return method in accepted or (method == "password" and "keyboard-interactive" in accepted)


def _attempt(way: _Try, accepted: list[str], settings: Settings, tried: list[str]) -> list[str]:
    """Try it; returns the methods that the server is known to accept."""
    if way.attempt is None:
        return accepted
    try:
        return way.attempt() or []
    except paramiko.BadAuthenticationType as refusal:
        return list(refusal.allowed_types)
    except paramiko.AuthenticationException:
        return accepted
    except (paramiko.SSHException, OSError, EOFError) as failure:
        raise Unreachable(_refusal(settings, tried, f"it failed: {failure}")) from failure


def _refusal(settings: Settings, tried: list[str], end: str) -> str:
    what = f"tried {', '.join(tried)}" if tried else "there was no key and no password to try"
    where = f"{settings.user}@{settings.address} port {settings.port}"
    return f"{where}: login refused: {what}" + (f"; {end}" if end else "")


def _ways(link: Link, settings: Settings, credentials: Credentials) -> Generator[_Try]:
    user = settings.user

    def key(name: str, key: paramiko.PKey) -> _Try:
        said = f"{name} ({key.fingerprint})"
        return _Try(said, "publickey", lambda: link.auth_publickey(user, key))

    if settings.private_key is not None:
        try:
            yield key(f"key {settings.private_key}", credentials.private_key(settings.private_key))
        except Unreachable as unusable:  # the agent may hold it, or a password do
            yield _Try(unusable.message, "publickey", None)
    agent = paramiko.Agent()
    try:
        for held in agent.get_keys():
            yield key("agent key", held)
    finally:
        agent.close()
    for path, default in credentials.default_keys():
        if path != settings.private_key:
            yield key(f"key {path}", default)
    if settings.password is not None:
        password = settings.password
        # It falls back to keyboard-interactive where the server asks for the password that way.
        yield _Try("password", "password", lambda: link.auth_password(user, password))
