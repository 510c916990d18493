from __future__ import annotations

from typing import ClassVar

from engine.contract import Condition, Probe


class Check(Probe[None], frozen=True, kw_only=True):
    """Check conditions."""

    primary: ClassVar[str] = "that"

    that: list[Condition]
    message: str = ""
