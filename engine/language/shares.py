"""Whether what speaks of so many hosts does: a number, a percentage, or all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.language.expressions import is_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from engine.language.problems import Problems

_PERCENTAGE = re.compile(r"\d+(\.\d+)?%")


def check_shares(problems: Problems, value: Mapping[str, Any]) -> None:
    """Whether `serial` and `max_fail` say how many hosts."""
    serial = value.get("serial")
    listed = serial if isinstance(serial, list) else [serial]
    for number, batch in enumerate(listed):
        if isinstance(batch, bool | int | str) and not _is_number_or_part(batch, 1):
            way = ("serial", number) if isinstance(serial, list) else ("serial",)
            message = "serial must be a number of hosts from 1, or a percentage such as 25%"
            problems.at(way, message)
    budget = value.get("max_fail")
    if isinstance(budget, bool | int | str) and not _is_number_or_part(budget, 0):
        message = "max_fail must be a number of hosts from 0, or a percentage such as 10%"
        problems.at(("max_fail",), message)


def check_severity(problems: Problems, rules: Iterable[object]) -> None:
    """Whether each rule's `on` says for how many hosts, and its words are plain."""
    for number, rule in enumerate(rules):
        because = rule.get("because") if isinstance(rule, dict) else None
        if isinstance(because, str) and is_template(because):
            problems.at(("severity", number, "because"), "because takes no templates")
        on = rule.get("on", "any") if isinstance(rule, dict) else "any"
        if isinstance(on, bool | int | str) and not _is_share(on):
            hint = "take the quotes away" if isinstance(on, str) and on.isdigit() else ""
            message = "on must be any, all, a number of hosts from 1, or a percentage such as 50%"
            problems.at(("severity", number, "on"), message, hint)


def _is_share(on: bool | int | str) -> bool:
    return on in ("any", "all") or _is_number_or_part(on, 1)


def _is_number_or_part(value: bool | int | str, least: int) -> bool:
    if isinstance(value, str):
        return bool(_PERCENTAGE.fullmatch(value)) and 0 < float(value[:-1]) <= 100
    return value >= least and not isinstance(value, bool)
