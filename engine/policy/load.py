"""A policy file → Policy, or every problem in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.errors import InputError
from engine.language.problems import Problems
from engine.language.shapes import Shape, schema_of
from engine.language.source import read
from engine.policy.policy import Policy, port_range
from engine.policy.text import PolicyText

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any


def load(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        InputError: with every problem of it.
    """
    document = read(path)
    problems = Problems(document)
    shape = Shape(schema_of(PolicyText), name="the policy", kind=PolicyText)
    if not problems.flaws(shape.flaws(document.value)):
        _check_ports(problems, document.value)
        _check_globs(problems, document.value)
    if problems.found:
        raise InputError(*problems.found)
    return Policy(path=document.path, text=msgspec.convert(document.value, PolicyText))


def _check_ports(problems: Problems, value: Mapping[str, Any]) -> None:
    for number, said in enumerate(value.get("protect", {}).get("ports", ())):
        try:
            port_range(str(said))
        except ValueError:
            message = f"{said} is no port, and no range of ports such as 5000-5999"
            problems.at(("protect", "ports", number), message)


def _check_globs(problems: Problems, value: Mapping[str, Any]) -> None:
    """A limit of times must be one: nothing at all is what `protect` is for."""
    for glob, said in value.get("at_most", {}).items():
        if said.split()[0] == "0":
            hint = "what must never be changed stands in protect"
            problems.at(("at_most", glob), "the number of times must be 1 or more", hint)
