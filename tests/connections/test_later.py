"""Imports that are put off: each look is a process of its own, which has loaded nothing yet."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def said(code: str, *, cwd: Path | None = None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd
    )
    return done.stdout.split()


def test_a_module_is_loaded_when_something_in_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "rare.py").write_text("print('loaded')\nvalue = 7\n")
    code = (
        "from engine.connections.later import import_later\n"
        "import_later('rare')\n"
        "import rare\n"
        "print('imported')\n"
        "print(rare.value)\n"
        "import rare\n"
        "print(rare.value)\n"
    )
    assert said(code, cwd=tmp_path) == ["imported", "loaded", "7", "7"]


def test_one_that_is_not_installed_is_missed_when_it_is_asked_for(tmp_path: Path) -> None:
    code = (
        "from engine.connections.later import import_later\n"
        "import_later('nobody_has_it')\n"
        "import nobody_has_it\n"
        "try: nobody_has_it.value\n"
        "except ImportError: print('missed')\n"
    )
    assert said(code, cwd=tmp_path) == ["missed"]


def test_what_paramiko_hardly_ever_uses_is_not_loaded_for_a_connection() -> None:
    code = "import sys, engine.connections.handshake\nprint(*sys.modules)"
    loaded = set(said(code))
    assert "paramiko.transport" in loaded
    assert {"invoke.runners", "asyncio", "unittest.mock"} & loaded == set()
