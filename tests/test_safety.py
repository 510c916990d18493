"""What docs/safety.md says is shown by tests that there are."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "safety.md"
_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


@functools.cache
def functions(path: Path) -> set[str]:
    """The names of the tests in a file; none if there is no such file."""
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def promises() -> list[list[str]]:
    """The rows of the tables whose last column names tests."""
    text = PAGE.read_text(encoding="utf-8")
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    shown = [part.splitlines() for part in tables if "| shown by |" in part.splitlines()[0]]
    return [line.strip("| ").split(" | ") for table in shown for line in table[2:]]


def test_every_test_that_is_named_exists() -> None:
    named = _NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 100
    missing = [f"{file}::{test}" for file, test in named if test not in functions(TESTS / file)]
    assert missing == []


def test_every_promise_is_shown_by_a_test() -> None:
    rows = promises()
    assert len(rows) > 40
    assert [row[0] for row in rows if len(row) != 3 or not _NAMED.search(row[2])] == []
