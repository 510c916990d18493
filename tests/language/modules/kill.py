from __future__ import annotations

from engine.contract import Action, Port


class Kill(Action[None], frozen=True, kw_only=True):
    """End it."""

    port: Port
    name: str = ""
