from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine import registry
from engine.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE = '''
from engine.contract import Probe, Struct, Target


class Answer(Struct, frozen=True):
    value: int


class Ask(Probe[Answer], frozen=True, kw_only=True):
    """Ask."""

    def observe(self, target: Target) -> Answer:
        return Answer(42)
'''


@pytest.fixture(autouse=True)
def _looks_anew() -> Iterator[None]:
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


def install(place: Path, points: str) -> None:
    """A distribution, as pip leaves it."""
    information = place / "acme_quell-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-quell\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(points)


def test_an_installed_distributions_modules_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_ask.py").write_text(MODULE)
    install(tmp_path, "[quell.modules]\nacme_ask = acme_ask\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "acme_ask" in Registry()
    assert Registry()["acme_ask"].kind == "probe"


def test_other_distributions_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "[console_scripts]\nacme_ask = acme_ask:main\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "acme_ask" not in Registry()


def test_a_zip_may_hold_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "acme.zip", "w") as file:
        file.writestr("acme_ask.py", MODULE)
        file.writestr("acme_quell-1.0.dist-info/METADATA", "Name: acme-quell\nVersion: 1.0\n")
        points = "[quell.modules]\nacme_zipped = acme_ask\n"
        file.writestr("acme_quell-1.0.dist-info/entry_points.txt", points)
    monkeypatch.syspath_prepend(tmp_path / "acme.zip")
    assert "acme_zipped" in Registry()
