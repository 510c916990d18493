"""What the language asks of tasks beyond their shape: which kind stands where, and with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.contract import seconds
from engine.language.drafts import DURATIONS
from engine.language.expressions import is_template
from engine.language.names import LOCALS, SPECIALS, WORDS
from engine.language.snippets import deep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.language.drafts import Draft
    from engine.language.flaws import Way
    from engine.language.problems import Problems
    from engine.registry import Kind

_MAY_HOLD: dict[str, frozenset[Kind]] = {
    "acknowledge": frozenset({"probe", "record"}),
    "investigate": frozenset({"probe"}),
    "mitigate": frozenset({"probe", "record", "action"}),
    "resolve": frozenset({"probe", "record"}),
    "always": frozenset({"probe", "record", "action"}),
    "verify": frozenset({"probe"}),
}
_ONLY_ON_PROBES = ("expect", "within", "hold", "every")
_ONLY_ON_OTHERS = ("verify", "approve")
_PERCENTAGE = re.compile(r"\d+(\.\d+)?%")


def check_task(problems: Problems, draft: Draft) -> None:
    """Whether the task may stand where it does, with the keywords that it has."""
    _check_kind(problems, draft)
    _check_keywords(problems, draft)
    _check_durations(problems, draft)
    for inner in draft.verify:
        check_task(problems, inner)


def _check_kind(problems: Problems, draft: Draft) -> None:
    if draft.entry is None or draft.kind is None:
        return
    where = "verify" if draft.in_verify else draft.phase
    if draft.kind in _MAY_HOLD[where]:
        return
    allowed = "probes and records" if "record" in _MAY_HOLD[where] else "probes"
    article = "an" if draft.kind == "action" else "a"
    name = draft.entry.name
    hint = ""
    if draft.entry.kind_of({**draft.args, "probe": True}) == "probe":
        hint = "say probe: true if it only reads"
    message = f"{where} may hold {allowed} only: {name} is {article} {draft.kind}"
    problems.at_key((*draft.way, name), message, hint)


def _check_keywords(problems: Problems, draft: Draft) -> None:
    if draft.kind is not None:
        misplaced = _ONLY_ON_OTHERS if draft.kind == "probe" else _ONLY_ON_PROBES
        what = "actions" if draft.kind == "probe" else "probes"
        for keyword in misplaced:
            if keyword in draft.raw:
                hint = "put it into verify" if draft.kind == "action" else ""
                message = f'"{keyword}" goes with {what} only'
                problems.at_key((*draft.way, keyword), message, hint)
    for snippet in deep((*draft.way, "tags"), draft.raw.get("tags")):
        problems.at(snippet.way, "tags takes no templates")
    if "within" in draft.raw and "hold" in draft.raw:
        message = '"within" and "hold" exclude each other'
        problems.at_key((*draft.way, "hold"), message, "write two tasks")
    if "every" in draft.raw and not {"within", "hold"} & draft.raw.keys():
        message = '"every" needs "within" or "hold"'
        problems.at_key((*draft.way, "every"), message)


def _check_durations(problems: Problems, draft: Draft) -> None:
    known = {}
    for keyword in DURATIONS:
        value = getattr(draft.text, keyword, None)
        if value is None or (isinstance(value, str) and is_template(value)):
            continue
        known[keyword] = seconds(value)
        if known[keyword] <= 0:
            problems.at((*draft.way, keyword), f"{keyword} must be more than 0")
    whole = known.get("within", known.get("hold"))
    if whole is not None and known.get("every", 0) > whole:
        problems.at((*draft.way, "every"), f"every is longer than the {whole:g} s of the whole")


def check_names(problems: Problems, drafts: Iterable[Draft], taken: Mapping[str, str]) -> None:
    """Whether each name that a task gives is free.

    Args:
        problems: where to tell.
        drafts: in the order in which they run.
        taken: names of inputs and vars, and which of the two they are.
    """
    registered: dict[str, Way] = {}
    for draft in drafts:
        for name, way in draft.registered():
            sets = way[-1] != "register"
            if name in taken:
                problems.at(way, f'"{name}" is one of the {taken[name]} already')
            elif name in SPECIALS | LOCALS | WORDS:
                problems.at(way, f'"{name}" has a meaning of its own')
            elif name in registered and not sets:
                line = problems.document.place(registered[name]).line
                problems.at(way, f'"{name}" is registered on line {line} already')
            registered.setdefault(name, way)


def check_own_names(problems: Problems, keyword: str, names: Iterable[str]) -> None:
    """Whether inputs or vars have names that mean something else."""
    for name in names:
        if name in SPECIALS | LOCALS | WORDS:
            problems.at_key((keyword, name), f'"{name}" has a meaning of its own')


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
    if isinstance(on, int):
        return on >= 1 and on is not True
    if on in {"any", "all"}:
        return True
    return bool(_PERCENTAGE.fullmatch(on)) and 0 < float(on[:-1]) <= 100
