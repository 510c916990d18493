from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.journal import open_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.journal.base import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def url(path: Path) -> str:
    return str(path)


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with open_journal(url) as opened:
        yield opened
