"""How inputs are declared: whether it makes sense, and what their values must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from engine.language.expressions import Unreadable, is_template
from engine.language.keywords import InputText
from engine.language.origins import read_origin
from engine.language.patterns import compiled
from engine.language.shapes import Shape, has_template
from engine.nearest import did_you_mean
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.language.flaws import Way
    from engine.language.problems import Problems

_KEYWORDS = {
    "type": "type",
    "enum": "enum",
    "pattern": "pattern",
    "minimum": "minimum",
    "maximum": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "items": "items",
}
_NO_TEXT = ("integer", "number", "boolean")
_OF_PLAYBOOKS = frozenset({"from", "prompt", "secret"})


def schema(declared: InputText) -> dict[str, Any]:
    """The input's JSON Schema."""
    values = {theirs: getattr(declared, ours) for ours, theirs in _KEYWORDS.items()}
    return {keyword: value for keyword, value in values.items() if value is not UNSET}


def shape(name: str, declared: InputText) -> Shape:
    """What its value must be."""
    return Shape(lambda: schema(declared), name=name)


def check_declared(problems: Problems, inputs: Mapping[str, Any]) -> None:
    """Whether each input's declaration makes sense, and its default fits it.

    Args:
        problems: where to tell.
        inputs: as the file has them; those of the wrong shape are told elsewhere.
    """
    for name, raw in inputs.items():
        try:
            declared = convert(raw, InputText)
        except msgspec.ValidationError:
            continue
        way = ("inputs", name)
        count = len(problems.found)
        _check_texts(problems, way, declared)
        if declared.items is not UNSET:
            _check_items(problems, (*way, "items"), declared.items)
        if declared.secret:
            _check_secret(problems, way, declared)
        elif declared.default is not UNSET and len(problems.found) == count:
            _check_default(problems, way, declared)


def said_by_alerts(inputs: Mapping[str, Any]) -> frozenset[str]:
    """The names whose texts come from an alert, as far as no declaration lists them all.

    Args:
        inputs: as the file has them.
    """
    return frozenset(
        {
            "alert",
            *(
                name
                for name, raw in inputs.items()
                if isinstance(raw, Mapping) and "from" in raw and "enum" not in raw
                if raw.get("type", "string") not in _NO_TEXT
            ),
        }
    )


def refuse_of_playbooks(problems: Problems, inputs: Mapping[str, Any]) -> None:
    """Whether an included file's inputs say what only a playbook's may."""
    for name, raw in inputs.items():
        for key in raw.keys() & _OF_PLAYBOOKS:
            message = f'"{key}" goes with the inputs of a playbook'
            hint = "what includes this file gives its inputs"
            problems.at_key(("inputs", name, key), message, hint)


def check_given(
    problems: Problems, way: Way, raw: Mapping[str, Any], declared: Mapping[str, Any]
) -> dict[str, Any]:
    """Whether an include gives what the file takes; a template's value is not known yet.

    Args:
        problems: of the file that includes.
        way: to the include in it.
        raw: the include, of the right shape.
        declared: the inputs of the included file, as it has them.

    Returns:
        The value of each input, those that are not given by their defaults.
    """
    given = raw.get("inputs", {})
    values = {}
    for name in given.keys() - declared.keys():
        message = f'{raw["include"]} has no input "{name}"'
        problems.at_key((*way, "inputs", name), message, did_you_mean(name, declared))
    for name, text in declared.items():
        kind = convert(text, InputText)
        if name in given:
            values[name] = given[name]
            if not has_template(given[name]):
                flaws = shape(name, kind).flaws(given[name])
                problems.flaws(flaws, (*way, "inputs", name))
        elif kind.default is UNSET:
            message = f'{raw["include"]} needs the input "{name}"'
            problems.at_key((*way, "include"), message, "give it under inputs")
        else:
            values[name] = kind.default
    return values


def _check_items(problems: Problems, way: Way, items: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator, SchemaError

    for key in _keys(items):
        if key.startswith("$"):
            problems.at(way, f'items may not hold "{key}"', "it takes a plain JSON Schema")
    try:
        Draft202012Validator.check_schema(dict(items))
        for pattern in _patterns(items):
            compiled(pattern)
    except (SchemaError, ValueError) as error:
        reason = error.message if isinstance(error, SchemaError) else error
        problems.at(way, f"items is not a JSON Schema: {reason}")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
    parts = value.values() if isinstance(value, Mapping) else value
    for part in parts if isinstance(value, Mapping | list) else ():
        yield from _keys(part)


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(value.get("pattern"), str):
        yield value["pattern"]
    parts = value.values() if isinstance(value, Mapping) else value
    for part in parts if isinstance(value, Mapping | list) else ():
        yield from _patterns(part)


def _check_texts(problems: Problems, way: Way, declared: InputText) -> None:
    if declared.pattern is not UNSET:
        try:
            compiled(declared.pattern)
        except ValueError as error:
            problems.at((*way, "pattern"), f"pattern is none that RE2 takes: {error}")
    if declared.from_ is not UNSET:
        try:
            read_origin(declared.from_)
        except Unreadable as error:
            fault = error.fault
            problems.inside((*way, "from"), fault.offset, fault.message, fault.hint)
    if is_template(declared.prompt):
        problems.at((*way, "prompt"), "prompt takes no templates")


def _check_secret(problems: Problems, way: Way, declared: InputText) -> None:
    if declared.type != "string":
        problems.at((*way, "type"), f"a secret is text, and no {declared.type}")
    if declared.default is not UNSET:
        hint = "leave it out: it is asked for; or put it into vars, as a !vault value"
        problems.at((*way, "default"), "a secret has no default: all could read it here", hint)


def _check_default(problems: Problems, way: Way, declared: InputText) -> None:
    default = declared.default
    place = (*way, "default")
    if isinstance(default, str) and is_template(default):
        problems.at(place, "a default cannot be a template", "put it into vars")
        return
    for flaw in shape(str(way[-1]), declared).flaws(default):
        message = f"the default does not fit: {flaw.message}"
        problems.at((*place, *flaw.way), message, flaw.hint)
