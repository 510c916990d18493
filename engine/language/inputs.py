"""The values that `-e`, the alert and their defaults give to inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct

from engine.errors import InputError, Problem
from engine.language.declaring import shape
from engine.language.foreign import unfit
from engine.language.origins import read_origin
from engine.language.scalars import resolve
from engine.language.source import parse
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.language.keywords import InputText
    from engine.language.model import Place, Playbook

_SAID = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_CONNECTION = "ansible_"
"""Names that say how hosts are reached may be given whether or not an inventory has them."""


def unanswered(
    playbook: Playbook, given: Mapping[str, Any], alert: Mapping[str, Any] | None
) -> list[str]:
    """The inputs that a person is asked for: neither `-e` nor the alert says them.

    Args:
        playbook: whose inputs they are.
        given: what `-e` says.
        alert: that the playbook is run for.
    """
    return [
        name
        for name, declared in playbook.text.inputs.items()
        if (declared.prompt or declared.secret)
        and _source(name, declared, given, alert).value is UNSET
    ]


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


def answer_flaws(name: str, declared: InputText, answer: str) -> list[str]:
    """What is wrong with an input that a person typed, in words; nothing of a good one."""
    return [flaw.message for flaw in shape(name, declared).flaws(_typed(answer, declared.type))]


class _Source(Struct, frozen=True):
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
    if declared.prompt or declared.secret:
        hint += ", or at a terminal, where it is asked for"
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
    flaws = shape(name, declared).flaws(value)
    if flaws and declared.secret:
        message = f"{source.said} is not what the input takes"
        problems.append(place.problem(message, "it is a secret, and not shown"))
        return value
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
