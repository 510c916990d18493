"""What it takes to start and to end a container."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from engine.contract.arguments import seconds
from engine.contract.docker.containers import Container, inspect
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    import docker

    from engine.contract.change import Identity
    from engine.contract.target import Deadline

POLL = 0.2
SETTLE = 1.0
"""Seconds between two looks, and for how long a container without a health check must stay up."""
MANY_RESTARTS = 3
"""So often its restart policy has started it again since we did: it will not stay up."""


def stop_patience(stop_timeout: str | float, deadline: Deadline, *, beside: float = 0.0) -> int:
    """Whole seconds that a container gets to end by itself.

    Args:
        stop_timeout: a `Duration`.
        deadline: the task's.
        beside: seconds that are needed for the rest.

    Raises:
        ModuleFailed: it does not fit into the task's time.
    """
    grace = seconds(stop_timeout)
    if grace + beside >= deadline.remaining():
        rest = f" with the {beside:g} s that the rest takes" if beside else ""
        raise ModuleFailed(
            f"stop_timeout of {grace:g} s{rest} does not fit into the task's timeout"
        )
    return math.ceil(grace)


def until_up(
    client: docker.DockerClient,
    wanted: Identity,
    deadline: Deadline,
    *,
    give_up_unhealthy: bool = False,
) -> str | None:
    """Wait until a container runs with another start time, and is healthy or stays up.

    Args:
        client: of its engine.
        wanted: its identity before it was started.
        deadline: by when; the last look is a little before.
        give_up_unhealthy: do not wait for one that is unhealthy to become healthy after all.

    Returns:
        None once it is so, else what is missing.
    """
    last, first_up = "", 0.0
    while True:
        seen = inspect(client, str(wanted.key["id"]))
        if seen is None:
            return f"{wanted.name} was removed"
        if seen.started_at != last:
            last, first_up = seen.started_at, time.monotonic()
        missing = _missing(seen, wanted, stayed=time.monotonic() - first_up)
        hopeless = _hopeless(seen, wanted) or (give_up_unhealthy and seen.health == "unhealthy")
        if missing is None or hopeless or deadline.remaining() < 2 * SETTLE:
            return missing
        time.sleep(POLL)


def _missing(seen: Container, wanted: Identity, *, stayed: float) -> str | None:
    """What is still missing; `stayed`: seconds since its start was seen."""
    if seen.identity == wanted:
        return f"{seen.name} was not started again: {seen.condition}"
    if seen.state != "running":
        return f"{seen.name} does not stay up: {seen.condition}"
    if seen.health is not None:
        return None if seen.health == "healthy" else f"{seen.name} runs but is {seen.health}"
    return None if stayed >= SETTLE else f"{seen.name} does not stay up"


def _hopeless(seen: Container, wanted: Identity) -> bool:
    ended_again = seen.identity != wanted and seen.state in {"exited", "dead"}
    return seen.restarts >= MANY_RESTARTS or ended_again
