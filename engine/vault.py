"""Encrypted values and files in ansible-vault's format: what either program seals, both open.

A `!vault` value becomes a template that opens it, `{{ "$ANSIBLE_VAULT;…" | unvault("file:3") }}`:
so it may stand wherever a template may, its password is asked for when its value is needed, and
what is in it stays data, as with any other template's value.

**Source:** Ansible's documentation, "Format of files encrypted with Ansible Vault", 1.1 and 1.2.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import textwrap
from binascii import Error as NotHex
from binascii import hexlify, unhexlify
from typing import TYPE_CHECKING, Any, ClassVar

from engine.discreet import Discreet
from engine.errors import InputError, Problem
from engine.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEADER = "$ANSIBLE_VAULT;"
_FIRST_LINE = re.compile(r"\$ANSIBLE_VAULT;(1\.1|1\.2);AES256(?:;([^;\s]+))?\s*")
_HEX = re.compile(r"[0-9a-fA-F]+")
_TEXT = r'"(?:[^"\\]|\\.)*"'
_SEALED = re.compile(rf"\{{\{{ (?=\"\$ANSIBLE_VAULT;)({_TEXT}) \| unvault\(({_TEXT})\) \}}\}}")
_ROUNDS = 10_000
_SALT = 32
_KEY = 32
_BLOCK = 16
_COLUMNS = 80

DEFAULT_LABEL = "default"


class VaultError(Exception):
    """A value cannot be opened; why is in the message, with the place of the value."""


class Key(Discreet, frozen=True):
    """A password and the label of what it opens first."""

    hides: ClassVar[tuple[str, ...]] = ("password",)

    label: str
    password: bytes


def seal(text: str, key: Key) -> str:
    """The text encrypted, with a header line; lines of 80 columns.

    Args:
        text: what to hide.
        key: its label goes into the header, unless it is `default`.
    """
    salt = os.urandom(_SALT)
    cipher, mac, nonce = _derived(key.password, salt)
    data = text.encode()
    padding = _BLOCK - len(data) % _BLOCK
    hidden = _ctr(cipher, nonce, data + bytes([padding]) * padding)
    parts = (salt, hmac.digest(mac, hidden, "sha256"), hidden)
    body = hexlify(b"\n".join(hexlify(part) for part in parts)).decode()
    named = key.label != DEFAULT_LABEL
    header = f"{HEADER}1.2;AES256;{key.label}" if named else f"{HEADER}1.1;AES256"
    return "\n".join([header, *textwrap.wrap(body, _COLUMNS)])


def is_sealed(data: str | bytes) -> bool:
    """Whether a file, or a value, is encrypted as a whole."""
    head = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
    return head.lstrip()[: len(HEADER)] == HEADER.encode()


def template(envelope: str, place: str) -> str:
    """The template that opens a value.

    Args:
        envelope: what stands behind `!vault`.
        place: `file:line` of it, for messages.

    Raises:
        VaultError: it is no encrypted text.
    """
    _parts(envelope)
    lines = "\n".join(line.strip() for line in envelope.split("\n") if line.strip())
    return f"{{{{ {json.dumps(lines)} | unvault({json.dumps(place)}) }}}}"


def envelope_of(text: str) -> str | None:
    """What such a template opens; None for any other text."""
    found = _SEALED.fullmatch(text)
    return json.loads(found[1]) if found else None


def literal(value: Any) -> Any:
    """A value whose texts, read as templates, come to what they are."""
    if isinstance(value, str):
        is_template = ("{{" in value or "{%" in value) and not _SEALED.fullmatch(value)
        return f"{{{{ {json.dumps(value)} }}}}" if is_template else value
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def sealed_in(value: Any) -> Iterator[str]:
    """Each template in a value that opens an encrypted text."""
    if isinstance(value, str):
        if _SEALED.fullmatch(value):
            yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from sealed_in(item)


class Vault:
    """Opens what is encrypted, with the passwords that there are; what was in it is a secret."""

    def __init__(self, keys: Sequence[Key] = (), redactor: Redactor | None = None) -> None:
        """Open with these keys.

        Args:
            keys: tried in turn, those with the value's own label first.
            redactor: learns what is found.
        """
        self.redactor = redactor or Redactor()
        self._keys = tuple(keys)
        self._opened: dict[str, str] = {}

    def open(self, envelope: str, place: str = "") -> str:
        """What is in it.

        Args:
            envelope: the header line and what follows it.
            place: of it, for messages.

        Raises:
            VaultError: there is no password for it, or it was damaged.
        """
        if envelope not in self._opened:
            try:
                found = self._open(envelope)
            except VaultError as error:
                raise VaultError(f"{place}: {error}" if place else str(error)) from None
            self.redactor.learn(found)
            self._opened[envelope] = found
        return self._opened[envelope]

    def opened(self, value: Any) -> Any:
        """A value with every encrypted text in it opened: data, in which no other template is.

        Raises:
            VaultError: as `open`.
        """
        if isinstance(value, str):
            found = _SEALED.fullmatch(value)
            return self.open(json.loads(found[1]), json.loads(found[2])) if found else value
        if isinstance(value, dict):
            return {key: self.opened(item) for key, item in value.items()}
        return [self.opened(item) for item in value] if isinstance(value, list) else value

    def file(self, path: str, data: bytes) -> bytes:
        """The bytes of a file, opened if it is encrypted as a whole.

        Each text in it is its reader's to keep secret: the whole of it turns up nowhere.

        Raises:
            InputError: it cannot be opened.
        """
        if not is_sealed(data):
            return data
        try:
            return self._open(data.decode("ascii", "replace")).encode()
        except VaultError as error:
            raise InputError(Problem(str(error), path)) from None

    def learn(self, value: Any) -> None:
        """Keep every text in a value secret."""
        if isinstance(value, str):
            self.redactor.learn(value)
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                self.learn(item)

    def _open(self, envelope: str) -> str:
        label, salt, mac, hidden = _parts(envelope)
        if not self._keys:
            raise VaultError(
                "is encrypted with a vault — give its password with --vault-password-file or -J"
            )
        for key in sorted(self._keys, key=lambda key: key.label != label):
            found = _with(key.password, salt, mac, hidden)
            if found is not None:
                return found
        labelled = f' labelled "{label}"' if label != DEFAULT_LABEL else ""
        raise VaultError(f"no vault password that was given opens the value{labelled}")


def _parts(envelope: str) -> tuple[str, bytes, bytes, bytes]:
    """Label, salt, HMAC and what is encrypted."""
    first, _, rest = envelope.strip().partition("\n")
    header = _FIRST_LINE.fullmatch(first)
    if header is None:
        raise VaultError(f"is no encrypted text: it must begin with {HEADER}1.1;AES256 or 1.2")
    digits = "".join(rest.split())
    try:
        parts = [unhexlify(part) for part in unhexlify(digits).split(b"\n")]
    except (NotHex, ValueError):
        parts = []
    if len(parts) != 3 or not _HEX.fullmatch(digits):
        raise VaultError("the encrypted text is damaged: it is cut, or not what a vault writes")
    return header[2] or DEFAULT_LABEL, parts[0], parts[1], parts[2]


def _with(password: bytes, salt: bytes, mac: bytes, hidden: bytes) -> str | None:
    """What a password finds in it; None where it is the wrong one, or a bit was changed."""
    cipher, own_mac, nonce = _derived(password, salt)
    if not hmac.compare_digest(hmac.digest(own_mac, hidden, "sha256"), mac):
        return None
    data = _ctr(cipher, nonce, hidden)
    try:
        return data[: -data[-1]].decode()
    except (UnicodeDecodeError, IndexError):
        raise VaultError("what is in it is not text in UTF-8") from None


def _derived(password: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    """The key of the cipher, that of the HMAC, and the first counter."""
    length = 2 * _KEY + _BLOCK
    made = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, length)
    return made[:_KEY], made[_KEY : 2 * _KEY], made[2 * _KEY :]


def _ctr(key: bytes, nonce: bytes, data: bytes) -> bytes:
    """AES in counter mode, which is its own inverse."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return cipher.update(data) + cipher.finalize()
