"""docs/runbook.md tells the truth: each task that it names is in the playbook that it names."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from engine.language import load
from engine.language.keywords import PHASES
from engine.registry import Registry

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| .*\| \*([^*]+)\* \| `(\w+\.yml)` \|$", PAGE, re.MULTILINE)
PARTS = re.findall(r"^\| \*\*(.+)\*\* \| \| \|$", PAGE, re.MULTILINE)


@cache
def tasks(playbook: str) -> frozenset[str]:
    """The names of all tasks of a shipped playbook, included ones too."""
    [loaded] = load([ROOT / "playbooks" / playbook], Registry())
    return frozenset(
        task.name for phase in PHASES for top in loaded.tasks(phase) for task in top.every()
    )


@pytest.mark.parametrize(("task", "playbook"), ROWS)
def test_a_line_of_the_runbook_has_its_task(task: str, playbook: str) -> None:
    assert task in tasks(playbook)


def test_every_part_of_the_runbook_is_there() -> None:
    assert [part.split(":")[0] for part in PARTS] == [
        "Severity classification",
        "1. Detect & Acknowledge",
        "2. Assess & Classify",
        *["3. Investigate"] * 3,
        "4. Mitigate",
        "5. Resolve",
        "6. Post-mortem",
        "Backend OOM",
        "Database connection pool exhaustion",
        "Port conflict (EADDRINUSE)",
    ]
    assert len(ROWS) > 40


def test_every_shipped_playbook_is_named() -> None:
    named = {playbook for _, playbook in ROWS}
    shipped = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    assert shipped - named == {"backend_down.yml"}, "the runbook knows no such incident"
