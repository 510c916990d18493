"""Plain connections to addresses as the host sees them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.connections.base import shown
from engine.errors import DeadlineExceeded, DialRefused, HostError, LinkLost

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator

    from engine.connections.base import Address
    from engine.contract.target import Target


class Stream:
    """An open connection. All that is done with it ends with the target's time.

    Args:
        target: the host that it was dialled from.
        address: where it leads to.
        dialled: the socket.
    """

    def __init__(self, target: Target, address: Address, dialled: socket.socket) -> None:
        """Take over the socket."""
        self._target = target
        self._address = address
        self._socket = dialled

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            DeadlineExceeded: the time was over.
            DialRefused: the other side broke the connection off.
            LinkLost: the link to the host did.
        """
        try:
            self._socket.settimeout(self._target.deadline.remaining())
            self._socket.sendall(data)
        except OSError as error:
            raise self._failure(error) from error

    def receive(self, limit: int = 65536) -> bytes:
        """What comes next, at most so many bytes; nothing where the other side has ended it.

        Raises:
            As `send`.
        """
        try:
            self._socket.settimeout(self._target.deadline.remaining())
            data = self._socket.recv(limit)
        except OSError as error:
            raise self._failure(error) from error
        if not data and not self._target.connection.alive:
            raise LinkLost("the link to the host died")
        return data

    def secure(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """Speak TLS from here on.

        Args:
            context: what is trusted.
            name: the server's, which its certificate must have.

        Raises:
            ssl.SSLError: the handshake failed.
            As `send`.
        """
        import ssl

        try:
            self._socket.settimeout(self._target.deadline.remaining())
            secured = context.wrap_socket(self._socket, server_hostname=name)
        except OSError as error:
            if isinstance(error, ssl.SSLError) and self._target.connection.alive:
                raise
            raise self._failure(error) from error
        self._socket = secured
        return secured

    def within(self, seconds: float) -> Stream:
        """The same connection, for at most so many seconds of the time that is left."""
        return Stream(self._target.within(seconds), self._address, self._socket)

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _failure(self, error: OSError) -> HostError:
        """What we say of a connection that failed."""
        if not self._target.connection.alive:
            return LinkLost("the link to the host died")
        if isinstance(error, TimeoutError):
            late = f"no answer within {self._target.deadline.seconds:g} s"
            return DeadlineExceeded(f"{shown(self._address)}: {late}")
        return DialRefused(f"{shown(self._address)}: {error.strerror or error}")


def tls_reason(failed: ssl.SSLError) -> str:
    """Why a handshake failed, in words and not in OpenSSL's `WRONG_VERSION_NUMBER`."""
    import ssl

    if isinstance(failed, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {failed.verify_message.rstrip('.')}"
    reason = (failed.reason or "").replace("_", " ").lower()
    if reason in {"wrong version number", "record layer failure"}:
        return f"{reason}: the server may not speak TLS on this port"
    return reason or failed.strerror or str(failed)


@contextmanager
def dialled(target: Target, address: Address) -> Iterator[Stream]:
    """A connection while the context lasts.

    Raises:
        DialRefused, DeadlineExceeded: as `Connection.dial`.
    """
    timeout = target.deadline.remaining()
    stream = Stream(target, address, target.connection.dial(address, timeout=timeout))
    try:
        yield stream
    finally:
        stream.close()
