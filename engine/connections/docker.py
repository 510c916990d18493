"""The Docker SDK on a host's own engine, through its link."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.errors import DockerException
from docker.transport import UnixHTTPAdapter

from engine.connections.base import Pipe, Unix
from engine.connections.patience import Patience
from engine.errors import DialRefused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.connections.base import Address, Connection

USUAL = "/var/run/docker.sock"


def open_client(connection: Connection, socket: str, *, timeout: float) -> docker.DockerClient:
    """A client of the engine behind a socket on the host; closing it closes its way there.

    Args:
        connection: of the host.
        socket: the engine's, as the host sees it; the usual one is a Windows host's usual pipe.
        timeout: seconds for all that is done with it: a request that is under way then raises
            DeadlineExceeded, one that its link dies under LinkLost.

    Raises:
        DialRefused: there is no engine at that socket, or no right to it.
        DeadlineExceeded: it did not answer in time.
        LinkLost: the link died.
    """
    patience = Patience(connection, timeout, f"Docker at {socket}")
    forward = connection.forward(_address(connection, socket), timeout=timeout)
    path = forward.__enter__()
    seconds = math.ceil(timeout)
    try:
        client = docker.DockerClient(base_url=f"unix://{path}", version="auto", timeout=seconds)
    except DockerException as error:
        forward.__exit__(None, None, None)
        refused = DialRefused(f"{socket}: no Docker engine answers there: {error}")
        raise patience.cut() or refused from error
    except BaseException:
        forward.__exit__(None, None, None)
        raise
    client.api.trust_env = False  # the controller's proxies and .netrc are not the host's
    client.api.get_adapter("http+docker://").close()
    client.api.mount("http+docker://", _OnePool(path, patience, forward))
    return client


def _address(connection: Connection, socket: str) -> Address:
    pipe = re.fullmatch(r"(?:npipe:)?[/\\]{2,4}\.[/\\]pipe[/\\](.+)", socket)
    if pipe:
        return Pipe(pipe[1])
    if socket == USUAL and connection.platform.family == "windows":
        return Pipe("docker_engine")
    return Unix(socket)


class _OnePool(UnixHTTPAdapter):
    """One pool for all requests; the SDK's own has one for each URL, and parks a stream in each."""

    def __init__(self, path: str, patience: Patience, forward: AbstractContextManager[str]) -> None:
        super().__init__(f"http+unix://{path}", timeout=math.ceil(patience.left))
        self._patience = patience
        self._forward: AbstractContextManager[str] | None = forward

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """As in requests, which counts the time of each request anew."""
        if over := self._patience.cut():
            raise over
        options["timeout"] = self._patience.left
        try:
            response = super().send(request, *args, **options)
            if not options.get("stream"):
                _ = response.content  # read here, where the reason of an early end is known
        except requests.RequestException as error:
            raise self._patience.cut() or error from error
        return response

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        del url
        return super().get_connection("http+docker://localhost", proxies)

    def close(self) -> None:
        super().close()
        forward, self._forward = self._forward, None
        if forward is not None:
            forward.__exit__(None, None, None)
