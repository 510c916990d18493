"""Images on the host, and which of them a container ran before.

**Source:** Docker Engine API, `GET /images/json`, `GET /images/{name}/json`, `GET /events`. An
image whose tag was pulled anew keeps its digest and loses its tag ("dangling").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.contract.docker.containers import NEVER
from engine.contract.docker.engine import happened, timestamp
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    import docker

PREVIOUS_LABEL = "quell.previous-image"
"""A label in which whoever deploys a container may say what it replaces."""
ROLLED_BACK_FROM = "quell.rolled-back-from"
ROLLED_BACK_TO = "quell.rolled-back-to"
"""Labels of a container that was rolled back: ids of images."""
MOST_LOOKED_AT = 20
MOST_TOLD = 5
"""Images of which one may have been the previous one."""


class Image(Struct, frozen=True, kw_only=True):
    """An image on the host.

    Args:
        id: `sha256:` and 64 characters.
        name: a tag, or a digest, or the id where it has neither.
        created: when it was built, RFC 3339.
    """

    id: str
    name: str
    created: str

    @property
    def shown(self) -> str:
        """`app:1.4 (77acb30c93b4)`."""
        short = self.id.removeprefix("sha256:")[:12]
        return short if self.name == self.id else f"{self.name} ({short})"


def find_image(client: docker.DockerClient, name: str) -> Image | None:
    """The image of that name or id; None if it is not on the host."""
    import docker.errors

    try:
        raw = image_description(client, name)
    except docker.errors.NotFound:
        return None
    own = [*(raw.get("RepoTags") or []), *(raw.get("RepoDigests") or [])]
    by_id = raw["Id"].removeprefix("sha256:").startswith(name.removeprefix("sha256:"))
    called = next(iter(own), raw["Id"]) if by_id else name
    return Image(id=raw["Id"], name=called, created=raw.get("Created") or NEVER)


def image_description(client: docker.DockerClient, name: str) -> dict[str, Any]:
    """The engine's own description of an image.

    Raises:
        docker.errors.NotFound: it is not on the host.
    """
    found: dict[str, Any] = client.api.inspect_image(name)  # type: ignore[no-untyped-call]
    return found


def image_of(client: docker.DockerClient, raw: dict[str, Any]) -> Image:
    """The image that a container runs, by the name that it was made from if that still fits.

    Raises:
        ModuleFailed: it is not on the host any more.
    """
    made_from = find_image(client, raw["Config"]["Image"])
    if made_from is not None and made_from.id == raw["Image"]:
        return made_from
    return needed_image(client, raw["Image"], f"which {raw['Name'].lstrip('/')} runs")


def previous_image(client: docker.DockerClient, raw: dict[str, Any], now: Image) -> Image:
    """The image that a container ran before the one it runs now, where that can be known.

    It is what the container's label says; else the image of the container that had its name
    before, which the engine remembers for a while; else the one that its tag pointed to before, by
    the engine's memory, or because just one image of the repository has lost its tag. What was
    built later than the present image is not believed to have come before it.

    Args:
        client: of the engine.
        raw: the engine's own description of the container.
        now: the image that it runs.

    Raises:
        ModuleFailed: it cannot be known, or is not on the host; what is there is told.
    """
    name = raw["Name"].lstrip("/")
    labelled = (raw["Config"]["Labels"] or {}).get(PREVIOUS_LABEL)
    if labelled:
        return needed_image(client, labelled, f"which the label {PREVIOUS_LABEL} of {name} names")
    tagged = _before(client, now, _tagged_before(client, raw))
    untagged = _before(client, now, _untagged(client, _repositories(raw, now)))
    for ran in _ran_before(client, raw):
        image = needed_image(client, ran, f"which {name} ran before")
        if _came_before(image, now):
            return image
        if image.id != now.id or tagged or untagged:
            break
    for known in (tagged[:1], untagged):
        if len(known) == 1:
            return known[0]
    raise ModuleFailed(_unclear(client, raw, now))


def needed_image(client: docker.DockerClient, name: str, why: str) -> Image:
    """The image of that name.

    Raises:
        ModuleFailed: it is not on the host.
    """
    image = find_image(client, name)
    if image is None:
        raise ModuleFailed(f"the image {name}, {why}, is not on the host: pull it first")
    return image


def _ran_before(client: docker.DockerClient, raw: dict[str, Any]) -> list[str]:
    """The images of the containers that had this one's name, the last one first."""
    name = raw["Name"].lstrip("/")
    filters = {"type": ["container"], "event": ["create", "start", "die", "destroy"]}
    ran: dict[str, str] = {}
    for event in reversed(happened(client, filters)):
        actor = event["Actor"]
        if actor["Attributes"].get("name") == name and actor["ID"] != raw["Id"]:
            ran.setdefault(actor["ID"], actor["Attributes"]["image"])
    return list(ran.values())


def _tagged_before(client: docker.DockerClient, raw: dict[str, Any]) -> list[str]:
    """The images that had the tag that this container was made from, the last one first."""
    tag = raw["Config"]["Image"]
    if ":" not in tag.rpartition("/")[2]:
        tag = f"{tag}:latest"
    events = happened(client, {"type": ["image"], "event": ["tag"]})
    had = [event["Actor"]["ID"] for event in events if event["Actor"]["Attributes"]["name"] == tag]
    return list(dict.fromkeys(reversed(had)))


def _untagged(client: docker.DockerClient, repositories: set[str]) -> list[str]:
    dangling = client.api.images(filters={"dangling": True})
    return [each["Id"] for each in dangling if repositories & _named(each.get("RepoDigests") or [])]


def _before(client: docker.DockerClient, now: Image, ids: Iterable[str]) -> list[Image]:
    images = [image for id_ in ids if (image := find_image(client, id_))]
    return [image for image in images if _came_before(image, now)]


def _came_before(image: Image, now: Image) -> bool:
    return image.id != now.id and timestamp(image.created) <= timestamp(now.created)


def _repositories(raw: dict[str, Any], now: Image) -> set[str]:
    return _named([raw["Config"]["Image"], now.name])


def _named(references: Iterable[str]) -> set[str]:
    """The repositories of tags and digests: `registry:5000/app:1.4` → `registry:5000/app`."""
    found = set()
    for reference in references:
        path, slash, last = reference.partition("@")[0].rpartition("/")
        found.add(f"{path}{slash}{last.partition(':')[0]}")
    return found - {"<none>", "sha256"}


def _unclear(client: docker.DockerClient, raw: dict[str, Any], now: Image) -> str:
    name, repositories = raw["Name"].lstrip("/"), _repositories(raw, now)
    others = {
        each["Id"]: each["Created"]
        for each in client.api.images()
        if each["Id"] != now.id
        and repositories & _named([*(each["RepoTags"] or []), *(each["RepoDigests"] or [])])
    }
    newest = sorted(others, key=lambda id_: -others[id_])[:MOST_LOOKED_AT]
    images = [image for id_ in newest if (image := find_image(client, id_))]
    images.sort(key=lambda image: -timestamp(image.created))
    told = ", ".join(f"{image.shown} built {image.created[:10]}" for image in images[:MOST_TOLD])
    there = f"on the host are {told}" if told else "no other of its images is on the host"
    return (
        f"which image {name} ran before {now.shown} cannot be known: say it with `image`; {there}"
    )
