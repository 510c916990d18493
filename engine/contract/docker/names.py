"""What is said of a name that there is not."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 10
"""Names that are told where none is near."""


def not_there(kind: str, name: str, names: Iterable[str]) -> str:
    """Tell the nearest names, else which there are: `no container 'b'; did you mean backend?`."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"no {kind} {name!r}; did you mean {' or '.join(near)}?"
    return f"no {kind} {name!r}; there are {', '.join(known[:MOST]) or 'none'}"
