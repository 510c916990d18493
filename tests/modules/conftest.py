"""The lab's hosts as modules get them: over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.connections.links import Links
from tests.connections.helpers import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.lab import Lab


@pytest.fixture(scope="session")
def links(lab: Lab) -> Iterator[Links]:
    """Both hosts' connections."""
    opened = Links({host.name: settings_for(host) for host in lab.hosts})
    yield opened
    opened.close()
