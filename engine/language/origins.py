"""Where in an alert an input's value is: `labels.datname`, `annotations["who"]`, `startsAt`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.language.expressions import Fault, Unreadable
from engine.language.words import either
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYED = ("labels", "annotations")
"""Parts of an alert that hold texts by name."""

PLAIN = ("title", "startsAt", "status", "fingerprint", "generatorURL", "source")
"""Parts that are one text each."""

_ROOT = re.compile(r"[A-Za-z]+")
_KEY = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[(?:"([^"]+)"|'([^']+)')\]""")


class Origin(Struct, frozen=True):
    """A text of an alert.

    Args:
        part: of the alert.
        key: of the label or annotation; empty for the rest.
    """

    part: str
    key: str = ""

    def __str__(self) -> str:
        """In words: `label "datname"`."""
        return f'{self.part.removesuffix("s")} "{self.key}"' if self.key else self.part

    def value(self, alert: Mapping[str, Any]) -> str | None:
        """The text; None where it is missing or empty, which are the same to Prometheus."""
        found = alert.get(self.part)
        if self.key:
            found = found.get(self.key) if found else None
        return found or None

    def near(self, alert: Mapping[str, Any]) -> str:
        """A hint with the near label or annotation that the alert does have."""
        return did_you_mean(self.key, alert.get(self.part) or {}) if self.key else ""


def read_origin(text: str) -> Origin:
    """The place in an alert that a text names.

    Raises:
        Unreadable: there is no such place.
    """
    root = _ROOT.match(text)
    part = root[0] if root else ""
    rest = text[len(part) :]
    if part in PLAIN:
        if rest:
            raise Unreadable(Fault(len(part), f"{part} is a text, with nothing in it"))
        return Origin(part)
    if part not in KEYED:
        hint = 'leave out "alert."' if part == "alert" else did_you_mean(part, (*KEYED, *PLAIN))
        known = either([*(f"{name}.NAME" for name in KEYED), *PLAIN])
        raise Unreadable(Fault(0, f"an alert has {known}", hint))
    key = _KEY.fullmatch(rest)
    if key is None:
        hint = f'{part}.NAME, or {part}["NAME"] for any name'
        raise Unreadable(Fault(len(part), f"must name one of the {part}", hint))
    return Origin(part, key[1] or key[2] or key[3])
