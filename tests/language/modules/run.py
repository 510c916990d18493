from __future__ import annotations

from typing import ClassVar

from engine.contract import Action, Program


class Run(Action[None], frozen=True, kw_only=True):
    """Run a program's text."""

    primary: ClassVar[str] = "script"

    script: Program
    args: tuple[str, ...] = ()
