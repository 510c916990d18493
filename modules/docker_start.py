"""`docker_start`: start a container that is stopped."""

from __future__ import annotations

from typing import Any, ClassVar

from engine.contract import Action, Change, ModuleFailed, Target
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    docker_engine,
    find,
    still_the_same,
    until_up,
)


class DockerStart(Action[Container], frozen=True, kw_only=True):
    """Start a container with the host's own Docker engine; one that runs is left as it is.

    It took when the container runs with a new start time and stays up, and is healthy where it
    has a health check. A container that is paused, or that its restart policy starts in vain
    again and again, is a failure: starting is not what it needs.

    Args:
        container: its name, or at least 12 characters of its id.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `POST /containers/{id}/start`, `GET /containers/{id}/json`.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName
    socket: str = SOCKET

    def observe(self, target: Target) -> Container:
        """Inspect the container.

        Raises:
            ModuleFailed: it is in a state that starting does not end.
        """
        with docker_engine(target, self.socket) as client:
            seen = Container.of(find(client, self.container))
        if seen.state == "paused":
            raise ModuleFailed(f"{seen.name} is paused: `docker unpause {seen.name}` continues it")
        if seen.state == "restarting":
            raise ModuleFailed(
                f"{seen.name} is {seen.condition}: its restart policy starts it again and again, "
                "and its log may tell why it ends"
            )
        return seen

    def decide(self, seen: Container) -> Change | None:
        """Start it unless it runs."""
        if seen.state == "running":
            return None
        return Change(
            summary=f"{seen.name} {seen.condition} → started",
            on=(seen.identity,),
            before={"state": seen.state},
            after={"state": "running"},
            reversible=True,
        )

    def apply(self, target: Target, change: Change) -> dict[str, Any]:
        """Start it, if it is still the one that was looked at."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            still_the_same(client, wanted)
            client.api.start(str(wanted.key["id"]))
        return {"container": wanted.name, "id": wanted.key["id"]}

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until it runs with a new start time, and is healthy or stays up."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            return until_up(client, wanted, target.deadline)


EXAMPLE = """
name: Start the backend again
docker_start: backend
"""
