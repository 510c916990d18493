"""From an address to an authenticated link; a host proves itself before we do."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections.authentication import authenticate
from engine.connections.direct import where
from engine.connections.hostkeys import HostKey, Server
from engine.connections.proxies import CommandSocket, Way
from engine.connections.transport import Link
from engine.errors import Unreachable

if TYPE_CHECKING:
    import paramiko

    from engine.connections.credentials import Credentials
    from engine.connections.direct import Dialled
    from engine.connections.proxies import Reach
    from engine.connections.settings import Settings

_ATTEMPTS = 4
"""A server over its MaxStartups drops some connections before it says who it is. One that says why
it does so is asked again until the time for the connect is over."""

_LONGEST = 3
"""How often the pause between two attempts is doubled."""


def connect(
    settings: Settings,
    credentials: Credentials,
    reach: Reach | None = None,
    dialled: Dialled | None = None,
) -> Link:
    """Open the link of one host.

    Args:
        settings: the host's.
        credentials: the run's.
        reach: for the links of jump hosts; not needed by a host that has none.
        dialled: its stream, if that is there already.

    Raises:
        Unreachable: why not, for a tired person; nothing was run there.
    """
    way = Way(settings, _jump(settings, reach))
    deadline = dialled.deadline if dialled else time.monotonic() + settings.timeout
    link = _agree(way, credentials, deadline, dialled)
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
    return Server(settings.address, settings.port, settings.host_key_alias, direct=settings.direct)


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


def _agree(way: Way, credentials: Credentials, deadline: float, dialled: Dialled | None) -> Link:
    """Connect and agree on keys, again if the server hung up before it said who it is."""
    settings = way.settings
    known = credentials.known_hosts(settings.known_hosts)
    kinds = known.kinds(server(settings))
    attempt = 1
    before: _Failure | None = None
    while True:
        link = Link(dialled.stream if dialled else way.open(_remaining(settings, deadline)))
        dialled = None
        failure = _negotiate(settings, link, kinds, deadline)
        if failure is None:
            return link
        if failure.silent and before is not None:
            failure = before  # it had little time left to say anything
        ended = link.sock.said() if isinstance(link.sock, CommandSocket) else ""
        link.close()
        if ended:
            said = f"{where(settings)}: ProxyCommand {settings.proxy_command!r}: {ended}"
            raise Unreachable(said)
        pause = random.uniform(0.1, 0.4) * 2 ** min(attempt, _LONGEST)  # noqa: S311 - no secret
        if not failure.passing(attempt) or time.monotonic() + pause > deadline:
            raise Unreachable(failure.told(where(settings), attempt))
        time.sleep(pause)
        before = failure
        attempt += 1


class _Failure(Struct, frozen=True):
    """What became of an attempt.

    Args:
        why: in a few words.
        version: whether the server had said that it is one.
        silent: it has said nothing, and did not hang up either.
        heard: what it said instead.
    """

    why: str
    version: bool
    silent: bool
    heard: str

    @property
    def full(self) -> bool:
        """Whether it is an sshd over its MaxStartups, of a version that says so."""
        return "MaxStartups" in self.heard

    def passing(self, attempt: int) -> bool:
        """Whether another attempt may fare better: nothing but the connection was made so far."""
        if self.full:
            return True
        return attempt < _ATTEMPTS and not (self.version or self.silent or self.heard)

    def told(self, where: str, attempts: int) -> str:
        """For a tired person."""
        if self.version:
            return f"{where}: the SSH handshake failed: {self.why}"
        if self.full:
            return (
                f"{where}: its sshd takes no more logins at once (MaxStartups), "
                f"{attempts} attempts were turned away"
            )
        what = f"it {self.why} (is it the right port? is its sshd overloaded?)"
        if self.heard:
            what = f"it says {self.heard!r} (is it the right port?)"
        return f"{where} accepts connections but does not answer as an SSH server: {what}"


def _negotiate(
    settings: Settings, link: Link, kinds: list[str], deadline: float
) -> _Failure | None:
    """None when keys are agreed on, else what went wrong."""
    done = threading.Event()
    try:
        _prefer(link, kinds)
        link.start_client(event=done)
        done.wait(max(0.0, deadline - time.monotonic()))
    except BaseException:
        link.close()
        raise
    if link.is_active() and link.initial_kex_done:
        return None
    version = bool(link.remote_version)
    first = getattr(link.sock, "first", b"").decode("ascii", "replace").splitlines()
    heard = first[0] if first and not version else ""
    if link.is_active():
        what = "gives no answer" if version else "says nothing"
        return _Failure(f"{what} within {settings.timeout:g} s", version, not version, heard)
    hung_up = "it hung up" if version else "hangs up"
    error = link.get_exception() if version else None
    said = "" if error is None or isinstance(error, OSError | EOFError) else str(error)
    return _Failure(said or hung_up, version, False, heard)


def _prefer(link: paramiko.Transport, kinds: list[str]) -> None:
    """Ask the server for a key of a kind that we know of it."""
    options = link.get_security_options()
    wanted = [k for kind in kinds for k in _signatures(kind) if k in options.key_types]
    options.key_types = [*wanted, *(k for k in options.key_types if k not in wanted)]


def _signatures(kind: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
