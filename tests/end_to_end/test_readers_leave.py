"""A run goes on when whoever read its output has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.events import RunEnded
from tests.end_to_end.quell import LOCAL

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell

BOOK = """
name: Two looks
hosts: app
investigate:
  - {name: wait, shell: {script: "until [ -e '%(flag)s' ]; do sleep 0.05; done", probe: true}}
always:
  - {name: last, shell: {script: "touch '%(mark)s'", probe: true}}
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_run_goes_on_without_its_reader(quell: Quell, tmp_path: Path, stream: str) -> None:
    flag, mark = tmp_path / "flag", tmp_path / "mark"
    book = tmp_path / "book.yml"
    book.write_text(BOOK % {"flag": flag, "mark": mark})
    running = quell.start("run", book, "-i", LOCAL, "--json")
    read = getattr(running, stream)
    assert read.readline()
    read.close()
    flag.touch()
    assert running.wait(30) == 0
    assert mark.exists()
    assert isinstance(quell.events()[-1], RunEnded)
