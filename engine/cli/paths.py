"""Paths of the command line, as a run keeps them."""

from __future__ import annotations

from pathlib import Path


def absolute(source: str) -> str:
    """A path that means the same from anywhere; a list of hosts stays as it is."""
    return source if "," in source else str(Path(source).expanduser().absolute())
