"""Command lines and statements of others, without the secrets that are plain to see in them.

The redactor masks what is known to be secret. Nobody told us these: they are known by their names.
"""

from __future__ import annotations

from functools import cache
from typing import Any

MASK = "***"

_NAMES = (
    "passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key"
    "|private[_-]?key|credentials?"
)
# A quote may have lost its partner where the text was cut.
_VALUE = r"""(?:"[^"]*"?|'[^']*'?|[^\s"',;&}]+)"""
_RULES = (
    # https://user:secret@host
    (r"(://[^\s:/@]*:)[^\s/]*@", rf"\1{MASK}@"),
    # Authorization: Bearer secret
    (r"((?:authorization|x-[\w-]*token|x-api-key)[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?)[^\s\"']+",
     rf"\1{MASK}"),
    # PGPASSWORD=secret, --token=secret, "password": "secret", -DkeyStorePassword=secret
    (rf"([\w.-]*(?:{_NAMES})[\"']?\s*[=:]\s*){_VALUE}", rf"\1{MASK}"),
    # --password secret
    (rf"(--?[\w.-]*(?:{_NAMES})\s+)(?:\"[^\"]*\"?|'[^']*'?|[^\s-]\S*)", rf"\1{MASK}"),
    # alter role app password 'secret'
    (r"(\b(?:password|identified\s+by)\s+)e?'(?:[^']|'')*'?", rf"\1{MASK}"),
)  # fmt: skip


def masked(text: str, limit: int) -> str:
    """The text with a mask for what stands after a word such as `password`, cut to a length.

    Args:
        text: a command line, or a statement; however long.
        limit: characters to keep; a cut is shown.
    """
    short = text[: 4 * limit]  # what is cut off in the end need not be searched
    for pattern, replacement in _rules():
        short = pattern.sub(replacement, short)
    whole = len(text) <= 4 * limit and len(short) <= limit
    return short if whole else f"{short[: limit - 1]}…"


@cache
def _rules() -> tuple[tuple[Any, str], ...]:
    import re2

    return tuple((re2.compile(f"(?i){pattern}"), replacement) for pattern, replacement in _RULES)
