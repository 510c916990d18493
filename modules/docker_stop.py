"""`docker_stop`: stop a container."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Action, Change, Duration, Struct, Target
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    docker_engine,
    find,
    inspect,
    still_the_same,
    stop_patience,
)

KILLED = 128 + 9
"""The exit code of what was killed, because it did not end by itself or was told to die so."""


class Stopped(Struct, frozen=True, kw_only=True):
    """How it ended.

    Args:
        container: its name.
        id: all 64 characters.
        exit_code: None where the container was removed as it ended.
        killed: whether it ended by KILL, as one does that does not hear TERM.
    """

    container: str
    id: str
    exit_code: int | None
    killed: bool


class DockerStop(Action[Container], frozen=True, kw_only=True):
    """Stop a container with the host's own Docker engine; one that does not run is left as it is.

    It stays stopped: no restart policy starts it again before the engine itself is restarted. One
    that was made with `--rm` is removed as it ends, and the change says so. A container that was
    replaced or restarted since it was looked at is left alone.

    Args:
        container: its name, or at least 12 characters of its id.
        stop_timeout: how long it may take to end by itself before it is killed.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `POST /containers/{id}/stop`, `GET /containers/{id}/json`.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName
    stop_timeout: Duration = "10s"
    socket: str = SOCKET

    def observe(self, target: Target) -> Container:
        """Inspect the container."""
        with docker_engine(target, self.socket) as client:
            return Container.of(find(client, self.container))

    def decide(self, seen: Container) -> Change | None:
        """Stop it unless it is stopped."""
        if seen.ended:
            return None
        fate = "stopped, and removed (--rm)" if seen.auto_remove else "stopped"
        return Change(
            summary=f"{seen.name} {seen.condition} → {fate}",
            on=(seen.identity,),
            before={"state": seen.state},
            after={"state": "removed" if seen.auto_remove else "exited"},
            reversible=not seen.auto_remove,
        )

    def apply(self, target: Target, change: Change) -> Stopped:
        """Stop it, if it is still the one that was looked at."""
        grace = stop_patience(self.stop_timeout, target.deadline)
        (wanted,) = change.on
        id_ = str(wanted.key["id"])
        with docker_engine(target, self.socket) as client:
            still_the_same(client, wanted)
            client.api.stop(id_, timeout=grace)
            ended = inspect(client, id_)
        exit_code = ended.exit_code if ended else None
        return Stopped(
            container=wanted.name,
            id=id_,
            exit_code=exit_code,
            killed=exit_code == KILLED,
        )

    def confirm(self, target: Target, change: Change) -> str | None:
        """Look whether it is stopped, or gone."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            seen = inspect(client, str(wanted.key["id"]))
        if seen is None or seen.ended:
            return None
        if seen.identity != wanted:
            return f"{seen.name} was started again: {seen.condition}"
        return f"{seen.name} did not end: {seen.condition}"


EXAMPLE = """
name: Take the backend out of service
docker_stop: {container: backend, stop_timeout: 30s}
"""
