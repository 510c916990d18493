"""What is asked of the engine to have a container again, from its description."""

from __future__ import annotations

from typing import Any

import pytest

from engine.contract.docker import creation

ID = "0123456789abcdef" * 4
NETWORK = "f" * 64


def asked(
    config: dict[str, Any] | None = None,
    host: dict[str, Any] | None = None,
    *,
    image: dict[str, Any] | None = None,
    mounts: list[dict[str, Any]] | None = None,
    networks: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    raw = {
        "Id": ID,
        "Config": {"Hostname": ID[:12], "Image": "app:2", "Labels": None, **(config or {})},
        "HostConfig": {"NetworkMode": "default", "Binds": None, "UTSMode": "", **(host or {})},
        "Mounts": mounts or [],
        "NetworkSettings": {"Networks": networks or {}},
    }
    return creation(raw, image or {}, "app:1", {"by": "quell"})


def volume(destination: str, name: str = "a1b2", *, writable: bool = True) -> dict[str, Any]:
    return {"Type": "volume", "Name": name, "Destination": destination, "RW": writable}


@pytest.mark.parametrize(
    ("config", "image", "entrypoint", "command"),
    [
        ({"Cmd": ["a"]}, {"Cmd": ["a"]}, None, None),
        ({"Cmd": ["b"]}, {"Cmd": ["a"]}, None, ["b"]),
        ({"Cmd": ["a"], "Entrypoint": ["e"]}, {"Cmd": ["a"], "Entrypoint": ["e"]}, None, None),
        ({"Cmd": ["b"], "Entrypoint": ["e"]}, {"Cmd": ["a"], "Entrypoint": ["e"]}, None, ["b"]),
        # Its own entrypoint: then the command is its own too, whatever the image's is.
        ({"Cmd": ["a"], "Entrypoint": ["f"]}, {"Cmd": ["a"], "Entrypoint": ["e"]}, ["f"], ["a"]),
        ({"Cmd": None, "Entrypoint": ["f"]}, {"Cmd": ["a"]}, ["f"], None),
    ],
)
def test_the_command_is_its_own_or_the_images(
    config: dict[str, Any], image: dict[str, Any], entrypoint: Any, command: Any
) -> None:
    request, _ = asked(config, image=image)
    assert (request.get("Entrypoint"), request.get("Cmd")) == (entrypoint, command)


def test_what_differs_from_the_image_is_its_own() -> None:
    image = {
        "Env": ["PATH=/bin", "LEVEL=info"],
        "Labels": {"version": "2", "team": "a"},
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "User": "app",
        "WorkingDir": "/app",
        "Healthcheck": {"Test": ["CMD", "x"]},
    }
    own = {
        "Env": ["PATH=/bin", "LEVEL=debug", "OWN=x"],
        "Labels": {"version": "2", "team": "b"},
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
        "Volumes": {"/data": {}},
        "User": "root",
        "WorkingDir": "/app",
        "Healthcheck": {"Test": ["CMD", "x"]},
        "OnBuild": ["RUN x"],
    }
    request, _ = asked(own, image=image)
    assert request["Env"] == ["LEVEL=debug", "OWN=x"]
    assert request["Labels"] == {"team": "b", "by": "quell"}
    assert request["ExposedPorts"] == {"81/tcp": {}}
    assert request["Volumes"] == {}
    assert request["User"] == "root"
    assert not {"WorkingDir", "Healthcheck", "OnBuild"} & request.keys()
    assert request["Image"] == "app:1"


@pytest.mark.parametrize(
    ("hostname", "host", "kept"),
    [
        (ID[:12], {}, False),
        ("own", {}, True),
        ("own", {"UTSMode": "host"}, False),
        ("own", {"NetworkMode": "host"}, False),
        ("own", {"NetworkMode": f"container:{ID}"}, False),
        ("own", {"NetworkMode": "none"}, True),
    ],
)
def test_a_host_name_is_kept_that_it_was_given(
    hostname: str, host: dict[str, Any], *, kept: bool
) -> None:
    request, _ = asked({"Hostname": hostname}, host)
    assert ("Hostname" in request) is kept


@pytest.mark.parametrize(
    ("host", "mounts", "binds"),
    [
        ({}, [volume("/data")], ["a1b2:/data"]),
        ({}, [volume("/data", writable=False)], ["a1b2:/data:ro"]),
        ({"Binds": ["named:/data"]}, [volume("/data", "named")], ["named:/data"]),
        ({"Binds": ["named:/data/:ro"]}, [volume("/data", "named")], ["named:/data/:ro"]),
        ({"Binds": ["/srv:/x"]}, [volume("/data")], ["/srv:/x", "a1b2:/data"]),
        ({}, [{"Type": "bind", "Source": "/srv", "Destination": "/x", "RW": True}], None),
        ({"Mounts": [{"Type": "volume", "Target": "/data"}]}, [volume("/data")], None),
    ],
)
def test_volumes_are_kept_by_the_names_that_they_got(
    host: dict[str, Any], mounts: list[dict[str, Any]], binds: list[str] | None
) -> None:
    request, _ = asked(host=host, mounts=mounts)
    assert request["HostConfig"]["Binds"] == binds


def test_a_mount_without_a_source_gets_it() -> None:
    mounts = [
        {"Type": "volume", "Target": "/data"},
        {"Type": "volume", "Target": "/named", "Source": "named"},
        {"Type": "tmpfs", "Target": "/tmp"},  # noqa: S108 - a place in a container
    ]
    request, _ = asked(host={"Mounts": mounts}, mounts=[volume("/data"), volume("/named", "named")])
    assert request["HostConfig"]["Mounts"] == [{**mounts[0], "Source": "a1b2"}, *mounts[1:]]


@pytest.mark.parametrize("mode", ["front", NETWORK, NETWORK[:12]])
def test_networks_are_kept_the_first_one_from_the_start(mode: str) -> None:
    networks = {
        "back": {"NetworkID": "b" * 64, "Aliases": [ID[:12]], "IPAMConfig": None},
        "front": {
            "NetworkID": NETWORK,
            "Aliases": ["api", ID[:12], "own"],
            "IPAMConfig": {"IPv4Address": "10.1.2.3"},
            "Links": None,
            "DriverOpts": {},
            "IPAddress": "10.1.2.3",
            "MacAddress": "02:42:0a:01:02:03",
        },
    }
    request, others = asked({"Hostname": "own"}, {"NetworkMode": mode}, networks=networks)
    assert request["NetworkingConfig"]["EndpointsConfig"] == {
        "front": {"IPAMConfig": {"IPv4Address": "10.1.2.3"}, "Aliases": ["api"]}
    }
    assert others == {"back": {"Aliases": []}}


def test_the_default_network_is_the_bridge() -> None:
    networks = {"bridge": {"NetworkID": NETWORK, "Aliases": None, "IPAMConfig": None}}
    request, others = asked(networks=networks)
    assert request["NetworkingConfig"]["EndpointsConfig"] == {"bridge": {}}
    assert others == {}


@pytest.mark.parametrize("mode", ["host", "none", f"container:{ID}"])
def test_without_a_network_of_its_own_it_is_joined_to_none(mode: str) -> None:
    networks = {mode: {"NetworkID": NETWORK, "Aliases": None}}
    request, others = asked(host={"NetworkMode": mode}, networks=networks)
    assert "NetworkingConfig" not in request
    assert others == {}
