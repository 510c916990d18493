"""Straight to a host's SSH server, with nothing between; without what SSH itself needs."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections import quicksocket
from engine.errors import Unreachable

if TYPE_CHECKING:
    from engine.connections.settings import Settings


class Dialled(Struct, frozen=True):
    """A stream to a server that has not been spoken to.

    Args:
        stream: connected.
        deadline: monotonic time by which we must have logged in.
    """

    stream: quicksocket.QuickSocket
    deadline: float


def dial(settings: Settings) -> Dialled:
    """Begin to connect: while we get ready for more, the server makes its part ready.

    Raises:
        Unreachable: why not.
    """
    deadline = time.monotonic() + settings.timeout
    return Dialled(stream(settings, settings.timeout), deadline)


def stream(settings: Settings, timeout: float) -> quicksocket.QuickSocket:
    """A stream, within so many seconds.

    Raises:
        Unreachable: why not.
    """
    try:
        return quicksocket.connect(settings.address, settings.port, timeout)
    except TimeoutError as error:
        raise Unreachable(
            f"{where(settings)}: no answer within {settings.timeout:g} s "
            f"(host down, or a firewall drops it)"
        ) from error
    except ConnectionRefusedError as error:
        raise Unreachable(
            f"{where(settings)}: connection refused (is sshd running, and on that port?)"
        ) from error
    except socket.gaierror as error:
        raise Unreachable(
            f"the name {settings.address!r} cannot be resolved: {error.strerror}"
        ) from error
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreachable(f"{where(settings)}: {said}") from error


def where(settings: Settings) -> str:
    """The host as messages name it."""
    return f"{settings.address} port {settings.port}"
