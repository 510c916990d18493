"""The host's own Docker engine, with its failures as a task's."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.contract.clients import docker_client
from engine.errors import LinkLost, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    import requests

    from engine.contract.target import Deadline, Target

SOCKET = "/var/run/docker.sock"
"""Where the engine listens unless it was told otherwise."""
CHUNK = 64 * 1024


@contextmanager
def docker_engine(target: Target, socket: str) -> Iterator[docker.DockerClient]:
    """The engine behind a socket of the host, for as long as the context lasts.

    Raises:
        DialRefused: there is no engine, or no right to it.
        ModuleFailed: the engine refused something, in its own words.
        DeadlineExceeded: it did not answer in time.
        LinkLost: it broke off, or the link did.
    """
    import docker.errors
    import requests

    try:
        with closing(docker_client(target, socket=socket)) as client:
            yield client
    except docker.errors.APIError as error:
        raise ModuleFailed(f"Docker says: {said(error)}") from error
    except (requests.RequestException, docker.errors.DockerException) as error:
        raise LinkLost(f"Docker did not answer: {error}") from error


def said(error: docker.errors.APIError) -> str:
    """The engine's own words."""
    return str(error.explanation or error)


def ask(
    client: docker.DockerClient, method: str, path: str, *, stream: bool = False, **args: Any
) -> requests.Response:
    """One request for what the SDK has no words for.

    Args:
        client: of the engine.
        method: `GET`, `POST`.
        path: as the API's reference has it, without the version.
        stream: leave the body on the wire.
        args: as `requests` takes them: `params`, `json`.

    Raises:
        docker.errors.APIError: it was refused.
    """
    import docker.errors
    import requests

    api = client.api
    url = f"{api.base_url}/v{api.api_version}{path}"
    response = api.request(method, url, stream=stream, timeout=api.timeout, **args)
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)
    return response


def streamed(response: requests.Response, deadline: Deadline) -> Iterator[bytes]:
    """A body as it comes, until the deadline.

    Raises:
        DeadlineExceeded: there is more, and no time for it.
    """
    import requests

    with closing(response):
        chunks = response.iter_content(CHUNK)
        while True:
            # Silence may last no longer than what is left, and not each time as long as at first.
            if (connection := response.raw.connection) and connection.sock:
                connection.sock.settimeout(deadline.remaining())
            try:
                chunk = next(chunks, b"")
            except requests.RequestException:
                deadline.remaining()
                raise
            if not chunk:
                return
            yield chunk


def engine_time(client: docker.DockerClient) -> float:
    """Seconds since the epoch by the engine's clock, which its logs and events go by."""
    return timestamp(client.info()["SystemTime"])


def happened(
    client: docker.DockerClient, filters: dict[str, list[str]], *, last: float | None = None
) -> list[dict[str, Any]]:
    """What the engine remembers: its last 256 events, health checks among them, in their order.

    Args:
        client: of the engine.
        filters: as the API takes them: of each list any value.
        last: seconds back; all that it remembers unless given.
    """
    now = engine_time(client)
    since = 1.0 if last is None else now - last
    params = {
        "since": f"{since:.6f}",
        # A moment that has passed: the engine answers with what was, and does not wait for more.
        "until": f"{now:.6f}",
        "filters": json.dumps(filters),
    }
    events = ask(client, "GET", "/events", params=params).content
    return [json.loads(line) for line in events.splitlines() if line]


def timestamp(text: str) -> float:
    """Seconds since the epoch of a time as the engine writes it: RFC 3339 with nanoseconds."""
    return datetime.fromisoformat(text).timestamp()
