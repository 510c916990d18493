"""`look`: a probe of the tests' boards: where a switch is; `broken` is a finding."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Argv, ModuleFailed, Probe, Struct, Target


class Seen(Struct, frozen=True):
    """A switch's position."""

    position: str


class Look(Probe[Seen], frozen=True, kw_only=True):
    """Look at a switch.

    Args:
        name: which.
    """

    primary: ClassVar[str] = "name"

    name: str = "main"

    def observe(self, target: Target) -> Seen:
        """Look at it."""
        done = target.run(Argv(("look", self.name)))
        if done.status:
            raise ModuleFailed("nothing to be seen", {"dark": True})
        return Seen(done.stdout.text.split()[0])

    def finding(self, seen: Seen) -> str | None:
        """One that is broken."""
        return "it is broken" if seen.position == "broken" else None

    def summary(self, seen: Seen) -> str:
        """Its position."""
        return seen.position


EXAMPLE = """
look: main
"""
