"""A line of a file, found by what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contract.arguments import matcher
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Callable


def set_line(
    text: str, line: str, regexp: str | None = None, *, after: str = "EOF", before: str = ""
) -> str:
    """The text with the line in it.

    It takes the place of the last line that matches; where none does, it is put in, unless the
    text has it already.

    Args:
        text: of a file.
        line: without its end.
        regexp: an RE2 pattern for the line to replace; None for none.
        after: an RE2 pattern: it is put behind the last line that matches; `EOF` for the end,
            where it also goes if none matches.
        before: likewise, in front of it; `BOF` for the beginning.

    Raises:
        ValueError: that is no RE2 pattern.
        ModuleFailed: it would replace yet another line the next time.
    """
    lines, tail = _split(text)
    fits = matcher(regexp) if regexp is not None else None
    at = _last(lines, fits) if fits else None
    if fits and at is not None:
        lines[at] = line
        again = None if fits(line) else _last(lines, fits)
        if again is not None:
            raise ModuleFailed(
                f"regexp matches line {again + 1} as well, and would replace it the next time: "
                "it must match no other line, or the new one too"
            )
    elif line in lines:
        return text
    else:
        lines.insert(_place(lines, after, before), line)
        tail = "\n"
    return "\n".join(lines) + tail


def remove_lines(text: str, line: str | None, regexp: str | None) -> str:
    """The text without the lines that match, or are that line.

    Raises:
        ValueError: that is no RE2 pattern.
    """
    lines, tail = _split(text)
    fits = matcher(regexp) if regexp is not None else lambda each: each == line
    left = [each for each in lines if not fits(each)]
    return "\n".join(left) + tail if left else ""


def _split(text: str) -> tuple[list[str], str]:
    """Its lines, and what the last one ends with."""
    if not text:
        return [], ""
    body = text.removesuffix("\n")
    return body.split("\n"), text[len(body) :]


def _last(lines: list[str], fits: Callable[[str], bool]) -> int | None:
    return next((at for at in reversed(range(len(lines))) if fits(lines[at])), None)


def _place(lines: list[str], after: str, before: str) -> int:
    if before == "BOF":
        return 0
    at = _last(lines, matcher(before)) if before else None
    if at is not None:
        return at
    at = _last(lines, matcher(after)) if after != "EOF" else None
    return len(lines) if at is None else at + 1
