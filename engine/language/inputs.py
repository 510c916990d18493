"""Inputs: how they are declared, and the values that `-e` and the alert give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from engine.errors import InputError, Problem
from engine.language.expressions import Unreadable, is_template
from engine.language.foreign import unfit
from engine.language.keywords import InputText
from engine.language.origins import read_origin
from engine.language.patterns import compiled
from engine.language.scalars import resolve
from engine.language.shapes import Shape, has_template
from engine.language.source import parse
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.language.flaws import Way
    from engine.language.model import Place, Playbook
    from engine.language.problems import Problems

_SAID = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
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
_OF_PLAYBOOKS = frozenset({"from"})
_CONNECTION = "ansible_"
"""Names that say how hosts are reached may be given whether or not an inventory has them."""


def schema(declared: InputText) -> dict[str, Any]:
    """The input's JSON Schema."""
    values = {theirs: getattr(declared, ours) for ours, theirs in _KEYWORDS.items()}
    return {keyword: value for keyword, value in values.items() if value is not UNSET}


def check_declared(problems: Problems, inputs: Mapping[str, Any]) -> None:
    """Whether each input's declaration makes sense, and its default fits it.

    Args:
        problems: where to tell.
        inputs: as the file has them; those of the wrong shape are told elsewhere.
    """
    for name, raw in inputs.items():
        try:
            declared = msgspec.convert(raw, InputText)
        except msgspec.ValidationError:
            continue
        way = ("inputs", name)
        count = len(problems.found)
        if declared.pattern is not UNSET:
            try:
                compiled(declared.pattern)
            except ValueError as error:
                problems.at((*way, "pattern"), f"pattern is none that RE2 takes: {error}")
        if declared.items is not UNSET:
            _check_items(problems, (*way, "items"), declared.items)
        if declared.from_ is not UNSET:
            _check_origin(problems, (*way, "from"), declared.from_)
        if declared.default is not UNSET and len(problems.found) == count:
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
        kind = msgspec.convert(text, InputText)
        if name in given:
            values[name] = given[name]
            if not has_template(given[name]):
                flaws = _shape(name, kind).flaws(given[name])
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


def _check_origin(problems: Problems, way: Way, text: str) -> None:
    try:
        read_origin(text)
    except Unreadable as error:
        problems.inside(way, error.fault.offset, error.fault.message, error.fault.hint)


def _check_default(problems: Problems, way: Way, declared: InputText) -> None:
    default = declared.default
    place = (*way, "default")
    if isinstance(default, str) and is_template(default):
        problems.at(place, "a default cannot be a template", "put it into vars")
        return
    for flaw in _shape(str(way[-1]), declared).flaws(default):
        message = f"the default does not fit: {flaw.message}"
        problems.at((*place, *flaw.way), message, flaw.hint)


def _shape(name: str, declared: InputText) -> Shape:
    return Shape(schema(declared), name=name)


def fill(
    playbook: Playbook,
    given: Mapping[str, Any],
    *,
    alert: Mapping[str, Any] | None = None,
    inventory_names: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The value of each input: as given, else from the alert, else its default.

    And of what else `-e` may override.

    Args:
        playbook: whose inputs they are.
        given: what `-e` says: text for `k=v`, which takes the input's type.
        alert: that the playbook is run for.
        inventory_names: variables of hosts, which `-e` may override as it may `vars`.

    Raises:
        InputError: with every input that is missing or wrong, and every name that is no input.
    """
    problems: list[Problem] = []
    known = {*playbook.text.inputs, *playbook.text.vars, *inventory_names}
    values = {}
    for name, value in given.items():
        if name not in known and not name.startswith(_CONNECTION):
            message = f'-e {name}: the playbook has no input "{name}"'
            problems.append(Problem(message, hint=did_you_mean(name, known)))
        elif name not in playbook.text.inputs:
            values[name] = value
    for name, declared in playbook.text.inputs.items():
        source = _source(name, declared, given, alert)
        values[name] = _value(playbook.input_places[name], name, declared, source, problems)
    if problems:
        raise InputError(*problems)
    return values


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an input's value comes from.

    Args:
        value: as it is there, or `UNSET`: there is none.
        said: what messages call the place.
        why: why there is no value.
        hint: what to do then.
        foreign: it comes from an alert.
    """

    value: Any = UNSET
    said: str = ""
    why: str = ""
    hint: str = ""
    foreign: bool = False


def _source(
    name: str, declared: InputText, given: Mapping[str, Any], alert: Mapping[str, Any] | None
) -> _Source:
    if name in given:
        return _Source(given[name], f"-e {name}")
    hint = f"give it with -e {name}=…"
    if declared.from_ is UNSET:
        return _Source(hint=hint)
    if alert is None:
        return _Source(hint=f"{hint}, or the alert with --alert")
    origin = read_origin(declared.from_)
    value = origin.value(alert)
    if value is None:
        near = origin.near(alert)
        hint = f"{near} Else {hint}" if near else hint
        return _Source(why=f": the alert has no {origin}", hint=hint)
    return _Source(value, f"the alert's {origin}", foreign=True)


def _value(
    place: Place, name: str, declared: InputText, source: _Source, problems: list[Problem]
) -> Any:
    if source.value is UNSET:
        if declared.default is UNSET:
            problems.append(place.problem(f'input "{name}" is missing{source.why}', source.hint))
        return declared.default
    value = source.value
    if isinstance(value, str):
        value = _typed(value, declared.type)
    flaws = _shape(name, declared).flaws(value)
    problems += [place.problem(f"{source.said}: {flaw.message}", flaw.hint) for flaw in flaws]
    if source.foreign and declared.enum is UNSET:
        longest = None if declared.max_length is UNSET else declared.max_length
        if wrong := unfit(value, longest):
            problems.append(place.problem(f"{source.said} {wrong}", f"or give it: -e {name}=…"))
    return value


def _typed(text: str, kind: str) -> Any:
    """The text as the input's type; unchanged where it is none, for the check to say so."""
    match kind:
        case "integer" | "number":
            return _number(text.strip())
        case "boolean":
            return _SAID.get(text.strip().lower(), text)
        case "array" | "object":
            return _structure(text)
        case _:
            return text


def _number(text: str) -> Any:
    try:
        value = resolve(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _structure(text: str) -> Any:
    try:
        return parse("-e", text.encode()).value
    except InputError:
        return text
