"""What the language asks of tasks beyond their shape: which kind stands where, and with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.contract import seconds
from engine.language.drafts import DURATIONS, BlockDraft, flat, keywords
from engine.language.expressions import is_template
from engine.language.snippets import deep
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.language.drafts import AnyDraft, Draft
    from engine.registry import Kind

_KINDS: tuple[Kind, ...] = ("probe", "record", "action", "checkpoint")
_ALL: frozenset[Kind] = frozenset({"probe", "record", "action"})
_MAY_HOLD: dict[str, frozenset[Kind]] = {
    "acknowledge": frozenset({"probe", "record", "checkpoint"}),
    "investigate": frozenset({"probe", "checkpoint"}),
    "mitigate": _ALL | {"checkpoint"},
    "resolve": frozenset({"probe", "record", "checkpoint"}),
    "always": _ALL | {"checkpoint"},
    "verify": frozenset({"probe"}),
    "rollback": _ALL,
    "handler": _ALL,
}
_ONLY_ON: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("expect", "within", "hold", "every", "until", "retries", "delay"), ("probe",)),
    **dict.fromkeys(("verify", "approve", "notify"), ("action", "record")),
    "rollback": ("action",),
    **dict.fromkeys(
        (
            "failed_when",
            "timeout",
            "throttle",
            "environment",
            "become",
            "become_user",
            "become_method",
            "delegate_to",
            "ignore_unreachable",
        ),
        ("probe", "action", "record"),
    ),
}
_IF = {"probe": "only reads", "record": "changes nothing on the hosts and may be repeated"}
_WATCHES = ("within", "hold", "until")
_NEEDS = {"every": ("within", "hold"), "retries": ("until",), "delay": ("until",)}
_EVIDENCE = frozenset({"acknowledge", "investigate"})
_PERCENTAGE = re.compile(r"\d+(\.\d+)?%")


def check_tasks(drafts: Iterable[AnyDraft]) -> None:
    """Whether tasks and blocks may stand where they do, with the keywords that they have."""
    for draft in drafts:
        if isinstance(draft, BlockDraft):
            _check_block(draft)
            for section in draft.sections:
                check_tasks(section)
        else:
            _check_task(draft)


def _check_block(draft: BlockDraft) -> None:
    _check_tags(draft)
    inside = next(flat(draft.block), None)
    if inside is not None and inside.phase in _EVIDENCE and draft.rescue:
        message = f'"rescue" has no meaning in {inside.phase}: what fails there is evidence'
        draft.problems.at_key((*draft.way, "rescue"), message, "use when with the result's name")


def _check_task(draft: Draft) -> None:
    _check_kind(draft)
    _check_keywords(draft)
    _check_tags(draft)
    _check_durations(draft)
    for inner in draft.own:
        _check_task(inner)


def _check_kind(draft: Draft) -> None:
    if draft.entry is None or draft.kind is None:
        return
    where = draft.phase if draft.part == "task" else draft.part
    if draft.kind in _MAY_HOLD[where]:
        return
    allowed = _listed([f"{kind}s" for kind in _KINDS if kind in _MAY_HOLD[where]])
    article = "an" if draft.kind == "action" else "a"
    name = draft.entry.name
    may_say = [kind for kind in draft.entry.lesser if kind in _MAY_HOLD[where]]
    hint = ", or ".join(f"say {kind}: true if it {_IF[kind]}" for kind in may_say)
    message = f"{where} may hold {allowed} only: {name} is {article} {draft.kind}"
    draft.problems.at_key((*draft.way, name), message, hint)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _check_keywords(draft: Draft) -> None:
    said = keywords(draft.raw)
    for keyword in said:
        kinds = _ONLY_ON.get(keyword, ())
        if kinds and draft.kind is not None and draft.kind not in kinds:
            what = " and ".join(f"{kind}s" for kind in kinds if kind != "record")
            hint = "put it into verify" if kinds == ("probe",) and draft.kind == "action" else ""
            draft.problems.at_key((*draft.way, keyword), f'"{keyword}" goes with {what} only', hint)
    watches = [keyword for keyword in said if keyword in _WATCHES]
    if len(watches) > 1:
        message = f'"{watches[0]}" and "{watches[1]}" exclude each other'
        draft.problems.at_key((*draft.way, watches[1]), message, "write two tasks")
    for keyword, needed in _NEEDS.items():
        if keyword in said and not said.keys() & set(needed):
            needs = " or ".join(f'"{word}"' for word in needed)
            draft.problems.at_key((*draft.way, keyword), f'"{keyword}" needs {needs}')
    if "rollback" in said and draft.phase != "mitigate":
        message = f'"rollback" has no meaning in {draft.phase}'
        draft.problems.at_key((*draft.way, "rollback"), message, "it goes with mitigate")
    if "loop_control" in said and "loop" not in said:
        draft.problems.at_key((*draft.way, "loop_control"), '"loop_control" needs "loop"')


def _check_tags(draft: AnyDraft) -> None:
    for snippet in deep(draft.problems, (*draft.way, "tags"), draft.raw.get("tags")):
        draft.problems.at(snippet.way, "tags takes no templates")


def _check_durations(draft: Draft) -> None:
    known = {}
    for keyword in DURATIONS:
        value = getattr(draft.text, keyword, None)
        if value is None or (isinstance(value, str) and is_template(value)):
            continue
        known[keyword] = seconds(value)
        if known[keyword] <= 0 and keyword != "delay":
            draft.problems.at((*draft.way, keyword), f"{keyword} must be more than 0")
    whole = known.get("within", known.get("hold"))
    if whole is not None and known.get("every", 0) > whole:
        message = f"every is longer than the {whole:g} s of the whole"
        draft.problems.at((*draft.way, "every"), message)


def check_handlers(drafts: Sequence[AnyDraft], handlers: Sequence[Draft]) -> None:
    """Whether each handler has a name of its own, and each that is notified exists.

    Args:
        drafts: of all phases.
        handlers: in their order.
    """
    named: dict[str, Draft] = {}
    for handler in handlers:
        name = handler.raw.get("name")
        if not isinstance(name, str) or not name:
            handler.problems.at(handler.way, "a handler needs a name", "tasks notify it by that")
        elif name in named:
            line = named[name].place().line
            handler.problems.at((*handler.way, "name"), f"it is a handler's on line {line} already")
        else:
            named[name] = handler
    for draft in (*flat(drafts), *handlers):
        for way, name in _notified(draft):
            if name not in named:
                message = f'no handler is called "{name}"'
                draft.problems.at(way, message, did_you_mean(name, named))
            elif draft.phase not in ("mitigate", "always") and named[name].kind == "action":
                message = f'"{name}" is an action, and {draft.phase} may hold none'
                draft.problems.at(way, message)


def _notified(draft: Draft) -> Iterator[tuple[tuple[str | int, ...], str]]:
    names = keywords(draft.raw).get("notify")
    way = (*draft.way, "notify")
    if isinstance(names, str):
        yield way, names
    for number, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str):
            yield (*way, number), name
