"""What `%h` and its like stand for in ssh_config.

**Source:** ssh_config(5), TOKENS and ENVIRONMENT VARIABLES.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.connections.ssh_options import Options, Said

# What ssh refuses in a name, too: the command is a shell's, and names come from inventories.
_DANGEROUS = re.compile(r"[\x00-\x20\x7f'`\"$\\;&<>|(){},]|^-")


class Tokens(Struct, frozen=True):
    """One host's.

    Args:
        original: the host as it was given.
        address: what HostName made of it.
        port: as text.
        user: who logs in there.
        account: that quell runs as.
        alias: HostKeyAlias, or the address.
    """

    original: str
    address: str
    port: str
    user: str
    account: str
    alias: str

    @classmethod
    def of(cls, options: Options, original: str, address: str, account: str) -> Tokens:
        """From what was said of the host so far."""
        port, user, alias = (options.get(k) for k in ("port", "user", "hostkeyalias"))
        return cls(
            original,
            address,
            port.text if port else "22",
            user.text if user else account,
            account,
            alias.text if alias else address,
        )

    def command(self, text: str, where: str) -> str:
        """A command line with its tokens filled in.

        Raises:
            InputError: an unknown token, or a value that a shell would obey.
        """

        def harmless(value: Callable[[], str]) -> str:
            if _DANGEROUS.search(value()):
                raise InputError(Problem(f"{where}: {value()!r} cannot be put into a command line"))
            return value()

        table = dict(self._table())
        table |= {name: partial(harmless, table[name]) for name in "hnrk"}
        return _fill(text, where, table)

    def path(self, said: Said) -> Path:
        """A path with its tokens, `${VARIABLES}` and `~` filled in.

        Raises:
            InputError: a token or variable that is not known.
        """
        text = said.text
        if "$" in text:
            text = re.sub(r"\$\{([^}]*)\}", lambda m: _variable(m[1], said.where), text)
        if "%" in text:
            text = _fill(text, said.where, self._table())
        try:
            return at_home(text)
        except RuntimeError as error:
            raise InputError(Problem(f"{said.where}: {said.text}: {error}")) from None

    def _table(self) -> Mapping[str, Callable[[], str]]:
        return {
            "%": lambda: "%",
            "h": lambda: self.address,
            "n": lambda: self.original,
            "p": lambda: self.port,
            "r": lambda: self.user,
            "u": lambda: self.account,
            "k": lambda: self.alias,
            "d": lambda: str(Path("~").expanduser()),
            "i": lambda: str(os.getuid()) if hasattr(os, "getuid") else "",
            "l": socket.gethostname,
            "L": lambda: socket.gethostname().partition(".")[0],
            "C": self._digest,
        }

    def _digest(self) -> str:
        text = f"{socket.gethostname()}{self.address}{self.port}{self.user}"
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def at_home(text: str) -> Path:
    """A path with its `~` filled in.

    Raises:
        RuntimeError: there is no such account, or it has no home.
    """
    return _at_home(text, os.environ.get("HOME"))


@cache
def _at_home(text: str, home: str | None) -> Path:
    del home  # which it depends on
    return Path(text).expanduser()


def hostname(options: Options, host: str) -> str:
    """The name or address to connect to, instead of a host's own name.

    Raises:
        InputError: HostName has a token that is not known.
    """
    said = options.get("hostname")
    if said is None:
        return host
    return _fill(said.text, said.where, {"%": lambda: "%", "h": lambda: host})


def _fill(text: str, where: str, table: Mapping[str, Callable[[], str]]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in table:
            raise InputError(Problem(f"{where}: the token %{match[1]} is not known"))
        return table[match[1]]()

    return re.sub(r"%(.?)", value, text)


def _variable(name: str, where: str) -> str:
    if name not in os.environ:
        raise InputError(Problem(f"{where}: there is no environment variable {name}"))
    return os.environ[name]
