"""A file's bytes as text that can be edited, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "\ufeff"


def decoded(data: bytes) -> str:
    """A file's text.

    Raises:
        ModuleFailed: it is not UTF-8, or has NUL bytes.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ModuleFailed(f"it is not UTF-8 text: byte {error.start} is no part of it") from None
    if "\0" in text:
        raise ModuleFailed("it is not text: there are NUL bytes in it")
    return text


def encoded(text: str) -> bytes:
    """What `decoded` gave, as bytes again."""
    return text.encode()


def on_plain_lines(text: str, edit: Callable[[str], str]) -> str:
    """The text after an edit that need not know of a byte order mark or of CRLF.

    Lines of a file that has both kinds of ends keep theirs; what is new then ends in a newline.

    Args:
        text: as it was found.
        edit: changes what it is given.
    """
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(_MARK)
    crlf = body.count("\r\n") == body.count("\n") > 0
    edited = edit(body.replace("\r\n", "\n") if crlf else body)
    return mark + (edited.replace("\n", "\r\n") if crlf else edited)
