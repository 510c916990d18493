"""What an edit changes, for people: bounded, and without what is plain to see as a secret."""

from __future__ import annotations

import hashlib
from collections import Counter

from msgspec import Struct

from engine.contract.masking import masked
from engine.units import amount, count

CONTEXT = 2
"""Lines around what changes."""
LINES = 100
"""That are shown of each state."""
WIDTH = 300
"""Characters that are shown of a line."""
_SHORT = 60


class Difference(Struct, frozen=True):
    """What an edit changes.

    Args:
        summary: in a few words: `line 12: workers 4 → workers 8`.
        before: the lines that change, and some around them, as one text.
        after: what stands there afterwards.
    """

    summary: str
    before: str
    after: str


def difference(old: bytes, new: bytes) -> Difference:
    """What changes from the one content of a file to the other."""
    try:
        before, after = old.decode(), new.decode()
    except UnicodeDecodeError:
        before = after = "\0"
    if "\0" in before or "\0" in after:
        sizes = f"{amount(len(old))} → {amount(len(new))}"
        return Difference(f"content, {sizes}", f"{len(old)} bytes", f"{len(new)} bytes")
    return _of_lines(before.split("\n"), after.split("\n"))


def fingerprint(old: bytes, new: bytes) -> str:
    """What an edit takes out and puts in, whatever else is in the file: the same for the same.

    Commas behind what was last in a list, and spaces in front, are not counted.
    """
    before, after = (Counter(_bare(line) for line in data.split(b"\n")) for data in (old, new))
    told = [sorted((before - after).elements()), sorted((after - before).elements())]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _bare(line: bytes) -> bytes:
    return line.strip().removesuffix(b",")


def _of_lines(before: list[str], after: list[str]) -> Difference:
    most = min(len(before), len(after))
    head = next((n for n in range(most) if before[n] != after[n]), most)
    left = most - head
    tail = next((n for n in range(left) if before[-1 - n] != after[-1 - n]), left)
    end, new_end = len(before) - tail, len(after) - tail
    start = max(0, head - CONTEXT)
    return Difference(
        _summary(before[head:end], after[head:new_end], head + 1),
        _shown(before[start : end + CONTEXT]),
        _shown(after[start : new_end + CONTEXT]),
    )


def _summary(gone: list[str], come: list[str], number: int) -> str:
    if len(gone) == len(come) == 1:
        return f"line {number}: {_short(gone[0])} → {_short(come[0])}"
    # The empty piece behind a last newline is no line of its own.
    gone, come = ([line for line in lines if line] for lines in (gone, come))
    if not gone and len(come) == 1:
        return f"line {number}: add {_short(come[0])}"
    if not come and len(gone) == 1:
        return f"line {number}: remove {_short(gone[0])}"
    return f"from line {number} on: {count(len(gone), 'line')} → {count(len(come), 'line')}"


def _short(line: str) -> str:
    return masked(line.strip(), _SHORT) or "(empty)"


def _shown(lines: list[str]) -> str:
    shown = [masked(line, WIDTH) for line in lines[:LINES]]
    if len(lines) > LINES:
        shown.append(f"… {count(len(lines) - LINES, 'more line')} …")
    return "\n".join(shown)
