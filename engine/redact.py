"""The only way to a sink: secret values are masked, control and bidi characters escaped."""

from __future__ import annotations

import re
import threading
import unicodedata

MASK = "********"
SHORTEST_SECRET = 4
"""Values shorter than this are not masked: masking every `1` would ruin the output."""


class Redactor:
    """Knows the run's secret values and takes them out of whatever is about to be shown or kept.

    Thread-safe: values are learnt while hosts run.
    """

    def __init__(self) -> None:
        """Start with no secrets."""
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, value: object) -> None:
        """Treat this value as secret from now on; numbers by their text, empty ones ignored."""
        text = str(value)
        forms = {text, *(line.strip() for line in text.splitlines())}
        forms = {form for form in forms if len(form) >= SHORTEST_SECRET}
        with self._lock:
            if forms <= self._values:
                return
            self._values |= forms
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(value) for value in longest_first))

    def text(self, text: str) -> str:
        """The text with each secret value replaced by a mask."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern else text

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
