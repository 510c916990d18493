"""`docker_rollback`: a container back on its previous image, or a service on its last version."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec.structs import asdict

from engine.contract import (
    Action,
    Change,
    DeadlineExceeded,
    Duration,
    Identity,
    LinkLost,
    Meta,
    ModuleFailed,
    Target,
)
from engine.contract.docker import (
    NEVER,
    POLL,
    PUT_BACK,
    ROLLED_BACK_FROM,
    ROLLED_BACK_TO,
    SETTLE,
    SOCKET,
    Container,
    ContainerName,
    Image,
    Place,
    Service,
    ServiceName,
    creation,
    docker_engine,
    find,
    find_service,
    image_description,
    image_of,
    inspect_service,
    needed_image,
    previous_image,
    replace,
    roll_back,
    still_the_same,
    stop_patience,
    until_up,
)

if TYPE_CHECKING:
    import docker

SWARM_SERVICE = "com.docker.swarm.service.name"
ImageName = Annotated[
    str, Meta(pattern="^[a-zA-Z0-9][a-zA-Z0-9_./:@-]*$", title="image", examples=["backend:1.4"])
]


class Former(Container, frozen=True, kw_only=True):
    """A container, and where it would go.

    Args:
        runs: the image that it runs.
        previous: the one that it would go back to; None if it has gone back already.
    """

    runs: Image
    previous: Image | None


class DockerRollback(Action[Former | Service], frozen=True, kw_only=True):
    """Put a container back on its previous image, or a Swarm service on its last version.

    A container is made anew from the previous image with all that it was given (ports, volumes,
    networks, variables, limits, labels …; what it had from its image comes from the other one),
    under its name. The former one is stopped and kept beside it, for its log and for the way
    back. If the new one does not become healthy, or does not stay up where it has no health
    check, it is removed and the former one is back; its last words are in the result.

    Which image is the previous one is not guessed: `image` says it, or the container's label
    `quell.previous-image`, or what the engine still knows, which is the container that had its
    name before, and the image that lost its tag to the present one. Where that is not clear the
    task fails and tells which images there are. Nothing is pulled. A container that was rolled
    back already is left as it is, unless `image` says another.

    A service goes back to the version that its managers have kept, images and all other settings,
    by its own rules of updating; the host must be a manager of its Swarm.

    Args:
        container: its name, or at least 12 characters of its id.
        service: a Swarm service instead: its name.
        image: the image to go back to, which must be on the host.
        stop_timeout: how long the former container may take to end by itself.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `POST /containers/create`, `POST /containers/{id}/rename`,
    `POST /services/{id}/update?rollback=previous`.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName | None = None
    service: ServiceName | None = None
    image: ImageName | None = None
    stop_timeout: Duration = "10s"
    socket: str = SOCKET

    def __post_init__(self) -> None:
        """Refuse anything but one container or one service.

        Raises:
            ValueError: the arguments do not go together.
        """
        if (self.container is None) == (self.service is None):
            raise ValueError("give a container or a service, and not both")
        if self.service is not None and self.image is not None:
            raise ValueError("image goes with container; a service has its last version")

    def observe(self, target: Target) -> Former | Service:
        """Find it, and where it would go."""
        with docker_engine(target, self.socket) as client:
            if self.service is not None:
                return find_service(client, self.service)
            assert self.container is not None
            raw = find(client, self.container)
            _check_replaceable(client, raw)
            return self._former(client, raw)

    def decide(self, seen: Former | Service) -> Change | None:
        """Go back, unless it has gone back already.

        Raises:
            ModuleFailed: there is nothing to go back to.
        """
        if isinstance(seen, Service):
            return _service_change(seen)
        if seen.previous is None or seen.previous.id == seen.runs.id:
            return None
        return Change(
            summary=f"{seen.name} {seen.condition}: {seen.runs.shown} → {seen.previous.shown}",
            on=(seen.identity,),
            before={"image": seen.runs.name, "image_id": seen.runs.id},
            after={"image": seen.previous.name, "image_id": seen.previous.id},
            reversible=True,
        )

    def apply(self, target: Target, change: Change) -> dict[str, Any]:
        """Put the other one in its place, if it is still the one that was looked at."""
        (wanted,) = change.on
        if wanted.kind == "service":
            with docker_engine(target, self.socket) as client:
                roll_back(client, wanted)
            return {"service": wanted.name, "id": wanted.key["id"]}
        grace = stop_patience(self.stop_timeout, target.deadline, beside=2 * PUT_BACK)
        kept = ""
        try:
            with docker_engine(target, self.socket) as client:
                former = still_the_same(client, wanted)
                place = _place(client, former, change)
                kept = place.kept_as
                id_ = replace(client, place, grace=grace, deadline=target.deadline)
        except (LinkLost, DeadlineExceeded) as error:
            where = f"; the former container may be {kept} by now" if kept else ""
            raise type(error)(f"{error.message}{where}") from error
        return {"container": wanted.name, "id": id_, "kept": kept}

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until it runs what it should, and is healthy or stays up."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            if wanted.kind == "service":
                return _service_missing(client, target, str(wanted.key["id"]))
            raw = find(client, wanted.name)
            seen = Container.of(raw)
            if raw["Image"] != change.after["image_id"]:
                return f"{seen.name} still runs {seen.image}: {seen.condition}"
            coming = Identity("container", seen.name, {"id": seen.id, "started_at": NEVER})
            return until_up(client, coming, target.deadline)

    def _former(self, client: docker.DockerClient, raw: dict[str, Any]) -> Former:
        runs = image_of(client, raw)
        labels = raw["Config"]["Labels"] or {}
        if self.image is not None:
            previous: Image | None = needed_image(client, self.image, "which is asked for")
        elif labels.get(ROLLED_BACK_TO) == runs.id:
            previous = None
        else:
            previous = previous_image(client, raw, runs)
        return Former(**asdict(Container.of(raw)), runs=runs, previous=previous)


