"""Rendered values → what a module takes: a number where text is wanted becomes text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TEXT_ONLY = frozenset({"string", "array", "null"})


def fitted(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """The value with numbers and booleans as text, where the schema takes text only.

    `"{{ port }}"` yields a number, and an argument of a command is text.

    Args:
        value: rendered.
        schema: of it.
        definitions: the `$defs` that the schema may refer to.
    """
    options = _options(schema, definitions)
    if isinstance(value, dict):
        return {
            key: fitted(part, _of_key(options, key), definitions) for key, part in value.items()
        }
    if isinstance(value, list):
        return [fitted(part, _of_items(options), definitions) for part in value]
    types = {option.get("type") for option in options}
    if isinstance(value, bool | int | float) and "string" in types <= _TEXT_ONLY:
        return as_text(value)
    return value


def as_text(value: Any) -> str:
    """A value where only text has a meaning, such as in the environment: `true`, `8080`."""
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _options(
    schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    """The alternatives that a schema has, without references."""
    if "$ref" in schema:
        return _options(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return [one for option in schema["anyOf"] for one in _options(option, definitions)]
    return [schema]


def _of_key(options: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    for option in options:
        others = option.get("additionalProperties")
        found = option.get("properties", {}).get(key, others)
        if isinstance(found, dict):
            return found
    return {}


def _of_items(options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    found = (option.get("items") for option in options)
    return next((items for items in found if isinstance(items, dict)), {})
