"""Collects what is wrong with one document, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.errors import Problem
    from engine.language.flaws import Flaw, Way
    from engine.language.source import Document


class Problems:
    """The problems of one document.

    Args:
        document: that is being read; what was wrong with its YAML is taken over.
    """

    def __init__(self, document: Document) -> None:
        """Begin with what the YAML's reading found."""
        self.document = document
        self.found: list[Problem] = list(document.problems)

    def at(self, way: Way, message: str, hint: str = "") -> None:
        """A problem with a value."""
        self.found.append(self.document.place(way).problem(message, hint))

    def at_key(self, way: Way, message: str, hint: str = "") -> None:
        """A problem with a key."""
        self.found.append(self.document.key(way).problem(message, hint))

    def inside(self, way: Way, offset: int, message: str, hint: str = "") -> None:
        """A problem with a text, at its character number `offset`, from 0."""
        self.found.append(self.document.inside(way, offset).problem(message, hint))

    def flaws(self, flaws: Iterable[Flaw], base: Way = ()) -> bool:
        """What a shape found wrong with the value at `base`; whether it was anything."""
        count = len(self.found)
        for flaw in flaws:
            place = self.at_key if flaw.at_key else self.at
            place((*base, *flaw.way), flaw.message, flaw.hint)
        return len(self.found) > count
