"""Regular expressions over foreign text: RE2, which no text can make slow."""

from __future__ import annotations

from typing import Any


def compiled(pattern: str) -> Any:
    """The compiled pattern.

    Raises:
        ValueError: RE2 does not take it; why is in the message.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text) from None
