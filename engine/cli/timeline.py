"""A run's events as lines for people: what happened, in order, with its evidence."""

from __future__ import annotations

import json
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine import events as e
from engine.cli.style import names
from engine.units import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

_ROWS = 8
_WIDTH = 160
_NAMES = 12
"""What is shown of a field: lines, characters of each; and of a list of changes, how many."""

_SIGNS = {
    "ok": ("✓", "green"),
    "changed": ("~", "yellow"),
    "finding": ("!", "yellow"),
    "skipped": ("-", "dim"),
    "failed": ("✗", "red"),
    "unreachable": ("✗", "red"),
    "unknown": ("?", "magenta"),
}
_LEVELS = {"P1": "red", "P2": "red", "P3": "yellow"}
_WRONG = ("finding", "failed", "unreachable", "unknown")
_FLAGS = frozenset({"changed", "failed", "finding", "skipped", "unreachable", "msg"})


class Line(Struct, frozen=True):
    """One line, not yet escaped.

    Args:
        text: what it says; never more than one line.
        at: when; None where it belongs to the line above.
        style: a `Painter`'s, or none.
    """

    text: str
    at: datetime | None = None
    style: str = ""


def timeline(events: Sequence[e.Event]) -> Iterator[Line]:
    """The run, told in order; many looks at one thing are told in one line."""
    looks: dict[tuple[str, str], list[e.Looked]] = {}
    sent = {(event.task, _where(event)) for event in events if isinstance(event, e.Intent)}
    for event in events:
        if isinstance(event, e.Looked):
            looks.setdefault((event.task, event.host), []).append(event)
            continue
        for key in [key for key in looks if _closes(event, *key)]:
            yield _looked(looks.pop(key))
        told = lines(event)
        # What was sent is told with its before and after there, and not twice.
        again = isinstance(event, e.ChangePredicted) and (event.task, _where(event)) in sent
        yield from told[:1] if again else told
    for left in looks.values():
        yield _looked(left)


def _closes(event: e.Event, task: str, host: str) -> bool:
    """Whether no more looks of that task on that host belong to those before."""
    if isinstance(event, e.TaskEnded):
        return event.host == host and f"{task}.".startswith(f"{event.task}.")
    return isinstance(event, e.PhaseEnded | e.RunResumed | e.RunEnded)


def _looked(looks: Sequence[e.Looked]) -> Line:
    first, last = looks[0], looks[-1]
    what = "looked" if len(looks) == 1 else f"looked {len(looks)} times in {duration(last.elapsed)}"
    told = [f"first: {_clip(first.summary)}"] if len(looks) > 1 else []
    told.append(f"last: {_clip(last.summary)} — {'holds' if last.holds else 'does not hold'}")
    limits = {
        "within": f"must hold within {duration(last.total)}",
        "hold": f"must hold for {duration(last.total)}",
        "until": f"{last.total:.0f} looks at most",
    }
    text = f"    … {first.name}  {first.host}  {what} ({limits[last.mode]}) · "
    return Line(text + " · ".join(told), last.at, "dim")


@singledispatch
def lines(event: e.Event) -> list[Line]:
    """What one event has to say; nothing, where others say it."""
    del event
    return []


@lines.register
def _(event: e.RunResumed) -> list[Line]:
    where = f" on {event.controller}" if event.controller else ""
    changed = [Line(f"    all the same: {problem}") for problem in event.changed]
    return [Line(f"RESUMED by {event.user}{where}", event.at, "bold"), *changed]


@lines.register
def _(event: e.GlassBroken) -> list[Line]:
    text = f"GLASS BROKEN by {event.by}, no approvals and no cool-downs: {event.reason}"
    return [Line(text, event.at, "red")]


@lines.register
def _(event: e.PhaseStarted) -> list[Line]:
    if event.phase == "severity" and not event.note:
        return []  # what was judged follows, and is all there is to say
    text = f"{event.phase.upper()}  {count(event.tasks, 'task')} × {count(event.hosts, 'host')}"
    return [Line(f"{text} · {event.note}" if event.note else text, event.at, "bold")]


@lines.register
def _(event: e.TaskEnded) -> list[Line]:
    sign, colour = _SIGNS[event.status]
    word = {"ok": "", "unknown": "UNKNOWN"}.get(event.status, event.status)
    message = "" if event.message in event.summary else event.message
    said = " · ".join(_clip(text) for text in (event.summary, message) if text)
    took = f" · {duration(event.seconds)}" if event.seconds >= 1 else ""
    ignored = " (ignored)" if event.ignored else ""
    head = f"  {sign} {event.name}  {_where(event)}  {word}{ignored}{': ' if word and said else ''}"
    if event.hostless:
        item = f" [{event.item}]" if event.item is not None else ""
        head = f"  {sign} {event.name}{item} — "
    shown = [Line(f"{head}{said}{took}", event.at, colour)]
    if event.status in _WRONG:
        fields = {name: value for name, value in event.result.items() if name not in _FLAGS}
        shown += fields_of(fields)
    return shown


