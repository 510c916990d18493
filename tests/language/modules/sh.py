from __future__ import annotations

from typing import ClassVar

from engine.contract import Action


class Sh(Action[None], frozen=True, kw_only=True):
    """Run a script."""

    primary: ClassVar[str] = "script"

    script: str
    args: tuple[str, ...] = ()
    probe: bool = False
    record: bool = False
