"""known_hosts files, and what is said to a person when a host's key is not in them.

**Source:** sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.connections.shells import quote
from engine.errors import Unreachable

if TYPE_CHECKING:
    from pathlib import Path

_AUTHORITY = "@cert-authority"
_REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as a server shows it, or a file has it.

    Args:
        kind: `ssh-ed25519`, `ssh-rsa`…
        blob: in SSH's wire format.
    """

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen writes it: `SHA256:…`."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Server:
    """Whose key it is.

    Args:
        address: name or IP address that is connected to.
        port: of its SSH server.
        alias: the name that its key is kept under instead.
        direct: whether ssh-keyscan reaches it from here.
    """

    address: str
    port: int = 22
    alias: str = ""
    direct: bool = True

    @property
    def name(self) -> str:
        """As known_hosts files have it."""
        if self.alias:
            return self.alias.lower()
        address = self.address.lower()
        return address if self.port == 22 else f"[{address}]:{self.port}"

    @property
    def names(self) -> list[str]:
        """Where to look, as ssh does: for another port than 22 then by the address alone."""
        plain = self.address.lower()
        return [self.name] if self.alias or self.port == 22 else [self.name, plain]

    def __str__(self) -> str:
        """For messages."""
        return f"{self.address} port {self.port}"


@dataclass(frozen=True, slots=True)
class _Line:
    key: HostKey
    path: Path
    number: int
    marker: str


@dataclass(slots=True)
class KnownHosts:
    """Host keys from files, found by name without looking at every line.

    Args:
        paths: the files; one that does not exist is an empty one.
    """

    paths: tuple[Path, ...]
    _plain: dict[str, list[_Line]] = field(default_factory=dict)
    _hashed: list[tuple[bytes, bytes, _Line]] = field(default_factory=list)
    _patterns: list[tuple[list[str], _Line]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the files, once."""
        for path in self.paths:
            try:
                text = path.read_text("utf-8", "replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreachable(f"known hosts: {path}: {error.strerror}", lasting=True) from error
            for number, line in enumerate(text.splitlines(), 1):
                self._add(line.split(), path, number)

    def _add(self, words: list[str], path: Path, number: int) -> None:
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#"):
            return
        try:
            blob = base64.b64decode(words[2], validate=True)
        except binascii.Error:
            return
        line = _Line(HostKey(words[1], blob), path, number, marker)
        names = words[0].split(",")
        if words[0].startswith("|1|"):
            self._add_hashed(words[0], line)
        elif any(c in words[0] for c in "*?!"):
            self._patterns.append((names, line))
        else:
            for name in names:
                self._plain.setdefault(name.lower(), []).append(line)

    def _add_hashed(self, name: str, line: _Line) -> None:
        try:
            salt, digest = (base64.b64decode(part) for part in name.split("|")[2:4])
        except (binascii.Error, ValueError):
            return
        self._hashed.append((salt, digest, line))

    def _lines(self, server: Server) -> list[_Line]:
        found: list[_Line] = []
        for name in server.names:
            found += self._named(name)
            if any(not line.marker for line in found):
                break
        return found

    def _named(self, name: str) -> list[_Line]:
        found = list(self._plain.get(name, ()))
        for salt, digest, line in self._hashed:
            if hmac.digest(salt, name.encode(), "sha1") == digest:
                found.append(line)
        return found + [line for patterns, line in self._patterns if _matches(name, patterns)]

    def kinds(self, server: Server) -> list[str]:
        """The kinds of key known of a host: what to ask it for, in this order."""
        own = [line.key.kind for line in self._lines(server) if line.marker != _AUTHORITY]
        return list(dict.fromkeys(own))

    def check(self, server: Server, shown: HostKey) -> None:
        """Accept the key that a server shows, or refuse it with the command that mends it.

        Raises:
            Unreachable: it is unknown, changed or revoked.
        """
        lines = self._lines(server)
        # An authority's key is not a host's own.
        same = [line for line in lines if line.key == shown and line.marker != _AUTHORITY]
        for line in same:
            if line.marker == _REVOKED:
                raise Unreachable(
                    f"{server}: its host key is marked as revoked in {line.path}:{line.number}",
                    lasting=True,
                )
        if same:
            return
        for line in lines:
            if not line.marker:
                raise Unreachable(_changed(server, shown, line), lasting=True)
        authorities = [line for line in lines if line.marker == _AUTHORITY]
        raise Unreachable(_unknown(server, shown, self.paths, authorities), lasting=True)


def _matches(name: str, patterns: list[str]) -> bool:
    if any(fnmatch.fnmatchcase(name, p[1:].lower()) for p in patterns if p.startswith("!")):
        return False
    return any(fnmatch.fnmatchcase(name, _literal_brackets(p.lower())) for p in patterns)


def _literal_brackets(pattern: str) -> str:
    # `[10.0.0.*]:2222`: in known_hosts brackets are no character class.
    return pattern.replace("[", "[[]")


def _trust(server: Server, shown: HostKey, path: Path) -> str:
    """The command that makes a key known."""
    if server.direct and not server.alias:
        return f"ssh-keyscan -p {server.port} {quote(server.address)} >> {quote(str(path))}"
    # ssh-keyscan does not get there, or would keep it under another name: this is the key itself.
    line = f"{server.name} {shown.kind} {base64.b64encode(shown.blob).decode()}"
    return f"echo {quote(line)} >> {quote(str(path))}"


def _unknown(
    server: Server, shown: HostKey, paths: tuple[Path, ...], authorities: list[_Line]
) -> str:
    said = f"the host key of {server} is unknown: it shows {shown.kind} {shown.fingerprint}. "
    if authorities:
        where = f"{authorities[0].path}:{authorities[0].number}"
        said += (
            f"{where} trusts a certificate authority for it, "
            f"but host certificates are not supported. "
        )
    said += "If that is the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub, on the host), "
    if not paths or str(paths[0]) == os.devnull:
        return f"{said}name a file that can keep it: UserKnownHostsFile is {os.devnull}"
    return f"{said}trust it with: {_trust(server, shown, paths[0])}"


def _changed(server: Server, shown: HostKey, known: _Line) -> str:
    return (
        f"the host key of {server} HAS CHANGED: it shows {shown.kind} "
        f"{shown.fingerprint}, but {known.path}:{known.number} has {known.key.kind} "
        f"{known.key.fingerprint}. Someone may be listening in between. If you know that the "
        f"host was installed anew: ssh-keygen -R {quote(server.name)} -f {quote(str(known.path))}, "
        f"then: {_trust(server, shown, known.path)}"
    )
