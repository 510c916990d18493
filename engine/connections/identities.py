"""Private keys in files: what they are, and whether a passphrase stands before them."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from typing import TYPE_CHECKING

import paramiko
from msgspec import Struct
from paramiko.pkey import PublicBlob, UnknownKeyType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MAGIC = b"openssh-key-v1\0"
_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa": 2}
_ARMOUR = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)


class Identity(Struct, frozen=True):
    """What a file of `IdentityFile` holds.

    Args:
        path: of it.
        key: to sign with; None where it cannot be had from the file.
        public: the public key in SSH's wire format, by which an agent may have it; empty where
            not even that is known.
        certificates: that lie beside it.
        why: there is no key, for the person.
        locked: whether that is for want of a passphrase.
    """

    path: Path
    key: paramiko.PKey | None = None
    public: bytes = b""
    certificates: tuple[PublicBlob, ...] = ()
    why: str = ""
    locked: bool = False


def read(path: Path, passphrase: str | None = None) -> Identity:
    """Read a private key's file; what is wrong with it is part of the answer."""
    beside = _certificate_beside(path)
    secret = passphrase.encode() if passphrase is not None else None
    try:
        key = paramiko.PKey.from_path(path, secret)  # type: ignore[arg-type]
    except OSError as error:
        return Identity(path, why=f"private key {path}: {error.strerror}")
    except TypeError:  # from the cryptography library: no passphrase was given
        why = f"private key {path} has a passphrase; give it to the agent: ssh-add {path}"
        return Identity(path, None, public_key(path), beside, why, locked=True)
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        public = public_key(path)
        if passphrase is not None:
            why = f"private key {path}: that is not its passphrase"
            return Identity(path, None, public, beside, why, locked=True)
        said = f"private key {path} cannot be read: {error}"
        if public and _is_public(path):
            said = f"{path} is a public key, and no agent has its private one"
        return Identity(path, None, public, beside, said)
    key.public_blob = None  # a certificate is offered beside the key, not instead of it
    return Identity(path, key, key.asbytes(), beside)


def public_key(path: Path) -> bytes:
    """The public key of a private one that is locked: in the same file, or beside it."""
    try:
        text = path.read_bytes()
        armour = _ARMOUR.search(text)
        if armour:
            return _public_part(base64.b64decode(armour[1]))
        if not _is_public(path):
            text = path.with_name(f"{path.name}.pub").read_bytes()
        return base64.b64decode(text.split()[1])
    except (OSError, IndexError, binascii.Error, ValueError):
        return b""


def _is_public(path: Path) -> bool:
    return path.read_bytes().startswith((b"ssh-", b"ecdsa-", b"sk-"))


def _public_part(data: bytes) -> bytes:
    if not data.startswith(_MAGIC):
        return b""
    message = paramiko.Message(data[len(_MAGIC) :])
    for _ in ("cipher", "kdf", "its options"):
        message.get_binary()
    message.get_int()  # how many keys there are; always one
    return message.get_binary()


def _certificate_beside(path: Path) -> tuple[PublicBlob, ...]:
    beside = path.with_name(f"{path.name.removesuffix('.pub')}-cert.pub")
    found = certificate(beside) if beside.exists() else None
    return (found,) if found else ()


def certificate(path: Path) -> PublicBlob | None:
    """The certificate in a file; None where there is none that can be read."""
    try:
        return PublicBlob.from_file(str(path))
    except (OSError, ValueError):
        return None


def certified(key: paramiko.PKey, blobs: Sequence[PublicBlob]) -> list[paramiko.PKey]:
    """The key once with each certificate that is about it."""
    found = []
    for blob in blobs:
        if _subject(blob.key_blob) == key.asbytes():
            with_it = copy.copy(key)
            with_it.public_blob = blob
            found.append(with_it)
    return found


def _subject(certificate: bytes) -> bytes:
    """The public key that a certificate is about; empty for a kind that is not known.

    **Source:** PROTOCOL.certkeys of OpenSSH: the kind, a nonce, then the key's own fields.
    """
    message = paramiko.Message(certificate)
    kind = message.get_text().removesuffix("-cert-v01@openssh.com")
    message.get_binary()
    about = paramiko.Message()
    about.add_string(kind)
    for _ in range(_FIELDS.get(kind.partition("-sha2-")[0], 0)):
        about.add_string(message.get_binary())
    return about.asbytes()
