"""Checks values against the schemas of the language's and the modules' types.

msgspec decides first, a thousand times faster; jsonschema is asked why when it says no, or when
a template stands where its value is not known yet.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from engine.contract import Condition
from engine.language.expressions import is_template
from engine.language.flaws import Flaw, Subject, Way, explained
from engine.language.patterns import compiled
from engine.typed import convert

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

    from engine.registry import Entry

_PLACE = re.compile(r" - at `\$(.*)`$")


@functools.cache
def schema_of(kind: type) -> dict[str, Any]:
    """JSON Schema of a type, with `$defs` for what it is made of: shared, not to be changed."""
    document = msgspec.json.schema(kind)
    definitions = document["$defs"]
    own = definitions.pop(kind.__name__)
    return {**own, "$defs": definitions}


@functools.cache
def formats(entry: Entry) -> dict[str, str]:
    """The arguments whose texts have a format of ours: `expression` or `re2`."""
    found = {name: _format(part) for name, part in entry.schema["properties"].items()}
    return {name: form for name, form in found.items() if form}


def _format(schema: Mapping[str, Any]) -> str:
    parts = [schema, schema.get("items", {}), *schema.get("anyOf", ())]
    inner = [part.get("items", {}) for part in parts[2:]]
    return next((str(part["format"]) for part in (*parts, *inner) if part.get("format")), "")


class Shape:
    """One type's shape.

    Args:
        schema: gives the JSON Schema, with `$defs`, when it is needed: msgspec needs none.
        name: what messages call the whole.
        keys: what they call its keys.
        kind: the type, so that msgspec may decide first.
        templates: whether a text with a template in it may stand for any value.
    """

    def __init__(
        self,
        schema: Callable[[], Mapping[str, Any]],
        *,
        name: str,
        keys: str = "key",
        kind: type | None = None,
        templates: bool = False,
    ) -> None:
        """Compile nothing before it is needed."""
        self._schema = schema
        self._name, self._keys = name, keys
        self._kind = kind
        self._templates = templates

    def flaws(self, value: Any) -> list[Flaw]:
        """Everything that is wrong with the value."""
        refusal = self._refusal(value)
        if refusal is None:
            return []
        errors = self._validator.iter_errors(value)
        flaws = [flaw for error in errors for flaw in explained(error, self._subject)]
        if flaws or not refusal or (self._templates and has_template(value)):
            return _told_once(flaws)
        return [_from_msgspec(refusal, self._subject)]

    def _refusal(self, value: Any) -> str | None:
        """What msgspec has against the value; empty where it is not asked; None if nothing."""
        if self._kind is None:
            return ""
        try:
            convert(value, self._kind, hook=_any_condition)
        except msgspec.ValidationError as error:
            return str(error)
        return None

    @functools.cached_property
    def _subject(self) -> Subject:
        return Subject(self._name, self._keys, self._schema().get("$defs", {}))

    @functools.cached_property
    def _validator(self) -> Validator:
        from referencing import Registry

        # An empty registry: no `$ref` may make jsonschema fetch anything.
        validator: Validator = _validator_class(templates=self._templates)(
            self._schema(), registry=Registry()
        )
        return validator


def _told_once(flaws: list[Flaw]) -> list[Flaw]:
    """Without repetitions, nor what is missing only because its name is misspelled."""
    misspelled = {(flaw.way[:-1], flaw.meant) for flaw in flaws if flaw.meant}
    return [flaw for flaw in dict.fromkeys(flaws) if (flaw.way, flaw.missing) not in misspelled]


def module_shape(entry: Entry) -> Shape:
    """The shape of a module's arguments as a playbook has them."""
    return Shape(
        lambda: entry.schema, name=entry.name, keys="argument", kind=entry.cls, templates=True
    )


def type_shape(kind: type, name: str) -> Shape:
    """The shape of a type that msgspec knows by itself."""
    return Shape(lambda: schema_of(kind), name=name, kind=kind)


def has_template(value: Any) -> bool:
    """Whether there is a template anywhere in the value."""
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    if isinstance(value, list):
        return any(has_template(item) for item in value)
    return isinstance(value, str) and is_template(value)


def _any_condition(kind: type, value: Any) -> Any:
    if kind is Condition and isinstance(value, str):
        return Condition(value, holds=True)
    raise TypeError("an expression is text")


def _from_msgspec(message: str, subject: Subject) -> Flaw:
    """For what a type's own code refuses, which no schema can say."""
    found = _PLACE.search(message)
    path = re.findall(r"\.(\w+)|\[(\d+)\]", found[1]) if found else []
    way: Way = tuple(name or int(number) for name, number in path)
    return Flaw(way, f"{subject.at(way)}: {_PLACE.sub('', message)}")


@functools.cache
def _validator_class(*, templates: bool) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords = {**Draft202012Validator.VALIDATORS, "pattern": _pattern}
    if templates:
        keywords = {name: _skipping(function) for name, function in keywords.items()}
    return extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]


def _skipping(keyword: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    def check(validator: Validator, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if not (isinstance(instance, str) and is_template(instance)):
            yield from keyword(validator, value, instance, schema) or ()

    return check


def _pattern(_validator: Validator, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    """RE2 instead of `re`: an input's value may come from an alert, and be as long as it likes."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")
