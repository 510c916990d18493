from __future__ import annotations

from typing import Annotated, Any, ClassVar

from engine.contract import Meta, Probe


class Put(Probe[None], frozen=True, kw_only=True):
    """Give names to values."""

    free_form: ClassVar[str] = "vars"
    defines_vars: ClassVar[bool] = True

    vars: dict[Annotated[str, Meta(pattern="^[a-z_]+$", title="name")], Any]
