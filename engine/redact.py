"""The only way to a sink: secret values are masked, control and bidi characters escaped."""

from __future__ import annotations

import base64
import json
import re
import shlex
import threading
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASK = "********"
SHORTEST_SECRET = 4
"""Values shorter than this are not masked: masking every `1` would ruin the output."""
SHORTEST_CODE = 8
"""Of base64 and hexadecimal digits, which are found by chance more easily."""
CUT = "…"
LONGEST_REST = 7
"""Characters of a cut secret that may stay; more of them would say too much."""


class Redactor:
    """Knows the run's secret values and takes them out of whatever is about to be shown or kept.

    Thread-safe: values are learnt while hosts run.
    """

    def __init__(self) -> None:
        """Start with no secrets."""
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._long: tuple[str, ...] = ()
        self._pattern: Any = None

    def learn(self, value: object) -> None:
        """Treat this value as secret from now on; numbers by their text, empty ones ignored.

        So are its lines, and all of them as JSON, URLs, shells, HTML and base64 have them.
        """
        text = str(value)
        plain = {text, *(line.strip() for line in text.splitlines())}
        forms = {form for each in plain for form in encoded(each)}
        with self._lock:
            if forms <= self._values:
                return
            self._values |= forms
            longest_first = sorted(self._values, key=len, reverse=True)
            self._long = tuple(form for form in longest_first if len(form) > LONGEST_REST)
            self._pattern = _any_of(longest_first)

    @property
    def knows(self) -> bool:
        """Whether there is any secret to mask."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        """The text with each secret value replaced by a mask."""
        pattern = self._pattern
        if pattern is None:
            return text
        try:
            masked: str = pattern.sub(MASK, text)
        except UnicodeEncodeError:  # bytes that are no text, as of a strange path
            masked = _pattern_of(sorted(self._values, key=len, reverse=True)).sub(MASK, text)
        return self._cut_ones(masked) if self._long and CUT in masked else masked

    def _cut_ones(self, text: str) -> str:
        """Without the beginnings of secrets that a message has cut."""
        before, *after = text.split(CUT)
        for piece in after:
            length = max(_begun(before, secret) for secret in self._long)
            kept = before[:-length] + MASK if length else before
            before = f"{kept}{CUT}{piece}"
        return before

    def value(self, value: object) -> object:
        """The same for a value made of dicts, lists, tuples and scalars; keys too."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return self._scalar(value)

    def _scalar(self, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if str(value) in self._values else value
        return value


def encoded(text: str) -> Iterator[str]:
    """A secret as it is, and as others write it: all that is long enough to be told from chance."""
    import html

    plain = {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        html.escape(text),
        shlex.quote(text).strip("'"),
    }
    data = text.encode("utf-8", "surrogateescape")
    plain |= {quote(data), quote(data, safe=""), quote_plus(data)}
    yield from (form for form in plain if len(form) >= SHORTEST_SECRET)
    codes = {data.hex(), data.hex().upper(), *_in_base64(data)}
    yield from (form for form in codes if len(form) >= SHORTEST_CODE)


def _in_base64(data: bytes) -> Iterator[str]:
    """The digits that stand for these bytes alone, wherever they stand among others."""
    for before in range(3):
        digits = base64.b64encode(bytes(before) + data).decode()
        own = digits[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
        yield own
        yield own.translate(str.maketrans("+/", "-_"))


def _any_of(texts: Sequence[str]) -> Any:
    """What finds any of the texts, the first that fits; RE2 is not slowed by how many there are."""
    import re2

    options = re2.Options()
    options.max_mem = 64 * 2**20
    options.log_errors = False
    try:
        return re2.compile("|".join(map(re2.escape, texts)), options)
    except UnicodeEncodeError:
        return _pattern_of(texts)


def _pattern_of(texts: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, texts)))


def _begun(text: str, secret: str) -> int:
    """How many characters of a secret's beginning a text ends with; 0 where they say too little."""
    if secret[: LONGEST_REST + 1] not in text[-len(secret) :]:
        return 0
    lengths = range(min(len(secret), len(text)), LONGEST_REST, -1)
    return next((length for length in lengths if text.endswith(secret[:length])), 0)


def escape(text: str, *, keep: str = "") -> str:
    """Show control, bidi and other invisible characters instead of obeying them.

    Host output could otherwise move the cursor, set the window's title or hide text.

    Args:
        text: what a host, an alert or a file said.
        keep: control characters to let through, such as a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _harmless(c) else _shown(c) for c in text)


def _harmless(character: str) -> bool:
    # Cc: C0 and C1 controls; Cf: bidi and zero-width; Cs: surrogates; Zl, Zp: line separators.
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _shown(character: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}
    return short.get(character) or f"\\u{ord(character):04x}"