@lines.register
def _(event: e.SeverityJudged) -> list[Line]:
    parts = [event.because or ("no rule held" if event.level is None else "")]
    if event.hosts:
        parts.append(f"on {len(event.hosts)} of {count(event.of, 'host')} ({names(event.hosts)})")
    if event.acknowledge_by is not None:
        left = (event.acknowledge_by - event.at).total_seconds()
        clock = f"{duration(left)} left" if left >= 0 else f"missed by {duration(-left)}"
        by = event.acknowledge_by.astimezone()
        parts.append(f"acknowledge by {by:%H:%M:%S} ({clock})")
    level = event.level or "none"
    if event.before:
        level = f"{event.before} → {level} after the mitigation"
    text = f"SEVERITY  {level}  {' · '.join(part for part in parts if part)}"
    unjudged = [Line(f"    could not be judged: {why}") for why in event.unjudged]
    return [Line(text, event.at, _LEVELS.get(event.level or "", "bold")), *unjudged]


@lines.register
def _(event: e.Acknowledged) -> list[Line]:
    return [Line(f"TAKEN  {event.how}", event.at)]


@lines.register
def _(event: e.DeadlineMissed) -> list[Line]:
    late = duration((event.at - event.acknowledge_by).total_seconds())
    return [
        Line(f"DEADLINE MISSED  {event.level}: nobody had taken it {late} later", event.at, "red")
    ]


@lines.register
def _(event: e.ChangePredicted) -> list[Line]:
    summary = event.change.get("summary", "")
    text = f"  ~ {event.name} ({event.task})  {_where(event)}  would change: {summary}"
    return [Line(text, event.at, "yellow"), *_states(event.change)]


@lines.register
def _(event: e.NotPredicted) -> list[Line]:
    where = names(event.hosts)
    return [Line(f"  ? {event.name}  {where}  cannot be predicted: {event.why}", event.at)]


@lines.register
def _(event: e.BatchStarted) -> list[Line]:
    return [Line(f"  batch {event.number} of {event.of}: {names(event.hosts)}", event.at, "dim")]


@lines.register
def _(event: e.BlockRescued) -> list[Line]:
    return [Line(f"  ✓ {event.name}  {names(event.hosts)}  rescued", event.at, "green")]


@lines.register
def _(event: e.RollbackStarted) -> list[Line]:
    what = ", ".join(event.tasks)
    return [
        Line(f"  ↩ {event.host}  TAKING BACK {what}", event.at, "yellow"),
        Line(f"    {event.why}"),
    ]


@lines.register
def _(event: e.RunHalted) -> list[Line]:
    return [Line(f"  ✗ NO FURTHER HOST IS BEGUN: {event.reason}", event.at, "red")]


@lines.register
def _(event: e.ApprovalAsked) -> list[Line]:
    text = f"  asked for a yes to {count(event.changes, 'change')} on {names(event.hosts)}"
    return [Line(text, event.at)]


@lines.register
def _(event: e.ApprovalAnswered) -> list[Line]:
    answers = (("APPROVED", event.approved, "green"), ("REFUSED", event.refused, "red"))
    return [
        Line(f"  {word} by {event.by} ({event.how}): {names(keys, _NAMES)}", event.at, style)
        for word, keys, style in answers
        if keys
    ]


@lines.register
def _(event: e.Intent) -> list[Line]:
    text = (
        f"  → {event.name} ({event.task})  {_where(event)}  sent: {event.change.get('summary', '')}"
    )
    return [Line(text, event.at, "bold"), *_states(event.change)]


@lines.register
def _(event: e.GuardHeld) -> list[Line]:
    host = f" on {event.host}" if event.host else ""
    return [
        Line(f"  ✗ REFUSED by the guard “{event.guard}”{host}: {event.message}", event.at, "red")
    ]


@lines.register
def _(event: e.Interruption) -> list[Line]:
    return [Line(f"INTERRUPTED by {event.signal}", event.at, "red")]


@lines.register
def _(event: e.RunEnded) -> list[Line]:
    return [Line(f"END  {event.outcome} · exit code {event.exit_code}", event.at, "bold")]


def fields_of(fields: Mapping[str, Any], indent: str = " " * 6) -> list[Line]:
    """Named values, long ones cut, with a note of how much is not shown."""
    shown = []
    for name, value in fields.items():
        if value is None or value in ("", [], {}):
            continue
        rows = _rows(value)
        kept = [_clip(row) for row in rows[:_ROWS]]
        if len(rows) == 1:
            shown.append(Line(f"{indent}{name}: {kept[0]}"))
            continue
        shown += [Line(f"{indent}{name}:"), *(Line(f"{indent}  │ {row}") for row in kept)]
        if len(rows) > _ROWS:
            shown.append(Line(f"{indent}  … {count(len(rows) - _ROWS, 'more line')}, see --json"))
    return shown


def _states(change: Mapping[str, Any]) -> list[Line]:
    states = {name: change.get(name) for name in ("before", "after")}
    return fields_of({name: "nothing" if value == [] else value for name, value in states.items()})


def _rows(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.rstrip("\n").split("\n")
    return [json.dumps(value, ensure_ascii=False)]


def _clip(text: str) -> str:
    if len(text) <= _WIDTH:
        return text
    return f"{text[:_WIDTH]}… ({len(text) - _WIDTH} more characters, see --json)"


def _where(event: e.TaskEnded | e.ChangePredicted | e.Intent) -> str:
    host = f"{event.host} → {event.delegate}" if event.delegate else event.host
    return host if event.item is None else f"{host} [{event.item}]"
