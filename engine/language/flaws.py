"""What JSON Schema found wrong, in words, at the most specific place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.language.scalars import resolve
from engine.language.words import described, shown
from engine.nearest import did_you_mean, near

if TYPE_CHECKING:
    from jsonschema import ValidationError

Way = tuple[str | int, ...]
"""The keys and list positions that lead from the top to a value."""

_YES = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class Flaw(Struct, frozen=True):
    """One thing wrong with a value.

    Args:
        way: to the value.
        message: what is wrong.
        hint: what to do; empty where there is nothing to say.
        at_key: the key is wrong rather than the value.
        missing: the key that is not there.
        meant: the key that was probably meant by one that is unknown.
    """

    way: Way
    message: str
    hint: str = ""
    at_key: bool = False
    missing: str = ""
    meant: str = ""


class Subject(Struct, frozen=True):
    """What a schema describes.

    Args:
        name: of the whole: `http_probe`, `the playbook`, `a task`.
        keys: what its keys are called: `argument`, `key`.
        definitions: the schema's `$defs`.
    """

    name: str
    keys: str
    definitions: Mapping[str, Any]

    def at(self, way: Way) -> str:
        """What a message calls the value: `port`, `argv[0]`, the subject itself."""
        parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in way]
        names = [number for number, part in enumerate(way) if isinstance(part, str)]
        if not names:
            return f"{self.name}{''.join(parts)}"
        return "".join(parts[names[-1] :]).lstrip(".")


def explained(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    """The flaws that an error stands for: one, or one for each wrong key."""
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        yield _bad_key(error, subject)
        return
    explain = _BY_KEYWORD.get(str(error.validator), _mismatch)
    yield from explain(error, subject)


def _way(error: ValidationError) -> Way:
    return tuple(error.absolute_path)


def _mismatch(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    assert isinstance(error.schema, Mapping)
    what = described(error.schema, subject.definitions)
    way = _way(error)
    message = f"{subject.at(way)} must be {what}, not {shown(error.instance)}"
    yield Flaw(way, message, _quotes(error.instance, what))


def _quotes(value: Any, wanted: str) -> str:
    """A hint where only the quotes are wrong."""
    if "true or false" in wanted and isinstance(value, str) and value.lower() in _YES:
        return f"YAML 1.2 writes {_YES[value.lower()]}"
    if isinstance(value, str) and "number" in wanted and isinstance(_resolved(value), int | float):
        return "take the quotes away"
    if isinstance(value, bool | int | float) and "text" in wanted:
        return "put it in quotes"
    return ""


def _resolved(text: str) -> Any:
    try:
        return resolve(text)
    except ValueError:
        return text


def _any_of(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    """The alternative that was meant is the one of the value's own type, if there is one."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        alternatives.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [
        errors
        for errors in alternatives.values()
        if not any(e.validator in {"type", "const"} and not e.relative_path for e in errors)
    ]
    assert isinstance(error.schema, Mapping)
    if len(meant) == 1 and "title" not in error.schema:
        for inner in meant[0]:
            yield from explained(inner, subject)
        return
    yield from _mismatch(error, subject)


def _unknown_keys(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    assert isinstance(error.schema, Mapping)
    known = error.schema.get("properties", {})
    way = _way(error)
    keys: Any = error.instance
    for key in keys:
        if key not in known:
            meant = near(str(key), known) or ""
            hint = f'did you mean "{meant}"?' if meant else ""
            message = f'unknown {subject.keys} "{key}"'
            if subject.keys == "argument" and not way:
                message = f'{subject.name} has no argument "{key}"'
                hint = hint or f"it takes {', '.join(known)}"
            yield Flaw((*way, key), message, hint, at_key=True, meant=meant)


def _missing(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    way = _way(error)
    required: Any = error.validator_value
    missing = next(key for key in required if error.message.startswith(repr(key)))
    owner = subject.at(way)
    yield Flaw(way, f'{owner} needs "{missing}"', at_key=True, missing=missing)


def _bad_key(error: ValidationError, subject: Subject) -> Flaw:
    assert isinstance(error.schema, Mapping)
    what = described(error.schema, subject.definitions)
    key: Any = error.instance
    return Flaw((*_way(error), key), f'"{key}" is not {what}', at_key=True)


def _compared(words: str) -> Callable[[ValidationError, Subject], Iterator[Flaw]]:
    def explain(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
        way = _way(error)
        bound = shown(error.validator_value)
        found = shown(error.instance)
        yield Flaw(way, f"{subject.at(way)} must {words.format(bound)}, not {found}")

    return explain


def _enumerated(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    flaw = next(_mismatch(error, subject))
    enumerated: Any = error.validator_value
    options = [str(option) for option in enumerated]
    yield Flaw(flaw.way, flaw.message, did_you_mean(str(error.instance), options))


def _pattern(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    assert isinstance(error.schema, Mapping)
    explain = _mismatch if "title" in error.schema else _compared("match {}")
    yield from explain(error, subject)


def _length(error: ValidationError, subject: Subject) -> Iterator[Flaw]:
    way = _way(error)
    bound, value = error.validator_value, error.instance
    assert isinstance(value, str | list)
    words = {
        "minItems": f"at least {bound} entries",
        "maxItems": f"at most {bound} entries",
        "minLength": f"at least {bound} characters",
        "maxLength": f"at most {bound} characters",
    }[str(error.validator)]
    if bound == 1 and str(error.validator).startswith("min"):
        yield Flaw(way, f"{subject.at(way)} is empty")
    else:
        yield Flaw(way, f"{subject.at(way)} must have {words}, not {len(value)}")


_BY_KEYWORD: dict[str, Callable[[ValidationError, Subject], Iterator[Flaw]]] = {
    "additionalProperties": _unknown_keys,
    "anyOf": _any_of,
    "enum": _enumerated,
    "exclusiveMaximum": _compared("be less than {}"),
    "exclusiveMinimum": _compared("be more than {}"),
    "maxItems": _length,
    "maxLength": _length,
    "maximum": _compared("be at most {}"),
    "minItems": _length,
    "minLength": _length,
    "minimum": _compared("be at least {}"),
    "pattern": _pattern,
    "required": _missing,
}
