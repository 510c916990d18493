"""The lab's fixtures. A part is started by the first test that asks for it, once a session."""

from __future__ import annotations

import gc
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.accounts import add_accounts
from tests.lab.lab import Host, Lab
from tests.lab.team import TeamServer
from tests.lab.windows import WindowsHost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NEEDS_MORE = r"^pytestmark = (\[.*)?pytest\.mark\.(lab|slow|sweep|crash)\b"
MOST_PROCESSES = 4
"""Each has servers of its own: more of them are no faster."""


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, for the tests wait for servers half of their time."""
    return min((os.cpu_count() or 1) + 1, MOST_PROCESSES)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For `make unit`: importing files that it has no test of takes longer than many tests."""
    if "not lab and not slow" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    return True if re.search(_NEEDS_MORE, collection_path.read_text(), re.MULTILINE) else None


def pytest_collection_finish() -> None:
    """Thousands of tests stay until the end; the collector need not look through them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two hosts with sshd."""
    with Lab() as started:
        yield started


@pytest.fixture(scope="session")
def windows(lab: Lab) -> Iterator[WindowsHost]:
    """A host whose account's shell is cmd.exe."""
    started = WindowsHost(2, lab.client, lab.h1.known_hosts)
    yield started
    started.close()


@pytest.fixture(scope="session")
def lab_postgres(lab: Lab) -> Lab:
    """The lab with PostgreSQL on both hosts."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Host.postgres, lab.hosts))
    return lab


@pytest.fixture(scope="session")
def lab_docker(lab: Lab) -> Lab:
    """The lab with a Docker engine on both hosts."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Host.dockerd, lab.hosts))
    return lab


@pytest.fixture(scope="session")
def team_server() -> Iterator[TeamServer]:
    """A PostgreSQL server for journals, on the controller's own loopback."""
    with TeamServer() as started:
        yield started


@pytest.fixture(scope="session")
def lab_accounts(lab: Lab) -> Lab:
    """The lab with accounts on the first host that may become others."""
    add_accounts(lab.h1)
    return lab
