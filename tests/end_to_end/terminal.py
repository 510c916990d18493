"""What stands on a terminal after all that was sent to it: the few sequences that we need."""

from __future__ import annotations

import re

_PARTS = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\r|\n|([^\x1b\r\n]+)")


def shown(sent: str) -> list[str]:
    """The lines, from the first one on, without colours.

    Args:
        sent: the bytes as text; any sequence but the known ones is an error.
    """
    rows = [""]
    row = column = at = 0
    for part in _PARTS.finditer(sent):
        assert part.start() == at, f"unknown sequence: {sent[at : part.start()]!r}"
        at = part.end()
        numbers, command, text = part.groups()
        if part[0] == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part[0] == "\r":
            column = 0
        elif text:
            line = rows[row].ljust(column)
            rows[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
        elif command == "A":
            row -= int(numbers or 1)
        elif command == "K":
            assert numbers == "2"
            rows[row] = ""
        else:
            assert command in "mhl", f"unknown sequence: {part[0]!r}"
    assert at == len(sent), f"unknown sequence: {sent[at:]!r}"
    return [line.rstrip() for line in rows]
