"""`blind`: an action on the tests' boards that nothing can tell of afterwards."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Action, Argv, Change, Identity, Target


class Blind(Action[None], frozen=True, kw_only=True):
    """Put a switch into a position, whatever it is in.

    Args:
        name: which.
        to: the position.
    """

    observable: ClassVar[bool] = False

    name: str
    to: str

    def observe(self, target: Target) -> None:
        """See nothing."""

    def decide(self, seen: None) -> Change | None:
        """Put it."""
        del seen
        return Change(summary=f"{self.name} → {self.to}", on=(Identity("switch", self.name, {}),))

    def apply(self, target: Target, change: Change) -> None:
        """Put it."""
        target.run(Argv(("put", change.on[0].name, self.to)))


EXAMPLE = """
blind: {name: main, to: "on"}
"""
