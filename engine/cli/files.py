"""The playbooks that the command line names: files, or all in a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ENDINGS = frozenset({".yml", ".yaml"})
_ASIDE = frozenset({"group_vars", "host_vars", "shared"})
"""Directories that hold no playbooks: variables, and what playbooks include."""


def playbooks(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """The playbooks that the paths name, each once; and what is wrong with paths that name none."""
    files: dict[Path, None] = {}
    problems = []
    for path in paths:
        found = _playbooks_in(path) if path.is_dir() else [path] if path.exists() else []
        if not found:
            message = "holds no playbook (*.yml, *.yaml)" if path.is_dir() else "does not exist"
            problems.append(Problem(message, str(path)))
        files |= dict.fromkeys(found)
    return list(files), problems


def _playbooks_in(directory: Path) -> list[Path]:
    """Files anywhere below it, but for hidden directories and those of other things."""
    return sorted(
        path
        for path in directory.rglob("*")
        if path.suffix in _ENDINGS
        and path.is_file()
        and not any(_is_aside(part) for part in path.relative_to(directory).parts)
    )


def _is_aside(part: str) -> bool:
    return part.startswith(".") or part in _ASIDE
