"""The system that incidents happen on, once a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import quell
from tests.incidents.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quell"]


@pytest.fixture(scope="session")
def running() -> Iterator[System]:
    """All of it; what one test breaks it must see mended."""
    with System() as started:
        started.inventory()
        yield started


@pytest.fixture
def system(running: System) -> System:
    """The system, ready, and no alert fires."""
    running.calm()
    return running
