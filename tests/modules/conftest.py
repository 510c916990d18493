"""The lab's hosts as modules get them: over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.connections.links import Links
from tests.connections.helpers import settings_for
from tests.modules.fakes import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.contract import Target
    from tests.lab.lab import Host, Lab


@pytest.fixture(scope="session")
def links(lab: Lab) -> Iterator[Links]:
    """Both hosts' connections."""
    opened = Links({host.name: settings_for(host) for host in lab.hosts})
    yield opened
    opened.close()


@pytest.fixture
def docker_host(lab_docker: Lab) -> Host:
    """A host with a Docker engine."""
    return lab_docker.h1


@pytest.fixture
def engine(docker_host: Host, links: Links) -> Callable[..., Target]:
    """That host as a target, for so many seconds."""
    return lambda within=30.0: target(links.get(docker_host.name), within=within)
