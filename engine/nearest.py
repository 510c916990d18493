"""The name that was probably meant by one that there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEAR = 0.6


def near(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, whatever its case; None where there is none like it."""
    import difflib

    folded = {candidate.lower(): candidate for candidate in names}
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=_NEAR)
    return folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A hint with the near name; empty where there is none."""
    meant = near(name, names)
    return f'did you mean "{meant}"?' if meant else ""
