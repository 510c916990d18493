"""What must be asked of the engine to have a container again, from another image.

**Source:** Docker Engine API, `POST /containers/create`. A container's description holds the
defaults of its image too; they are left out, so that the other image's own take their place.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

_INHERITED = ("User", "WorkingDir", "StopSignal", "Healthcheck", "Shell")
_WITHOUT_NETWORK = ("host", "none", "container:")
_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority")


def creation(
    raw: dict[str, Any], defaults: dict[str, Any], image: str, labels: dict[str, str]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A container's own configuration, for another image.

    Args:
        raw: the engine's own description of the container.
        defaults: the `Config` of the image that it was made from.
        image: what the other is made from.
        labels: added to its own.

    Returns:
        The body of the request, and the networks that it must be joined to afterwards: older
        engines take no more than one when they make a container.
    """
    host = {**raw["HostConfig"], **_volumes(raw)}
    mode = host["NetworkMode"]
    config = _config(raw["Config"], defaults)
    config |= {"Image": image, "Labels": {**config["Labels"], **labels}}
    if raw["Id"].startswith(config["Hostname"]) or _shares_names(host):
        del config["Hostname"]
    if mode.startswith(_WITHOUT_NETWORK):
        return {**config, "HostConfig": host}, {}
    first, others = _endpoints(raw, "bridge" if mode == "default" else mode)
    return {**config, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": first}}, others


def _config(config: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in config.items() if name != "OnBuild"}
    for name in _INHERITED:
        if own.get(name) == defaults.get(name):
            own.pop(name, None)
    if own.get("Entrypoint") == defaults.get("Entrypoint"):
        # Whoever gives an entrypoint gives the command too: the image's goes with the image's.
        own.pop("Entrypoint", None)
        if own.get("Cmd") == defaults.get("Cmd"):
            own.pop("Cmd", None)
    inherited = set(defaults.get("Env") or [])
    own["Env"] = [each for each in own.get("Env") or [] if each not in inherited]
    for name in ("ExposedPorts", "Volumes", "Labels"):
        theirs = defaults.get(name) or {}
        ours = own.get(name) or {}
        own[name] = {
            key: value for key, value in ours.items() if key not in theirs or theirs[key] != value
        }
    return own


def _shares_names(host: dict[str, Any]) -> bool:
    """Whether it has the host's name, or another container's."""
    shares: bool = host["NetworkMode"].startswith(("host", "container:"))
    return shares or host.get("UTSMode") == "host"


def _volumes(raw: dict[str, Any]) -> dict[str, Any]:
    """Its mounts, with the volumes that were made for it alone by the names that they got."""
    host = raw["HostConfig"]
    names = {each["Destination"]: each for each in raw["Mounts"] if each["Type"] == "volume"}
    mounts = [_named_mount(mount, names) for mount in host.get("Mounts") or []]
    binds = list(host["Binds"] or [])
    taken = {PurePosixPath(part) for bind in binds for part in bind.split(":")[1:]}
    taken |= {PurePosixPath(mount["Target"]) for mount in mounts}
    for destination, mount in names.items():
        if PurePosixPath(destination) not in taken:
            binds.append(f"{mount['Name']}:{destination}{'' if mount['RW'] else ':ro'}")
    return {"Binds": binds or None, "Mounts": mounts}


def _named_mount(mount: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    if mount["Type"] != "volume" or mount.get("Source") or mount["Target"] not in names:
        return mount
    return {**mount, "Source": names[mount["Target"]]["Name"]}


def _endpoints(
    raw: dict[str, Any], mode: str
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    # The engine adds these itself.
    given = {raw["Id"][:12], raw["Config"]["Hostname"]}
    networks = {
        name: _endpoint(endpoint, given)
        for name, endpoint in raw["NetworkSettings"]["Networks"].items()
    }
    ids = {each["NetworkID"]: name for name, each in raw["NetworkSettings"]["Networks"].items()}
    first = (
        mode if mode in networks else next((ids[id_] for id_ in ids if id_.startswith(mode)), mode)
    )
    own = networks.pop(first, {})
    return {first: own}, networks


def _endpoint(endpoint: dict[str, Any], given: set[str]) -> dict[str, Any]:
    own = {name: endpoint[name] for name in _ENDPOINT if endpoint.get(name)}
    if "Aliases" in own:
        own["Aliases"] = [alias for alias in own["Aliases"] if alias not in given]
    return own
