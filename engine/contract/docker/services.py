"""Services of a Swarm, by way of one of its managers.

**Source:** Docker Engine API, `GET /services/{id}`, `POST /services/{id}/update?rollback=previous`;
swarmkit, api/types.proto `UpdateStatus` for the states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from engine.contract.change import Identity
from engine.contract.docker.engine import ask
from engine.contract.docker.names import not_there
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    import docker

ServiceName = Annotated[str, Meta(pattern="^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", title="service")]


class Service(Struct, frozen=True, kw_only=True):
    """A service as its managers know it.

    Args:
        id: 25 characters.
        name: as it was made.
        version: counts every change of it.
        image: that it runs.
        previous: the image of its version before; None if there was none.
        update: how its last update went: `updating`, `paused`, `completed`, `rollback_started`,
            `rollback_paused`, `rollback_completed`; empty before the first one.
        message: what the managers say of that.
    """

    id: str
    name: str
    version: int
    image: str
    previous: str | None
    update: str
    message: str

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Service:
        """The same from the engine's own description."""
        update = raw.get("UpdateStatus") or {}
        previous = raw.get("PreviousSpec")
        return cls(
            id=raw["ID"],
            name=raw["Spec"]["Name"],
            version=raw["Version"]["Index"],
            image=_image(raw["Spec"]),
            previous=_image(previous) if previous else None,
            update=update.get("State", ""),
            message=update.get("Message", ""),
        )

    @property
    def identity(self) -> Identity:
        """This very version of this very service."""
        return Identity("service", self.name, {"id": self.id, "version": self.version})


def find_service(client: docker.DockerClient, name: str) -> Service:
    """The service of that name.

    Raises:
        ModuleFailed: there is none, or the host is no manager of a Swarm.
    """
    import docker.errors

    try:
        seen = Service.of(_description(client, name))
    except docker.errors.NotFound:
        seen = None
    if seen is not None and name in {seen.name, seen.id}:
        return seen
    names = [each["Spec"]["Name"] for each in client.api.services()]  # type: ignore[no-untyped-call]
    raise ModuleFailed(not_there("service", name, names))


def roll_back(client: docker.DockerClient, wanted: Identity) -> None:
    """Have the managers go back to the version before, if nobody has changed it since.

    Raises:
        ModuleFailed: it was changed or removed; nothing was done.
        docker.errors.APIError: the managers refused.
    """
    import docker.errors

    id_ = str(wanted.key["id"])
    try:
        raw = _description(client, id_)
    except docker.errors.NotFound:
        raise ModuleFailed(f"{wanted.name} was removed; nothing was done") from None
    if Service.of(raw).identity != wanted:
        raise ModuleFailed(f"{wanted.name} was changed by someone else; nothing was done")
    params = {"version": int(wanted.key["version"]), "rollback": "previous"}
    ask(client, "POST", f"/services/{id_}/update", params=params, json=raw["Spec"])


def inspect_service(client: docker.DockerClient, id_: str) -> Service | None:
    """How the service with this id is now; None if it was removed."""
    import docker.errors

    try:
        return Service.of(_description(client, id_))
    except docker.errors.NotFound:
        return None


def _description(client: docker.DockerClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.api.inspect_service(name)  # type: ignore[no-untyped-call]
    return found


def _image(spec: dict[str, Any]) -> str:
    image: str = spec["TaskTemplate"].get("ContainerSpec", {}).get("Image", "")
    return image.partition("@")[0] or image