def _check_replaceable(client: docker.DockerClient, raw: dict[str, Any]) -> None:
    """Refuse a container for which there would be no way back, or that others hang on."""
    seen = Container.of(raw)
    service = (raw["Config"]["Labels"] or {}).get(SWARM_SERVICE)
    if service:
        raise ModuleFailed(
            f"{seen.name} belongs to the Swarm service {service}: roll that back, with `service`"
        )
    if seen.auto_remove:
        raise ModuleFailed(
            f"{seen.name} was made with --rm: stopped, it would be gone, with no way back"
        )
    if seen.state == "paused":
        raise ModuleFailed(f"{seen.name} is paused: `docker unpause {seen.name}` continues it")
    modes = {f"container:{seen.id}", f"container:{seen.name}"}
    sharing = [
        each["Names"][0].lstrip("/")
        for each in client.api.containers(all=True)
        if each["HostConfig"]["NetworkMode"] in modes
    ]
    if sharing:
        raise ModuleFailed(
            f"{', '.join(sorted(sharing))} would lose the network: it is that of {seen.name}"
        )


def _place(client: docker.DockerClient, former: dict[str, Any], change: Change) -> Place:
    name, wanted = change.after["image"], change.after["image_id"]
    if needed_image(client, name, "which was there").id != wanted:
        raise ModuleFailed(f"{name} is another image by now; nothing was done")
    defaults = image_description(client, former["Image"])["Config"]
    labels = {ROLLED_BACK_FROM: former["Image"], ROLLED_BACK_TO: wanted}
    request, networks = creation(former, defaults, name, labels)
    return Place(former=former, request=request, networks=networks)


def _service_change(seen: Service) -> Change | None:
    if seen.update in {"rollback_started", "rollback_completed"}:
        return None
    if seen.update == "rollback_paused":
        raise ModuleFailed(
            f"the rollback of {seen.name} is paused already: {seen.message}; "
            f"`docker service ps {seen.name}` tells why"
        )
    if seen.previous is None:
        raise ModuleFailed(f"{seen.name} has had no other version yet")
    if seen.previous == seen.image:
        images = f"the settings before, with {seen.image} as now"
    else:
        images = f"{seen.image} → {seen.previous}"
    return Change(
        summary=f"service {seen.name}: {images}",
        on=(seen.identity,),
        before={"image": seen.image},
        after={"image": seen.previous},
        reversible=True,
    )


def _service_missing(client: docker.DockerClient, target: Target, id_: str) -> str | None:
    """Wait until the managers are done with it; what is missing where they are not."""
    while True:
        seen = inspect_service(client, id_)
        if seen is None:
            return "the service was removed"
        if seen.update == "rollback_completed":
            return None
        if seen.update == "rollback_paused":
            return f"the rollback of {seen.name} is paused: {seen.message}"
        if seen.update != "rollback_started":
            return f"{seen.name} was not rolled back: {seen.message or 'no word of it'}"
        if target.deadline.remaining() < 2 * SETTLE:
            return f"{seen.name} is still being rolled back: {seen.message}"
        time.sleep(POLL)


EXAMPLE = """
name: Back to the version before
docker_rollback: backend
verify:
  - http_probe: {url: "http://localhost:8080/api/health/ready"}
    within: 1m
"""
