"""`switch`: an action on the tests' boards: put a switch into a position."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Action, Argv, Change, Identity, ModuleFailed, Struct, Target


class Seen(Struct, frozen=True):
    """A switch's position, and its serial number."""

    position: str
    serial: int


class Switch(Action[Seen], frozen=True, kw_only=True):
    """Put a switch into a position.

    Args:
        name: which.
        to: the position.
        record: whether nobody need be asked.
    """

    primary: ClassVar[str] = "to"

    to: str
    name: str = "main"
    record: bool = False

    def observe(self, target: Target) -> Seen:
        """Look at it."""
        position, serial = target.run(Argv(("look", self.name))).stdout.text.split()
        return Seen(position, int(serial))

    def decide(self, seen: Seen) -> Change | None:
        """Put it there, unless it is."""
        if seen.position == self.to:
            return None
        on = (Identity("switch", self.name, {"serial": seen.serial}),)
        return Change(
            summary=f"{self.name}: {seen.position} → {self.to}",
            on=on,
            before=seen.position,
            after=self.to,
        )

    def apply(self, target: Target, change: Change) -> dict[str, str]:
        """Put it."""
        done = target.run(Argv(("put", change.on[0].name, self.to)))
        if done.status:
            raise ModuleFailed("the switch is stuck", {"stuck": True})
        return {"put": self.to}


EXAMPLE = """
switch: "on"
"""
