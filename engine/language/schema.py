"""The JSON Schema of the whole language, for editors: the model's types and every module's."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from engine.language.keywords import PHASES, BlockText, IncludeText, PlaybookText, TaskText
from engine.language.shapes import schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.registry import Entry, Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = {"type": "string", "pattern": r"\{\{|\{%"}
_TASK = {"$ref": "#/$defs/Task"}
_STEP = {"$ref": "#/$defs/Step"}


def editor_schema(registry: Registry) -> dict[str, Any]:
    """What an editor checks and completes playbooks with.

    A text with a template in it may stand for any value of a module's argument.
    """
    document = deepcopy(schema_of(PlaybookText))
    definitions: dict[str, Any] = document.pop("$defs")
    for phase in PHASES:
        document["properties"][phase]["items"] = _STEP
    document["properties"]["handlers"]["items"] = _TASK
    definitions["Task"] = _task(registry, definitions)
    definitions["Block"] = _steps(BlockText, definitions, ("block", "rescue", "always"))
    definitions["Include"] = _steps(IncludeText, definitions, ())
    definitions["Step"] = _told_by("block", "Block", _told_by("include", "Include", _TASK))
    return {
        "$schema": DIALECT,
        **document,
        "title": "quell playbook",
        "$defs": definitions,
    }


def _told_by(keyword: str, kind: str, other: Mapping[str, Any]) -> dict[str, Any]:
    """What has the keyword is of that kind; an editor then tells the errors of that kind alone."""
    has = {"type": "object", "required": [keyword]}
    return {"if": has, "then": {"$ref": f"#/$defs/{kind}"}, "else": other}


def _steps(kind: type, definitions: dict[str, Any], lists: tuple[str, ...]) -> dict[str, Any]:
    """A block or an include, whose lists hold steps again."""
    keywords = schema_of(kind)
    definitions.update(keywords["$defs"])
    properties = {
        name: {**part, "items": _STEP} if name in lists else part
        for name, part in keywords["properties"].items()
    }
    own = {key: part for key, part in keywords.items() if key != "$defs"}
    return {**own, "properties": properties}


def _task(registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    keywords = schema_of(TaskText)
    definitions.update(keywords["$defs"])
    properties: dict[str, Any] = dict(keywords["properties"])
    for keyword in ("verify", "rollback"):
        properties[keyword] = {**properties[keyword], "items": _TASK}
    for keyword in ("within", "hold", "every", "timeout"):
        properties[keyword] = _or_template(properties[keyword])
    names = registry.names()
    for name in names:
        module = _module(registry[name], definitions)
        keyword = keywords["properties"].get(name)
        properties[name] = {"anyOf": [module, keyword]} if keyword else module
    return {
        "description": keywords["description"],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "oneOf": [_has_module(name, keywords["properties"]) for name in names],
    }


def _has_module(name: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """A task with this module; `notify` is one where it holds arguments, else a keyword."""
    has = {"required": [name]}
    return {**has, "properties": {name: {"type": "object"}}} if name in keywords else has


def _module(entry: Entry, definitions: dict[str, Any]) -> dict[str, Any]:
    own = dict(entry.schema)
    definitions.update(own.pop("$defs", {}))
    own["properties"] = {name: _or_template(part) for name, part in own["properties"].items()}
    if entry.cls.free_form:
        return {**own["properties"][entry.cls.free_form], "description": own["description"]}
    if not entry.cls.primary:
        return own
    description = own.pop("description")
    return {"description": description, "anyOf": [own, own["properties"][entry.cls.primary]]}


def _or_template(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, which also takes a template wherever it takes a scalar that is no text."""
    changed = dict(schema)
    if "anyOf" in changed:
        changed["anyOf"] = [_or_template(option) for option in changed["anyOf"]]
    for key in ("items", "additionalProperties"):
        if isinstance(changed.get(key), dict):
            changed[key] = _or_template(changed[key])
    if changed.get("type") == "string" and "pattern" not in changed and "enum" not in changed:
        return changed
    if changed.get("type") == "null" or not changed.keys() & {"type", "anyOf", "enum", "$ref"}:
        return changed
    outer: dict[str, Any] = {
        key: changed.pop(key) for key in ("description", "default") if key in changed
    }
    return {**outer, "anyOf": [changed, _TEMPLATE]}
