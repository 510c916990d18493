"""httpx through a host's link: every connection is dialled from there, names resolved there."""

from __future__ import annotations

import contextlib
import select
import ssl
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from engine.connections.base import Tcp, shown
from engine.connections.patience import Patience
from engine.connections.tls import http_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    from engine.connections.base import Connection


def open_client(
    connection: Connection,
    *,
    timeout: float,
    verify: bool,
    ca: str | None,
    follow_redirects: bool,
) -> httpx.Client:
    """A client on a host's own network.

    What the link says of itself is raised as it is: `DialRefused`, `DeadlineExceeded`,
    `Unreachable`, `LinkLost`. All else is httpx's.

    Args:
        connection: of the host.
        timeout: seconds for all that is done with it: a server that drips its answer byte by
            byte gets no more.
        verify: check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust; None for Mozilla's.
        follow_redirects: whether to.
    """
    return httpx.Client(
        transport=_Transport(connection, timeout, verify=verify, ca=ca),
        timeout=timeout,
        follow_redirects=follow_redirects,
        trust_env=False,  # the controller's proxies are not the host's
    )


class _Transport(httpx.BaseTransport):
    def __init__(
        self, connection: Connection, timeout: float, *, verify: bool, ca: str | None
    ) -> None:
        self._backend = _Backend(connection, timeout)
        self._verify = verify
        self._ca = ca

    # Two pools, because reading the authorities takes longer than most plain requests.

    @cached_property
    def _plain(self) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(network_backend=self._backend)

    @cached_property
    def _tls(self) -> httpcore.ConnectionPool:
        context = http_context(verify=self._verify, ca=self._ca)
        return httpcore.ConnectionPool(ssl_context=context, network_backend=self._backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        pool = self._tls if request.url.scheme == "https" else self._plain
        with _as_httpx():
            response = pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        for name in ("_plain", "_tls"):
            if name in self.__dict__:  # what was never used was never made
                getattr(self, name).close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextlib.contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpx's exceptions for httpcore's, which have the same names."""
    try:
        yield
    except Exception as error:
        known = getattr(httpx, type(error).__name__, None)
        if type(error).__module__.startswith("httpcore") and known is not None:
            raise known(str(error)) from error
        raise


class _Backend(httpcore.NetworkBackend):
    """Where httpcore gets its connections from."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._ends = time.monotonic() + timeout

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - it may be no TCP socket here
    ) -> httpcore.NetworkStream:
        address = Tcp(host, port)
        try:
            left = _left(self._ends, timeout)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        patience = Patience(self._connection, left, shown(address))
        return _Stream(self._connection.dial(address, timeout=left), self._ends, patience)


class _Stream(httpcore.NetworkStream):
    def __init__(self, dialled: socket.socket, ends: float, patience: Patience) -> None:
        self._socket = dialled
        self._ends = ends
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._step(httpcore.ReadTimeout, httpcore.ReadError, timeout):
            data = self._socket.recv(max_bytes)
            if not data:
                self._check_link()
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with self._step(httpcore.WriteTimeout, httpcore.WriteError, timeout):
            self._socket.sendall(buffer)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            with self._step(httpcore.ConnectTimeout, httpcore.ConnectError, timeout):
                secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        return _Stream(secured, self._ends, self._patience)

    @contextlib.contextmanager
    def _step(
        self, late: type[Exception], failed: type[Exception], timeout: float | None
    ) -> Iterator[None]:
        """One of httpcore's steps, with its words for what can go wrong."""
        try:
            self._socket.settimeout(_left(self._ends, timeout))
            yield
        except TimeoutError as error:
            raise late(str(error)) from error
        except OSError as error:
            self._check_link()
            raise failed(str(error)) from error

    def _check_link(self) -> None:
        """Tell a server's end from the link's.

        Raises:
            LinkLost: it was the link's.
        """
        if lost := self._patience.lost():
            raise lost

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # a kept connection that is readable was closed by the server
            return _readable(self._socket)
        if info == "ssl_object":
            return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
        return None


def _left(ends: float, timeout: float | None) -> float:
    """Seconds for the next step.

    Raises:
        TimeoutError: there are none left.
    """
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left if timeout is None else min(left, timeout)


def _readable(dialled: socket.socket) -> bool:
    """Whether a read would not have to wait."""
    if dialled.fileno() < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([dialled], [], [], 0)[0])
    poll = select.poll()
    poll.register(dialled, select.POLLIN)
    return bool(poll.poll(0))
