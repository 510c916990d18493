"""What ProxyJump says: one host or several, each with a user and a port of its own."""

from __future__ import annotations

import re

from msgspec import Struct

from engine.connections.variables import is_name
from engine.errors import InputError, Problem

_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@/]+)@)?"
    r"(?:\[(?P<bare>[^\]]+)\]|(?P<host>[^@:/\[\]]+))(?::(?P<port>[0-9]{1,5}))?/?"
)


class Hop(Struct, frozen=True):
    """One host on the way.

    Args:
        host: as it would be given to `ssh`.
        user: empty for what its ssh_config says.
        port: likewise.
    """

    host: str
    user: str = ""
    port: str = ""

    def __str__(self) -> str:
        """As it is written in ProxyJump."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}:{self.port}" if self.port else f"{user}{host}"


def hops(text: str, where: str) -> list[Hop]:
    """The hosts that a ProxyJump names, in the order of the way.

    Args:
        text: `a,user@b:2222`.
        where: it stands, for messages.

    Raises:
        InputError: one of them cannot be a host.
    """
    found = []
    for part in text.split(","):
        match = _HOP.fullmatch(part.strip())
        host = (match["bare"] or match["host"]) if match else ""
        port = (match["port"] or "") if match else ""
        if not match or not is_name(host) or (port and not 1 <= int(port) <= 65535):
            raise InputError(Problem(f"{where}: ProxyJump {part.strip()!r} names no host"))
        found.append(Hop(host, match["user"] or "", port))
    return found
