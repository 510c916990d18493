from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.journal import open_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.journal.base import Journal
    from tests.lab.team import TeamServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.lab)])
def url(request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    """An empty journal of each kind in turn."""
    if request.param == "sqlite":
        yield str(path)
        return
    server: TeamServer = request.getfixturevalue("team_server")
    with server.database() as made:
        yield made


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with open_journal(url) as opened:
        yield opened
