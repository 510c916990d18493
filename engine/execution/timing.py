"""How long a task may take, wait and watch: its keywords, rendered and in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from engine.contract import seconds
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from engine.language.model import Task
    from engine.language.templates import Templates

_KEYWORDS = ("timeout", "within", "hold", "every", "delay")


class Timing(Struct, frozen=True):
    """A task's times in seconds; None where it does not say."""

    timeout: float | None = None
    within: float | None = None
    hold: float | None = None
    every: float | None = None
    delay: float | None = None


def timing(task: Task, templates: Templates, names: Mapping[str, Any]) -> Timing:
    """Read a task's times.

    Raises:
        HostError: a template cannot be rendered, or does not come to a duration.
    """
    said = {
        keyword: text for keyword in _KEYWORDS if (text := getattr(task.text, keyword)) is not None
    }
    found = {}
    for keyword, text in said.items():
        value = templates.render(text, names)
        try:
            found[keyword] = seconds(value)
        except (TypeError, ValueError):
            raise HostError(f"{keyword} must be a duration such as 10s, not {value!r}") from None
    return Timing(**found)
