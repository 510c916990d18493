"""Words for messages: lists of names, values and types as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST = 60


def either(options: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def shown(value: Any) -> str:
    """A value as a message shows it: short."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f'"{text}"' if isinstance(value, str) else text


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def described(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema asks for: `a port number such as 8080`, `text or a list`.

    Args:
        schema: of a value.
        definitions: the `$defs` that it may refer to.
    """
    if "$ref" in schema:
        return described(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return either(map(_literal, schema["enum"]))
    if "title" in schema and schema.get("type") != "object":
        return _titled(schema)
    if "anyOf" in schema:
        options = [described(o, definitions) for o in schema["anyOf"] if o.get("type") != "null"]
        return either(dict.fromkeys(options))
    return _TYPES.get(schema.get("type", ""), "any value")


def _titled(schema: Mapping[str, Any]) -> str:
    title = schema["title"]
    spelled = title[:2].isupper() and title[0] in "AEFHILMNORSX"
    article = "an" if title[0] in "aeio" or spelled else "a"
    examples = schema.get("examples", ())
    return f"{article} {title} such as {examples[0]}" if examples else f"{article} {title}"


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
