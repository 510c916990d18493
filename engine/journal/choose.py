"""Which run is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.errors import InputError, JournalError, Problem
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def check_id(run: str) -> str:
    """A run's id, which may come from a file that somebody else has written.

    Raises:
        JournalError: it is none.
    """
    if not _ID.fullmatch(run):
        raise JournalError(f"not a run's id: {run!r}")
    return run


def choose(prefix: str, known: Sequence[str]) -> str:
    """The run that is meant by an id, the start of one, or `last`.

    Args:
        prefix: what the user wrote.
        known: the runs there are, newest first.

    Raises:
        InputError: none is, with the nearest; or several are.
    """
    if not known:
        raise InputError(f'no run "{prefix}": the journal has no runs yet')
    if prefix == "last":
        return known[0]
    matches = [run for run in known if prefix and run.startswith(prefix)]
    if prefix in matches or len(matches) == 1:
        return prefix if prefix in matches else matches[0]
    if matches:
        shown = ", ".join(matches[:_SHOWN]) + (" …" if len(matches) > _SHOWN else "")
        raise InputError(f'"{prefix}" is the start of {len(matches)} runs: {shown}')
    hint = did_you_mean(prefix, known) or "`quell runs` lists them"
    raise InputError(Problem(f'no run "{prefix}"', hint=hint))
