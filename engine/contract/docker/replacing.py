"""Another container in the place of one, and the former one back where it does not come up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.contract.change import Identity
from engine.contract.docker.containers import NEVER, Container
from engine.contract.docker.engine import ask, said
from engine.contract.docker.logs import read_log
from engine.contract.docker.starting import until_up
from engine.contract.target import Deadline
from engine.errors import HostError, ModuleFailed

if TYPE_CHECKING:
    import docker

PUT_BACK = 20.0
"""Seconds that are kept for putting the former one back."""
LAST_WORDS = 20
"""Lines of the log of one that did not come up."""


class Place(Struct, frozen=True, kw_only=True):
    """What is to be put where.

    Args:
        former: the engine's own description of the container that is there.
        request: for the one that comes, as the API takes it.
        networks: that it is joined to after it was made.
    """

    former: dict[str, Any]
    request: dict[str, Any]
    networks: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """That both are called, one after the other."""
        name: str = self.former["Name"].lstrip("/")
        return name

    @property
    def kept_as(self) -> str:
        """What the former one is called afterwards."""
        return f"{self.name}-before-{self.former['Id'][:12]}"


def replace(client: docker.DockerClient, place: Place, *, grace: int, deadline: Deadline) -> str:
    """Put another container in the place of one that is stopped and kept under another name.

    Args:
        client: of their engine.
        place: what is put where.
        grace: seconds that the former one gets to end by itself.
        deadline: the task's.

    Returns:
        The new one's id, once it is healthy or stays up.

    Raises:
        ModuleFailed: it did not come up, and the former one is back.
    """
    import docker.errors

    id_ = _made(client, place)
    try:
        _take_over(client, place, id_, grace)
        coming = Identity("container", place.name, {"id": id_, "started_at": NEVER})
        patience = Deadline(deadline.remaining() - PUT_BACK)
        wrong = until_up(client, coming, patience, give_up_unhealthy=True)
    except docker.errors.APIError as error:
        wrong = f"Docker says: {said(error)}"
    except HostError as error:
        wrong = error.message
    if wrong is None:
        return id_
    last_words = _last_words(client, id_, deadline)
    raise ModuleFailed(f"{wrong}; {_put_back(client, place, id_)}", {"log": last_words})


def _made(client: docker.DockerClient, place: Place) -> str:
    import docker.errors

    params = {"name": f"{place.name}-coming"}
    made = ask(client, "POST", "/containers/create", params=params, json=place.request).json()
    id_ = str(made["Id"])
    try:
        for network, endpoint in place.networks.items():
            body = {"Container": id_, "EndpointConfig": endpoint}
            ask(client, "POST", f"/networks/{network}/connect", json=body)
    except docker.errors.APIError:
        client.api.remove_container(id_, force=True)
        raise
    return id_


def _take_over(client: docker.DockerClient, place: Place, id_: str, grace: int) -> None:
    former = place.former["Id"]
    if not Container.of(place.former).ended:
        client.api.stop(former, timeout=grace)
    # An engine that is started again must not start the former one beside the new one.
    _restart_policy(client, former, {"Name": "no"})
    client.api.rename(former, place.kept_as)
    client.api.rename(id_, place.name)
    client.api.start(id_)


def _restart_policy(client: docker.DockerClient, id_: str, policy: dict[str, Any]) -> None:
    ask(client, "POST", f"/containers/{id_}/update", json={"RestartPolicy": policy})


def _last_words(client: docker.DockerClient, id_: str, deadline: Deadline) -> list[str]:
    """The end of its log, which goes with it."""
    import docker.errors

    try:
        raw = client.api.inspect_container(id_)
        return [line.text for line in read_log(client, raw, deadline, {"tail": LAST_WORDS})]
    except (docker.errors.APIError, HostError):
        return []


def _put_back(client: docker.DockerClient, place: Place, id_: str) -> str:
    """Remove the new one and have the former one as it was; says what came of it."""
    import docker.errors

    former = Container.of(place.former)
    try:
        client.api.remove_container(id_, force=True)
        if Container.of(client.api.inspect_container(former.id)).name != former.name:
            client.api.rename(former.id, former.name)
        _restart_policy(client, former.id, place.former["HostConfig"]["RestartPolicy"])
        if not former.ended:
            client.api.start(former.id)
        back = Container.of(client.api.inspect_container(former.id))
    except docker.errors.APIError as error:
        return (
            f"and the former container could not be put back ({said(error)}): "
            f"it is {former.name} or {place.kept_as}"
        )
    return f"the former container is back: {back.condition}"
