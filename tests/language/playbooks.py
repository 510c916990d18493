"""Playbooks for the tests: written short, loaded with the small modules of this directory."""

from __future__ import annotations

import functools
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.language import load
from engine.registry import Registry

if TYPE_CHECKING:
    from engine.language.model import Playbook

MODULES = Path(__file__).parent / "modules"
HEAD = "name: a\nhosts: all\n"


@functools.cache
def registry() -> Registry:
    return Registry([MODULES])


def loaded(
    directory: Path, text: str, *, inventory_names: frozenset[str] | None = None
) -> Playbook:
    path = directory / "book.yml"
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    [playbook] = load([path], registry(), inventory_names=inventory_names)
    return playbook


def problems(
    directory: Path, text: str | bytes, *, inventory_names: frozenset[str] | None = None
) -> list[str]:
    """Each problem as `line:column: message — hint`, without the file and its source line."""
    path = directory / "book.yml"
    data = text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode()
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load([path], registry(), inventory_names=inventory_names)
    firsts = [str(problem).split("\n    ", 1)[0] for problem in caught.value.problems]
    return [first.removeprefix(f"{path}:").strip() for first in firsts]


def task_problems(directory: Path, task: str, *, phase: str = "investigate") -> list[str]:
    """The problems of a playbook with one task, its lines counted from the task's first."""
    indented = textwrap.indent(textwrap.dedent(task).strip(), "    ").lstrip()
    found = problems(directory, f"{HEAD}{phase}:\n  - {indented}\n")
    shifted = []
    for problem in found:
        line, _, rest = problem.partition(":")
        shifted.append(f"{int(line) - 3}:{rest}")
    return shifted
