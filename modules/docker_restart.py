"""`docker_restart`: restart a container."""

from __future__ import annotations

from typing import Any, ClassVar

from engine.contract import Action, Change, Duration, Target
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    docker_engine,
    find,
    still_the_same,
    stop_patience,
    until_up,
)


class DockerRestart(Action[Container], frozen=True, kw_only=True):
    """Restart a container with the host's own Docker engine; one that is stopped is started.

    It took when the container runs again with a new start time and stays up, and is healthy
    where it has a health check. A container that was replaced or restarted since it was looked
    at is left alone.

    Args:
        container: its name, or at least 12 characters of its id.
        stop_timeout: how long it may take to end by itself before it is killed.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `POST /containers/{id}/restart`, `GET /containers/{id}/json`.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName
    stop_timeout: Duration = "10s"
    socket: str = SOCKET

    def observe(self, target: Target) -> Container:
        """Inspect the container."""
        with docker_engine(target, self.socket) as client:
            return Container.of(find(client, self.container))

    def decide(self, seen: Container) -> Change:
        """Always a restart: whether it is needed is the playbook's `when` to say."""
        return Change(
            summary=f"{seen.name} {seen.condition} → restarted",
            on=(seen.identity,),
            before={"state": seen.state, "health": seen.health, "started_at": seen.started_at},
            after={"state": "running"},
        )

    def apply(self, target: Target, change: Change) -> dict[str, Any]:
        """Restart it, if it is still the one that was looked at."""
        grace = stop_patience(self.stop_timeout, target.deadline)
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            still_the_same(client, wanted)
            # From here on a container that is replaced has another id: the engine says 404.
            client.api.restart(str(wanted.key["id"]), timeout=grace)
        return {"container": wanted.name, "id": wanted.key["id"]}

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until it runs with a new start time, and is healthy or stays up."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            return until_up(client, wanted, target.deadline)


EXAMPLE = """
name: Restart the backend
docker_restart: {container: backend, stop_timeout: 20s}
"""
