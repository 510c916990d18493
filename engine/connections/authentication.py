"""Proving to a host who we are: the named key, the agent's, the usual ones, the password."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import paramiko

from engine.connections.identities import certified
from engine.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paramiko.pkey import PublicBlob

    from engine.connections.agents import AgentKey
    from engine.connections.credentials import Credentials
    from engine.connections.identities import Identity
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


def authenticate(link: Link, settings: Settings, credentials: Credentials, deadline: float) -> None:
    """Log in.

    Args:
        link: agreed on keys, its host key accepted.
        settings: the account, and what to offer first.
        credentials: the run's.
        deadline: monotonic time by which it must be done.

    Raises:
        Unreachable: refused, naming all that was tried; or there was no answer.
    """
    tried: list[str] = []
    accepted: list[str] = []
    refused = False
    for way in _ways(link, settings, credentials):
        if accepted and not _fits(way.method, accepted):
            continue
        tried.append(way.name)
        link.auth_timeout = max(0.1, deadline - time.monotonic())
        accepted = _attempt(way, accepted, settings, tried)
        if link.is_authenticated():
            return
        if not link.is_active():
            # A server on its way down does so, too; but that has refused nothing before.
            end = "then it ended the connection"
            raise Unreachable(_refusal(settings, tried, end), lasting=refused)
        if time.monotonic() >= deadline:
            raise Unreachable(
                f"{_account(settings)}: no answer to the login within {settings.timeout:g} s"
            )
        refused = refused or way.attempt is not None
    end = f"it accepts {', '.join(accepted)}" if accepted else ""
    raise Unreachable(_refusal(settings, tried, end), lasting=True)


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
    return f"{_account(settings)}: login refused: {what}" + (f"; {end}" if end else "")


def _account(settings: Settings) -> str:
    return f"{settings.user}@{settings.address} port {settings.port}"


def _ways(link: Link, settings: Settings, credentials: Credentials) -> Iterator[_Try]:
    user = settings.user
    for name, key in _keys(settings, credentials):
        if key is None:
            yield _Try(name, "publickey", None)
        else:
            said = f"{name} ({key.fingerprint})"
            yield _Try(said, "publickey", partial(link.auth_publickey, user, key))
    if settings.password is not None:
        # It falls back to keyboard-interactive where the server asks for the password that way.
        yield _Try("password", "password", partial(link.auth_password, user, settings.password))


def _keys(
    settings: Settings, credentials: Credentials
) -> Iterator[tuple[str, paramiko.PKey | None]]:
    """The named keys, the agent's, and the usual ones where none is named.

    In the place of a named key that cannot be used stands None, and why.
    """
    held = credentials.held(settings.agent)
    certificates = credentials.certificates(settings.certificates)
    named = [credentials.identity(path) for path in settings.private_keys]
    for identity in named:
        yield from _key(identity, held, certificates)
    offered = {identity.public for identity in named}
    if not settings.identities_only:
        for key in held:
            if key.blob not in offered:
                yield "agent key", key
        offered |= {key.blob for key in held}
    for identity in [] if named else credentials.usual_keys():
        if identity.public not in offered:
            yield from _key(identity, held, certificates)


def _key(
    identity: Identity, held: list[AgentKey], certificates: list[PublicBlob]
) -> Iterator[tuple[str, paramiko.PKey | None]]:
    """With each certificate that there is for it, then alone."""
    name = f"key {identity.path}"
    key = identity.key or next((key for key in held if key.blob == identity.public), None)
    if key is None:
        yield identity.why, None
        return
    for with_it in certified(key, [*certificates, *identity.certificates]):
        yield f"certificate of {name}", with_it
    yield name, key
