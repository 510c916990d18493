"""`docker_restart`: restart a container."""

from __future__ import annotations

import difflib
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from engine.contract import (
    Action,
    Change,
    Duration,
    Identity,
    LinkLost,
    Meta,
    ModuleFailed,
    Struct,
    Target,
    docker_client,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

POLL = 0.2
SETTLE = 1.0
"""Seconds between two looks, and for how long a container without a health check must stay up."""
MANY_RESTARTS = 3
"""So often its restart policy has started it again since we did: it will not stay up."""
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

    @property
    def identity(self) -> Identity:
        """This very start of this very container."""
        return Identity("container", self.name, {"id": self.id, "started_at": self.started_at})


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

    container: Annotated[str, Meta(pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", title="container")]
    stop_timeout: Duration = "10s"
    socket: str = "/var/run/docker.sock"

    def observe(self, target: Target) -> Container:
        """Inspect the container."""
        with self._engine(target) as client:
            return self._find(client)

    def decide(self, seen: Container) -> Change:
        """Always a restart: whether it is needed is the playbook's `when` to say."""
        return Change(
            summary=f"{seen.name} {_condition(seen)} → restarted",
            on=(seen.identity,),
            before={"state": seen.state, "health": seen.health, "started_at": seen.started_at},
            after={"state": "running"},
        )

    def apply(self, target: Target, change: Change) -> dict[str, Any]:
        """Restart it, if it is still the one that was looked at."""
        grace = seconds(self.stop_timeout)
        if grace >= target.deadline.remaining():
            raise ModuleFailed(f"stop_timeout of {grace:g} s does not fit into the task's timeout")
        (wanted,) = change.on
        with self._engine(target) as client:
            _still_the_same(client, wanted)
            # From here on a container that is replaced has another id: the engine says 404.
            client.api.restart(str(wanted.key["id"]), timeout=round(grace))
        return {"container": wanted.name, "id": wanted.key["id"]}

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until it runs with a new start time, and is healthy or stays up."""
        (wanted,) = change.on
        last, first_up = "", 0.0
        with self._engine(target) as client:
            while True:
                seen = _inspect(client, str(wanted.key["id"]))
                if seen.started_at != last:
                    last, first_up = seen.started_at, time.monotonic()
                missing = _missing(seen, wanted, stayed=time.monotonic() - first_up)
                hopeless = seen.restarts >= MANY_RESTARTS or _ended_again(seen, wanted)
                if missing is None or hopeless or target.deadline.remaining() < 2 * SETTLE:
                    return missing
                time.sleep(POLL)

    @contextmanager
    def _engine(self, target: Target) -> Iterator[docker.DockerClient]:
        import docker.errors
        import requests

        try:
            with closing(docker_client(target, socket=self.socket)) as client:
                yield client
        except docker.errors.APIError as error:
            raise ModuleFailed(f"Docker says: {error.explanation or error}") from error
        except (requests.RequestException, docker.errors.DockerException) as error:
            raise LinkLost(f"Docker did not answer: {error}") from error

    def _find(self, client: docker.DockerClient) -> Container:
        import docker.errors

        try:
            seen = _inspect(client, self.container)
        except docker.errors.NotFound:
            seen = None
        by_id = len(self.container) >= SHORTEST_ID and seen and seen.id.startswith(self.container)
        if seen and (seen.name == self.container or by_id):
            return seen
        raise ModuleFailed(_not_there(self.container, client))


def _inspect(client: docker.DockerClient, container: str) -> Container:
    raw = client.api.inspect_container(container)
    state = raw["State"]
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        image=raw["Config"]["Image"],
        state=state["Status"],
        started_at=state["StartedAt"],
        health=state.get("Health", {}).get("Status"),
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=raw["RestartCount"],
        up=_seconds_since(state["StartedAt"]) if state["Running"] else None,
    )


def _still_the_same(client: docker.DockerClient, wanted: Identity) -> None:
    import docker.errors

    try:
        seen = _inspect(client, str(wanted.key["id"]))
    except docker.errors.NotFound:
        raise ModuleFailed(f"{wanted.name} was replaced or removed; nothing was done") from None
    if seen.name != wanted.name:
        raise ModuleFailed(f"{wanted.name} is now called {seen.name}; nothing was done")
    if seen.identity != wanted:
        raise ModuleFailed(f"{wanted.name} was restarted by someone else; nothing was done")


def _missing(seen: Container, wanted: Identity, *, stayed: float) -> str | None:
    """What is still missing until the restart is confirmed; `stayed`: seconds since its start."""
    if seen.started_at == wanted.key["started_at"]:
        return f"{seen.name} was not started again: {_condition(seen)}"
    if seen.state != "running":
        return f"{seen.name} does not stay up: {_condition(seen)}"
    if seen.health is not None:
        return None if seen.health == "healthy" else f"{seen.name} runs but is {seen.health}"
    return None if stayed >= SETTLE else f"{seen.name} does not stay up"


def _ended_again(seen: Container, wanted: Identity) -> bool:
    return seen.started_at != wanted.key["started_at"] and seen.state in {"exited", "dead"}


def _not_there(container: str, client: docker.DockerClient) -> str:
    names = [name.lstrip("/") for each in client.api.containers(all=True) for name in each["Names"]]
    near = difflib.get_close_matches(container, names, n=3, cutoff=0.5)
    if near:
        return f"no container {container!r}; did you mean {' or '.join(near)}?"
    return f"no container {container!r}; there are {', '.join(sorted(names)[:10]) or 'none'}"


def _condition(seen: Container) -> str:
    if seen.up is not None:
        health = f"{seen.health}, " if seen.health else ""
        return f"{health}up {_for_people(seen.up)}"
    if seen.state == "exited":
        return f"exited ({seen.exit_code}{', out of memory' if seen.oom_killed else ''})"
    return seen.state


def _seconds_since(started_at: str) -> float:
    # Nanoseconds are more than fromisoformat reads in Python 3.11.
    started = datetime.fromisoformat(started_at[:19]).replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - started).total_seconds())


def _for_people(duration: float) -> str:
    minutes = int(duration // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(shown) or f"{duration:.0f} s"


EXAMPLE = """
name: Restart the backend
docker_restart: {container: backend, stop_timeout: 20s}
"""
