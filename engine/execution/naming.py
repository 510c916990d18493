"""What people call a task and its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.language.model import Node
    from engine.language.templates import Templates


def name_of(node: Node, templates: Templates, names: Mapping[str, Any]) -> str:
    """A task's or a block's name on a host; as it is written where it cannot be rendered."""
    try:
        return str(templates.render(node.name, names))
    except HostError:
        return node.name


def said(condition: object) -> str:
    """A condition as a message shows it; a list holds if all in it do."""
    return " and ".join(map(str, condition)) if isinstance(condition, list) else str(condition)
