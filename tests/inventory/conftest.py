"""What ansible-core says of all cases: asked once, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.inventory.cases import FOR_PATTERNS, LISTINGS, PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`listings`, `graphs` and `matches`, as ansible_says.py answers."""
    asked = {"listings": LISTINGS, "matches": {"patterns": [[FOR_PATTERNS], PATTERNS]}}
    home = tmp_path_factory.mktemp("ansible")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("ansible_says.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=home,  # ansible reads its configuration and group_vars from there.
        env=os.environ | {"ANSIBLE_HOME": str(home), "HOME": str(home), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | bytes], str]:
    """Write a file below the working directory and get its name, as a user would type it."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write
