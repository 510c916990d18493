"""A policy file → Policy, or every problem in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contract import seconds
from engine.errors import InputError
from engine.language.problems import Problems
from engine.language.shapes import type_shape
from engine.language.source import read
from engine.policy.policy import Policy, port_range
from engine.policy.text import PolicyText
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

_DIGITS = 9
_DAY = 86400
_LONGEST = 3650 * _DAY
"""Seconds."""


def load(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        InputError: with every problem of it.
    """
    document = read(path)
    problems = Problems(document)
    shape = type_shape(PolicyText, "the policy")
    if not problems.flaws(shape.flaws(document.value)):
        _check_ports(problems, document.value)
        _check_times(problems, document.value)
    if problems.found:
        raise InputError(*problems.found)
    return Policy(path=document.path, text=convert(document.value, PolicyText))


def _check_ports(problems: Problems, value: Mapping[str, Any]) -> None:
    for number, said in enumerate(value.get("protect", {}).get("ports", ())):
        try:
            port_range(str(said))
        except ValueError:
            message = f"{said} is no port, and no range of ports such as 5000-5999"
            problems.at(("protect", "ports", number), message)


def _check_times(problems: Problems, value: Mapping[str, Any]) -> None:
    """A limit of times must be one: nothing at all is what `protect` is for."""
    for glob, said in value.get("at_most", {}).items():
        times, _, within = said.split(maxsplit=2)
        if not times.strip("0"):
            hint = "what must never be changed stands in protect"
            problems.at(("at_most", glob), "the number of times must be 1 or more", hint)
        elif len(times) > _DIGITS:
            problems.at(("at_most", glob), f"{times[:_DIGITS]}… times are too many")
        _check_length(problems, ("at_most", glob), within)
    for keyword in ("cooldown", "severity"):
        for name, length in value.get(keyword, {}).items():
            _check_length(problems, (keyword, name), length)
    _check_length(problems, ("breaker", "rest"), value.get("breaker", {}).get("rest"))


def _check_length(problems: Problems, path: tuple[str, ...], said: str | float | None) -> None:
    """No time in a policy is so long that its end is no date."""
    if said is not None and not seconds(said) <= _LONGEST:
        problems.at(path, f"a time must be {_LONGEST // _DAY} days or less")
