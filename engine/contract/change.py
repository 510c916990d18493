"""What an action is about to do, and to whom."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Identity(Struct, frozen=True):
    """What a change acts on, named so that it cannot be recycled under our hands.

    Args:
        kind: `process`, `backend`, `container`, `command`…
        name: for people, and for the guards' lists: `python3`, `backend`, `appuser`.
        key: pid and start time; backend pid and backend_start; container id and StartedAt.
    """

    kind: str
    name: str
    key: dict[str, str | int] = {}


class Change(Struct, frozen=True, kw_only=True):
    """What an action is about to do: shown, approved, journalled, then applied as it stands.

    Args:
        summary: one line for people: `python3 (pid 4711) on port 8080 → ended`.
        on: what it acts on; `apply` uses these identities, never a fresh look-up.
        before: the state before, for `--diff` and the report; plain JSON values.
        after: the state that it will bring about.
        reversible: whether it can be undone.
    """

    summary: str
    on: tuple[Identity, ...]
    before: Any = None
    after: Any = None
    reversible: bool = False

    def narrowed(self, approved: Change) -> Change | None:
        """What is left of an approved change, now that this one is what there is to do.

        Nothing is hit that was not shown: what has come since then is left out.

        Returns:
            This change where all of it was approved, else the approved one for those of its
            identities that are still there; None where there are none.
        """
        still = tuple(identity for identity in self.on if identity in approved.on)
        if len(still) == len(self.on):
            return self
        return msgspec.structs.replace(approved, on=still) if still else None
