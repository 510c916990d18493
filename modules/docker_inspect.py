"""`docker_inspect`: how a container is, and what happened to it lately."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import asdict

from engine.contract import Duration, Probe, Struct, Target, count, duration, seconds
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    Limits,
    docker_engine,
    find,
    happened,
)

if TYPE_CHECKING:
    import docker

OUTPUT_LIMIT = 1000
"""Characters kept of what a health check said."""


class Check(Struct, frozen=True, kw_only=True):
    """The last health check.

    Args:
        failing: how many in a row have failed.
        exit_code: of the last one; 0 is healthy.
        output: what it said, the first 1000 characters.
        at: when it ended.
    """

    failing: int
    exit_code: int
    output: str
    at: str


class Lately(Struct, frozen=True, kw_only=True):
    """What the engine remembers of the last minutes; its memory is short where much happens.

    Args:
        seconds: how far back was looked.
        ended: how often it ended, for whatever reason.
        out_of_memory: how often the kernel ended one of its processes for want of memory.
        last_out_of_memory: when that was last; None if it was not.
    """

    seconds: float
    ended: int
    out_of_memory: int
    last_out_of_memory: str | None


class Published(Struct, frozen=True):
    """A port; `host` is None where it is not published.

    Args:
        container: `80/tcp`.
        host: `0.0.0.0:8080`.
    """

    container: str
    host: str | None


class Mount(Struct, frozen=True, kw_only=True):
    """A place in the container that is kept outside of it.

    Args:
        type: `bind`, `volume`, `tmpfs`.
        source: a path on the host, or a volume's name.
        target: where the container has it.
        writable: whether the container may change it.
    """

    type: str
    source: str
    target: str
    writable: bool


class Details(Container, frozen=True, kw_only=True):
    """A container and all about it that an incident asks for.

    Args:
        image_id: of the image that it really runs; the name may have moved on.
        error: why it could not be started; empty otherwise.
        created_at: when it was made.
        finished_at: when it last ended; None if it never did.
        check: the last health check; None without one.
        lately: what happened to it; None where that was not asked for.
        limits: what it may take.
        ports: published or merely exposed.
        networks: its address in each; empty while it does not run.
        mounts: volumes and directories of the host.
        env: the names of its variables; the values may be secrets.
        log_driver: where its output goes.
    """

    image_id: str
    error: str
    created_at: str
    finished_at: str | None
    check: Check | None
    lately: Lately | None
    limits: Limits
    ports: list[Published]
    networks: dict[str, str]
    mounts: list[Mount]
    env: list[str]
    log_driver: str


class DockerInspect(Probe[Details], frozen=True, kw_only=True):
    """Look how a container is: state, health, restarts, limits, ports, and why it ended.

    Without `expect` a finding is a container that does not run, is unhealthy, ran out of memory
    lately (even if only one of its processes was ended, or it runs again), or was started again
    by its restart policy within the same time. Values of environment variables are not shown.

    Args:
        container: its name, or at least 12 characters of its id.
        lately: how far back its ends count; 0 does not look back.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `GET /containers/{id}/json`, `GET /events`, of which the engine
    keeps the last 256.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName
    lately: Duration = "15m"
    socket: str = SOCKET

    def observe(self, target: Target) -> Details:
        """Inspect the container, and ask for its events."""
        with docker_engine(target, self.socket) as client:
            raw = find(client, self.container)
            back = seconds(self.lately)
            return _details(raw, _lately(client, raw["Id"], back) if back else None)

    def finding(self, seen: Details) -> str | None:
        """It does not run, is unhealthy, or did not live through the last minutes."""
        if seen.state != "running":
            why = f": {seen.error}" if seen.error else ""
            return f"{seen.name} does not run: {seen.condition}{why}"
        if seen.health == "unhealthy":
            return f"{seen.name} is unhealthy{_checked(seen.check)}"
        return _suffered(seen, seen.lately) if seen.lately else None

    def summary(self, seen: Details) -> str:
        """`healthy, up 3 d 4 h, 2 restarts, backend:1.4`."""
        restarts = [count(seen.restarts, "restart")] if seen.restarts else []
        return ", ".join([seen.condition, *restarts, seen.image])


def _suffered(seen: Details, lately: Lately) -> str | None:
    if lately.out_of_memory:
        times = f"{count(lately.out_of_memory, 'time')} in the last {duration(lately.seconds)}"
        return f"{seen.name} ran out of memory {times}, last at {lately.last_out_of_memory}"
    if seen.restarts and seen.up is not None and seen.up < lately.seconds:
        times = f"{count(seen.restarts, 'time')}, last {duration(seen.up)} ago"
        return f"{seen.name} was started again by its restart policy {times}"
    return None


def _checked(check: Check | None) -> str:
    if check is None:
        return ""
    said = " ".join(check.output.split()) or f"exit code {check.exit_code}"
    return f": {count(check.failing, 'check')} failed in a row: {said}"


def _details(raw: dict[str, Any], lately: Lately | None) -> Details:
    state, config, network = raw["State"], raw["Config"], raw["NetworkSettings"]
    finished = state["FinishedAt"]
    return Details(
        **asdict(Container.of(raw)),
        image_id=raw["Image"],
        error=state["Error"],
        created_at=raw["Created"],
        finished_at=None if finished.startswith("0001") else finished,
        check=_check(state.get("Health") or {}),
        lately=lately,
        limits=Limits.of(raw),
        ports=_ports(network["Ports"] or {}),
        networks={name: each["IPAddress"] for name, each in network["Networks"].items()},
        mounts=[_mount(each) for each in raw["Mounts"]],
        env=sorted(each.partition("=")[0] for each in config["Env"] or []),
        log_driver=raw["HostConfig"]["LogConfig"]["Type"],
    )


def _check(health: dict[str, Any]) -> Check | None:
    if not health.get("Log"):
        return None
    last = health["Log"][-1]
    return Check(
        failing=health["FailingStreak"],
        exit_code=last["ExitCode"],
        output=last["Output"][:OUTPUT_LIMIT],
        at=last["End"],
    )


def _ports(ports: dict[str, list[dict[str, str]] | None]) -> list[Published]:
    return [
        Published(port, f"{each['HostIp']}:{each['HostPort']}" if each else None)
        for port, published in ports.items()
        for each in published or [{}]
    ]


def _mount(mount: dict[str, Any]) -> Mount:
    return Mount(
        type=mount["Type"],
        source=mount.get("Name") or mount["Source"],
        target=mount["Destination"],
        writable=mount["RW"],
    )


def _lately(client: docker.DockerClient, id_: str, back: float) -> Lately:
    filters = {"type": ["container"], "container": [id_], "event": ["die", "oom"]}
    events = happened(client, filters, last=back)
    starved = [event["time"] for event in events if event["Action"] == "oom"]
    return Lately(
        seconds=back,
        ended=len(events) - len(starved),
        out_of_memory=len(starved),
        last_out_of_memory=_written(starved[-1]) if starved else None,
    )


def _written(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


EXAMPLE = """
name: The backend runs
docker_inspect: backend
register: container
"""
