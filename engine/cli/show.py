"""`quell show`: what happened in a run, told for people, from the journal alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.detail import described
from engine.cli.journal_option import journal_option
from engine.cli.jsonl import json_line
from engine.cli.style import Painter, names, wants_colour
from engine.cli.timeline import Line, fields_of, timeline
from engine.journal import open_journal
from engine.journal.progress import progress
from engine.redact import escape
from engine.units import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from engine.events import Intent, RunEnded, RunStarted
    from engine.journal.progress import Progress

_LABEL = 10
_SINCE = 14
_HOSTS = 20
"""Columns: of what a line is about, of the time since the start; and how many hosts are named."""


@click.command("show")
@click.argument("run", metavar="RUN", default="last")
@click.option("--json", "as_json", is_flag=True, help="The events on stdout, as JSON Lines.")
@journal_option
def command(run: str, *, as_json: bool, journal: str | None) -> None:
    """Tell what happened in RUN: its id, the start of it, or `last`.

    Every record is checked; one that was altered, moved or removed is an error.
    """
    with open_journal(journal, create=False) as opened:
        run_id = opened.find(run)
        alive = opened.alive(run_id)
        events = opened.events(run_id)
        missing = 0 if alive else opened.missing(run_id)
    if as_json:
        for event in events:
            click.echo(json_line(event))
        return
    paint = Painter(colour=wants_colour(sys.stdout))
    so_far = progress(events)
    _say(_header(so_far.started), paint)
    click.echo()
    _say_timed(timeline(events), so_far.started.at, paint)
    click.echo()
    _say((*_ending(so_far, alive=alive), _kept(len(events), missing)), paint)


def _say_timed(lines: Iterable[Line], start: datetime, paint: Painter) -> None:
    day = start.astimezone().date()
    for line in lines:
        if line.at is not None and (today := line.at.astimezone().date()) != day:
            day = today
            click.echo(paint("bold", f"{day:%A %Y-%m-%d}"))
        click.echo(paint("dim", _times(line.at, start)) + _painted(line, paint))


def _say(lines: Iterable[Line], paint: Painter) -> None:
    for line in lines:
        click.echo(_painted(line, paint))


def _painted(line: Line, paint: Painter) -> str:
    """The only way to the terminal: what hosts said is in the text."""
    safe = escape(line.text)
    return paint(line.style, safe) if line.style else safe


def _times(at: datetime | None, start: datetime) -> str:
    if at is None:
        return " " * (len("00:00:00") + _SINCE + 2)
    since = (at - start).total_seconds()
    told = f"{'-' if since < 0 else '+'}{duration(abs(since))}"
    return f"{at.astimezone():%H:%M:%S}{told:>{_SINCE}}  "


def _header(started: RunStarted) -> Iterator[Line]:
    when = f"{started.at.astimezone():%A %Y-%m-%d %H:%M:%S %z}"
    yield Line(f"{started.playbook} · run {started.run}", style="bold")
    yield _labelled("playbook", f"{started.path} (sha256 {started.digest[:12]}…)")
    yield _labelled("started", f"{when} by {started.user} on {started.controller}")
    yield _labelled("quell", started.version)
    yield _labelled("mode", "check: nothing is changed" if started.check else "changes are made")
    yield _labelled("hosts", names(started.hosts, _HOSTS))
    if started.alert is not None:
        yield from _alert(started.alert)
    options = {
        name: value
        for name, value in started.options.items()
        if value is not False and name != "playbook"
    }
    for label, values in (("inputs", started.inputs), ("options", options)):
        for number, line in enumerate(fields_of(values, indent="")):
            yield _labelled("" if number else label, line.text)


def _alert(alert: Mapping[str, Any]) -> Iterator[Line]:
    since = f" · since {alert['startsAt']}" if alert["startsAt"] else ""
    yield _labelled("alert", f"{described(alert)}{since}")
    if alert["generatorURL"]:
        yield _labelled("", alert["generatorURL"])


def _ending(so_far: Progress, *, alive: bool) -> Iterator[Line]:
    run = so_far.started.run
    if so_far.ended is not None:
        yield from _recap(so_far.ended)
    elif alive:
        yield Line("RUNNING  a living process is executing it", style="bold")
    else:
        yield Line(
            "BROKEN OFF  no end was recorded, and no process is executing it · go on with: "
            f"quell resume {run}",
            style="red",
        )
    if so_far.unknown and not alive:
        yield from _unknown(so_far.unknown, run)


def _recap(ended: RunEnded) -> Iterator[Line]:
    width = max((len(host) for host in ended.recap), default=0)
    for host, counts in ended.recap.items():
        told = " ".join(f"{column}={number}" for column, number in counts.items())
        yield _labelled("recap", f"{host:{width}}  {told}")
    took = duration(ended.seconds)
    yield _labelled("outcome", f"{ended.outcome} · exit code {ended.exit_code} · {took}")
    if ended.message:
        yield _labelled("", ended.message)


def _unknown(intents: Iterable[Intent], run: str) -> Iterator[Line]:
    for intent in intents:
        item = "" if intent.item is None else f" [{intent.item}]"
        yield Line(
            f"UNKNOWN  {intent.name} ({intent.task}) on {intent.host}{item}, sent at "
            f"{intent.at.astimezone():%H:%M:%S}: {intent.change.get('summary', '')}",
            style="magenta",
        )
    yield Line("         It was sent or about to be, and nobody saw what became of it: it may have")
    yield Line(
        "         taken effect. It is never sent again by itself. Look at the host, or go on"
    )
    yield Line(f"         with: quell resume {run}   which looks first, and asks before it sends.")


def _kept(records: int, missing: int) -> Line:
    told = count(records, "record")
    if not missing:
        return _labelled("journal", f"intact: {told}")
    return Line(
        f"{'journal':{_LABEL}}{told} intact, but {count(missing, 'record')} written after them "
        "lost: a power cut, or damage to the journal's -wal file",
        style="red",
    )


def _labelled(label: str, text: str) -> Line:
    return Line(f"{label:{_LABEL}}{text}")
