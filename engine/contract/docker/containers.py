"""Containers: which one is meant, how it is, and whether it still is the one that was seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from engine.contract.change import Identity
from engine.contract.docker.engine import timestamp
from engine.contract.docker.names import not_there
from engine.errors import ModuleFailed
from engine.units import duration

if TYPE_CHECKING:
    import docker

ContainerName = Annotated[
    str, Meta(pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", title="container", examples=["backend"])
]
"""A container's name, or at least 12 characters of its id."""

NEVER = "0001-01-01T00:00:00Z"
"""When a container was started that never was."""
BY_POLICY = "again and again, by its restart policy"
"""Stands for the start time of a container that does not stay up long enough to have one."""
LOOP = 60.0
"""Seconds: Docker's longest wait before it starts a container again."""
SHORTEST_ID = 12
"""Docker's own short form; a shorter one could be a misspelled name that happens to fit."""


class Container(Struct, frozen=True, kw_only=True):
    """A container as the engine describes it.

    Args:
        id: all 64 characters.
        name: without the leading slash.
        image: as it was named when the container was made.
        state: `running`, `exited`, `restarting`, `paused`, `created`, `dead`.
        started_at: when it was last started, RFC 3339 with nanoseconds.
        health: `healthy`, `unhealthy`, `starting`; None without a health check.
        exit_code: of its last end.
        oom_killed: whether the kernel ended it for want of memory.
        restarts: how often its restart policy has started it again.
        up: seconds since it was started, by the controller's clock; None if it is not running.
        auto_remove: whether it is removed when it ends (`--rm`).
    """

    id: str
    name: str
    image: str
    state: str
    started_at: str
    health: str | None
    exit_code: int
    oom_killed: bool
    restarts: int
    up: float | None
    auto_remove: bool

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Container:
        """The same from the engine's own description."""
        state = raw["State"]
        started_at = state["StartedAt"]
        lives = state["Status"] in {"running", "paused"}
        return cls(
            id=raw["Id"],
            name=raw["Name"].lstrip("/"),
            image=raw["Config"]["Image"],
            state=state["Status"],
            started_at=started_at,
            health=(state.get("Health") or {}).get("Status"),
            exit_code=state["ExitCode"],
            oom_killed=state["OOMKilled"],
            restarts=raw["RestartCount"],
            up=max(0.0, time.time() - timestamp(started_at)) if lives else None,
            auto_remove=raw["HostConfig"]["AutoRemove"],
        )

    @property
    def identity(self) -> Identity:
        """This very start of this very container.

        In a restart loop the starts that follow each other are one: what is decided about it
        must hold for longer than its next start. Whoever starts it by hand ends the loop, since
        the engine then counts from zero again.
        """
        started_at = BY_POLICY if self.looping else self.started_at
        return Identity("container", self.name, {"id": self.id, "started_at": started_at})

    @property
    def looping(self) -> bool:
        """Whether its restart policy starts it again and again."""
        if self.state == "restarting":
            return True
        return self.restarts > 0 and self.up is not None and self.up < LOOP

    @property
    def ended(self) -> bool:
        """Whether it has no processes, and none will be started unasked."""
        return self.state not in {"running", "paused", "restarting"}

    @property
    def condition(self) -> str:
        """How it is, for people: `healthy, up 3 d 4 h`, `exited (137, out of memory)`."""
        if self.state == "running" and self.up is not None:
            health = f"{self.health}, " if self.health else ""
            return f"{health}up {duration(self.up)}"
        if self.state in {"exited", "restarting"}:
            return f"{self.state} ({self.exit_code}{', out of memory' if self.oom_killed else ''})"
        return self.state


def find(client: docker.DockerClient, container: str) -> dict[str, Any]:
    """The engine's own description of the container that a `ContainerName` means.

    Raises:
        ModuleFailed: there is none; the nearest names are told.
    """
    import docker.errors

    try:
        raw: dict[str, Any] = client.api.inspect_container(container)
    except docker.errors.NotFound:
        raise ModuleFailed(not_there("container", container, _names(client))) from None
    by_id = len(container) >= SHORTEST_ID and raw["Id"].startswith(container)
    if raw["Name"].lstrip("/") == container or by_id:
        return raw
    raise ModuleFailed(not_there("container", container, _names(client)))


def inspect(client: docker.DockerClient, id_: str) -> Container | None:
    """How the container with this id is now; None if it was removed."""
    import docker.errors

    try:
        return Container.of(client.api.inspect_container(id_))
    except docker.errors.NotFound:
        return None


def still_the_same(client: docker.DockerClient, wanted: Identity) -> dict[str, Any]:
    """The engine's own description of a container, if it still is the one that was seen.

    Raises:
        ModuleFailed: it was removed, replaced, renamed or restarted since.
    """
    import docker.errors

    try:
        raw: dict[str, Any] = client.api.inspect_container(str(wanted.key["id"]))
    except docker.errors.NotFound:
        raise ModuleFailed(f"{wanted.name} was replaced or removed; nothing was done") from None
    seen = Container.of(raw)
    if seen.name != wanted.name:
        raise ModuleFailed(f"{wanted.name} is now called {seen.name}; nothing was done")
    if seen.identity != wanted:
        raise ModuleFailed(f"{wanted.name} was restarted by someone else; nothing was done")
    return raw


def _names(client: docker.DockerClient) -> list[str]:
    return [name.lstrip("/") for each in client.api.containers(all=True) for name in each["Names"]]
