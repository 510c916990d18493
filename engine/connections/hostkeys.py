"""known_hosts files, and what is said to a person when a host's key is not in them.

**Source:** sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.connections.shells import quote
from engine.errors import Unreachable

if TYPE_CHECKING:
    from pathlib import Path


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
class _Line:
    key: HostKey
    path: Path
    number: int
    revoked: bool


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
                raise Unreachable(f"known hosts: {path}: {error.strerror}") from error
            for number, line in enumerate(text.splitlines(), 1):
                self._add(line.split(), path, number)

    def _add(self, words: list[str], path: Path, number: int) -> None:
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        # An authority's key is not a host's own; certificates are not supported.
        if len(words) < 3 or words[0].startswith("#") or marker == "@cert-authority":
            return
        try:
            blob = base64.b64decode(words[2], validate=True)
        except binascii.Error:
            return
        line = _Line(HostKey(words[1], blob), path, number, marker == "@revoked")
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

    def _lines(self, address: str, port: int) -> list[_Line]:
        # Like ssh: by address and port, then, for another port than 22, by address alone.
        names = [address.lower()] if port == 22 else [f"[{address.lower()}]:{port}"]
        found = self._named(names[0])
        return found if found or port == 22 else self._named(address.lower())

    def _named(self, name: str) -> list[_Line]:
        found = list(self._plain.get(name, ()))
        for salt, digest, line in self._hashed:
            if hmac.digest(salt, name.encode(), "sha1") == digest:
                found.append(line)
        return found + [line for patterns, line in self._patterns if _matches(name, patterns)]

    def kinds(self, address: str, port: int) -> list[str]:
        """The kinds of key known of a host: what to ask it for, in this order."""
        return list(dict.fromkeys(line.key.kind for line in self._lines(address, port)))

    def check(self, address: str, port: int, shown: HostKey) -> None:
        """Accept the key that a server shows, or refuse it with the command that mends it.

        Raises:
            Unreachable: it is unknown, changed or revoked.
        """
        lines = self._lines(address, port)
        same = [line for line in lines if line.key.blob == shown.blob]
        if any(line.revoked for line in same):
            raise Unreachable(f"{address}: its host key is marked as revoked in {same[0].path}")
        if same:
            return
        others = [line for line in lines if not line.revoked]
        raise Unreachable(
            _changed(address, port, shown, others[0])
            if others
            else _unknown(address, port, shown, self.paths[0])
        )


def _matches(name: str, patterns: list[str]) -> bool:
    if any(fnmatch.fnmatchcase(name, p[1:].lower()) for p in patterns if p.startswith("!")):
        return False
    return any(fnmatch.fnmatchcase(name, _literal_brackets(p.lower())) for p in patterns)


def _literal_brackets(pattern: str) -> str:
    # `[10.0.0.*]:2222`: in known_hosts brackets are no character class.
    return pattern.replace("[", "[[]")


def _keyscan(address: str, port: int, path: Path) -> str:
    return f"ssh-keyscan -p {port} {quote(address)} >> {quote(str(path))}"


def _unknown(address: str, port: int, shown: HostKey, path: Path) -> str:
    return (
        f"the host key of {address} port {port} is unknown: it shows {shown.kind} "
        f"{shown.fingerprint}. If that is the host's own (ssh-keygen -lf "
        f"/etc/ssh/ssh_host_*_key.pub, on the host), trust it with: "
        f"{_keyscan(address, port, path)}"
    )


def _changed(address: str, port: int, shown: HostKey, known: _Line) -> str:
    name = address if port == 22 else f"[{address}]:{port}"
    return (
        f"the host key of {address} port {port} HAS CHANGED: it shows {shown.kind} "
        f"{shown.fingerprint}, but {known.path}:{known.number} has {known.key.kind} "
        f"{known.key.fingerprint}. Someone may be listening in between. If you know that the "
        f"host was installed anew: ssh-keygen -R {quote(name)} -f {quote(str(known.path))}, "
        f"then: {_keyscan(address, port, known.path)}"
    )
