"""Where the run itself stops: for a person, or for a time."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from engine.contract.module import Module


class Question(Struct, frozen=True):
    """What a person at the terminal is asked.

    Args:
        text: what is to be done, or what to wait for.
        owner: whose it is; empty where it is anybody's.
        wants: that the person says it is `done`, or that the run may `go on`.
    """

    text: str
    owner: str = ""
    wants: Literal["done", "go on"] = "done"


class Checkpoint(Module, frozen=True, kw_only=True):
    """A module at which the run stops, once for all hosts of its task; none is contacted."""

    def stops_for(self) -> Question | float:
        """What it stops for: a person's answer, or so many seconds."""
        raise NotImplementedError
