"""`ask`: a checkpoint of the tests."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Checkpoint, Question


class Ask(Checkpoint, frozen=True, kw_only=True):
    """Ask somebody.

    Args:
        text: what.
    """

    primary: ClassVar[str] = "text"

    text: str

    def stops_for(self) -> Question:
        """An answer."""
        return Question(self.text)


EXAMPLE = """
ask: is it quiet?
"""
