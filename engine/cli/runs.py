"""`quell runs`: the runs in the journal, newest first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.journal_option import journal_option
from engine.cli.jsonl import json_line
from engine.cli.style import Painter, names, wants_colour
from engine.journal import open_journal
from engine.redact import escape
from engine.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.journal.base import RunSummary

_HEADINGS = ("RUN", "STARTED", "PLAYBOOK", "SEVERITY", "OUTCOME", "TOOK", "HOSTS")
_OUTCOME = _HEADINGS.index("OUTCOME")
_PLAYBOOK = 40
"""Characters of a playbook's name at most."""


@click.command("runs")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N",
    help="No more than the last N.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One run a line, as JSON.")
@journal_option
def command(limit: int, *, as_json: bool, journal: str | None) -> None:
    """List the runs in the journal, newest first."""
    with open_journal(journal, create=journal is None) as opened:
        found = opened.runs(limit + 1)
        hold = opened.hold()
    runs = found[:limit]
    if as_json:
        for run in runs:
            click.echo(json_line(run))
        return
    if hold:
        click.echo(f"on hold by {escape(str(hold))}; end it with quell cancel --lift", err=True)
    if not runs:
        click.echo("no runs yet", err=True)
        return
    _show(runs, Painter(colour=wants_colour(sys.stdout)))
    if len(found) > limit:
        click.echo(f"older runs are not shown: -n {limit * 10}", err=True)
    for run in runs:
        if run.state == "broken off":
            click.echo(f"broken off: go on with quell resume {run.run}", err=True)


def _show(runs: Sequence[RunSummary], paint: Painter) -> None:
    rows = [_HEADINGS, *(_row(run) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [f"{text:{width}}" for text, width in zip(row, widths, strict=True)]
        if number == 0:
            click.echo(paint("bold", "  ".join(cells).rstrip()))
            continue
        cells[_OUTCOME] = paint(_colour(runs[number - 1]), cells[_OUTCOME])
        click.echo("  ".join(cells).rstrip())


def _row(run: RunSummary) -> tuple[str, ...]:
    started = f"{run.started.astimezone():%Y-%m-%d %H:%M:%S}" if run.started else "?"
    took = "?" if run.seconds is None else duration(run.seconds)
    cells = (run.run, started, _short(run.playbook), run.severity or "-", run.outcome, took)
    return tuple(escape(cell) for cell in (*cells, names(run.hosts, 3)))


def _short(name: str) -> str:
    return name if len(name) <= _PLAYBOOK else f"{name[: _PLAYBOOK - 1]}…"


def _colour(run: RunSummary) -> str:
    if run.state == "ended":
        return "green" if run.exit_code == 0 else "yellow"
    return "cyan" if run.state == "running" else "red"
