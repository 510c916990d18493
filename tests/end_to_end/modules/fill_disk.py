"""`fill_disk`: looks twice; the second look, just before the intent, fills a disk."""

from __future__ import annotations

# ruff: noqa: ARG002  # a disk of the controller's is filled, so the host is of no interest
from pathlib import Path
from typing import Any

from engine.contract import Action, Change, Identity, Target


class FillDisk(Action[dict[str, Any]], frozen=True, kw_only=True):
    """Write into `full` until nothing more fits; the change itself makes the file `mark`.

    Args:
        full: a directory of the controller.
        mark: a file of the controller.
    """

    full: str
    mark: str

    def observe(self, target: Target) -> dict[str, Any]:
        """Note the first look; fill the disk at the second."""
        seen = Path(f"{self.mark}.seen")
        if seen.exists():
            _fill(Path(self.full))
        seen.touch()
        return {}

    def decide(self, seen: dict[str, Any]) -> Change | None:
        """Always the same change."""
        return Change(summary="mark", on=(Identity("file", "mark", {"path": self.mark}),))

    def apply(self, target: Target, change: Change) -> None:
        """Make the file."""
        Path(self.mark).touch()


def _fill(directory: Path) -> None:
    size = 1 << 16
    while size:
        try:
            with (directory / "filling").open("ab", buffering=0) as file:
                while file.write(b"\0" * size) == size:
                    pass
        except OSError:
            pass
        size //= 2


EXAMPLE = """
fill_disk: {full: /tmp/small, mark: /tmp/mark}
"""
