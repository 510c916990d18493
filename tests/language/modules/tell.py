from __future__ import annotations

from typing import ClassVar

from engine.contract import Record


class Tell(Record, frozen=True, kw_only=True):
    """Tell somebody."""

    primary: ClassVar[str] = "message"

    message: str
    to: str = "the channel"
