"""How the keywords of a playbook and its blocks reach the tasks in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.language.keywords import Shared

_SHARED = frozenset(Shared.__struct_fields__) - {"name"}
_MERGED = ("vars", "environment")
_BELONGING = frozenset(
    {"vars", "environment", "become", "become_user", "become_method", "delegate_to", "no_log"}
)
"""What a task hands on to those that verify it or take it back."""


def inherit(outer: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with those of what stands around them: as a file has them, and free of flaws.

    Args:
        outer: what `inherit` made of everything around, or nothing.
        own: of the task or block itself.
    """
    made = {**{key: outer[key] for key in outer if key in _SHARED}, **own}
    for key in _MERGED:
        if isinstance(outer.get(key), Mapping) and isinstance(own.get(key, {}), Mapping):
            made[key] = {**outer[key], **own.get(key, {})}
    if "when" in outer and "when" in own:
        made["when"] = [*_listed(outer["when"]), *_listed(own["when"])]
    if "tags" in outer and "tags" in own:
        made["tags"] = [*_tags(outer["tags"]), *_tags(own["tags"])]
    if isinstance(outer.get("no_log"), list) and isinstance(own.get("no_log"), list):
        made["no_log"] = [*outer["no_log"], *own["no_log"]]
    return made


def of_belonging(made: Mapping[str, Any]) -> dict[str, Any]:
    """What a task hands on to those that belong to it."""
    return {key: value for key, value in made.items() if key in _BELONGING}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _tags(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [tag.strip() for tag in value.split(",") if tag.strip()]
    return list(value)
