"""`tell`: a record of the tests: `fail` cannot be told."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Change, ModuleFailed, Record, Target


class Tell(Record, frozen=True, kw_only=True):
    """Tell somebody.

    Args:
        message: what.
    """

    primary: ClassVar[str] = "message"

    message: str

    def decide(self) -> Change | None:
        """Tell it."""
        return Change(summary=f"told: {self.message}", on=())

    def apply(self, target: Target, change: Change) -> None:
        """Tell it, unless it cannot be told."""
        del target, change
        if self.message == "fail":
            raise ModuleFailed("nobody listens")


EXAMPLE = """
tell: on it
"""
