"""`quell match`: which playbooks an alert calls for, with which inputs. Contacts nothing."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from engine.cli.detail import described
from engine.cli.files import playbooks
from engine.cli.style import Painter, wants_colour
from engine.errors import InputError, Problem
from engine.language.words import shown
from engine.redact import escape
from engine.units import count, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from engine.alerts import Alert, Offer
    from engine.language.matchers import Trigger
    from engine.language.model import Playbook

DIRECTORY = Path("playbooks")
NONE_MATCHES = 2
_DAY = 86400


class _Call(Struct, frozen=True):
    """A playbook that an alert calls for.

    Args:
        trigger: which of its triggers matches.
        inputs: their values, as far as they are known.
        missing: what keeps it from being run as it is.
    """

    playbook: Playbook
    trigger: Trigger
    inputs: dict[str, Any]
    missing: tuple[Problem, ...]


@click.command(
    "match",
    epilog="Exit codes: 0 a playbook is called for · 1 invalid input · 2 none is called for",
)
@click.argument("alert", metavar="ALERT")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=Path)
@click.option("--json", "as_json", is_flag=True, help="One alert a line, as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Say also why other playbooks do not match.")
def command(alert: str, paths: tuple[Path, ...], *, as_json: bool, verbose: bool) -> int:
    """Say which playbooks an alert calls for, with which inputs, and how to run them.

    ALERT is a file as Alertmanager or PagerDuty sends it, or `-`. Each PATH is a playbook, or a
    directory of them; without one, `playbooks` here.
    """
    from engine.alerts import read_offer

    offer = read_offer(alert)
    known, problems = _playbooks(paths or (DIRECTORY,))
    for problem in problems:
        click.echo(escape(str(problem), keep="\n"), err=True)
    calls = {
        number: _calls(one, known)
        for number, one in enumerate(offer.alerts, 1)
        if one.status == "firing" and offer.number in (None, number)
    }
    if as_json:
        for number, found in calls.items():
            click.echo(json.dumps(_plain(offer, number, found)))
    else:
        picture = _Picture(Painter(colour=wants_colour(sys.stdout)), offer, known, verbose=verbose)
        for line in picture.lines(calls):
            click.echo(line)
    if any(calls.values()):
        return 0
    return 1 if problems else NONE_MATCHES


def _playbooks(paths: Iterable[Path]) -> tuple[list[Playbook], list[Problem]]:
    """The playbooks with triggers; what is wrong with one does not keep others from matching."""
    from engine.language import head

    files, problems = playbooks(paths)
    known = []
    for file in files:
        try:
            known.append(head(file))
        except InputError as error:
            problems += error.problems
    return [playbook for playbook in known if playbook.triggers], problems


def _calls(alert: Alert, known: Sequence[Playbook]) -> list[_Call]:
    from engine.alerts.choosing import called_by

    return [
        _call(playbook, trigger, alert)
        for playbook in known
        if (trigger := called_by(playbook, alert)) is not None
    ]


def _call(playbook: Playbook, trigger: Trigger, alert: Alert) -> _Call:
    from engine.language import fill

    try:
        return _Call(playbook, trigger, fill(playbook, {}, alert=alert.data()), ())
    except InputError as error:
        return _Call(playbook, trigger, {}, error.problems)


def _argv(offer: Offer, number: int, call: _Call) -> list[str]:
    return ["quell", "run", call.playbook.path, "--alert", offer.named(number)]


def _plain(offer: Offer, number: int, calls: Sequence[_Call]) -> dict[str, Any]:
    return {
        "number": number,
        "alert": offer.alerts[number - 1].data(),
        "playbooks": [
            {
                "path": call.playbook.path,
                "name": call.playbook.text.name,
                "trigger": [str(matcher) for matcher in call.trigger],
                "inputs": call.inputs,
                "missing": [str(problem) for problem in call.missing],
                "command": _argv(offer, number, call),
            }
            for call in calls
        ],
    }


def _since(start: datetime) -> str:
    """With its day, where that is not the last one."""
    from engine.events import now

    age = (now() - start).total_seconds()
    form = "%H:%M" if 0 <= age < _DAY else "%Y-%m-%d %H:%M"
    return f"{start.astimezone():{form}} ({duration(age) if age >= 0 else 'not yet begun'})"


class _Picture(Struct, frozen=True):
    """What a person reads.

    Args:
        paint: colours.
        offer: the alerts.
        known: the playbooks that have triggers.
        verbose: say also why others do not match.
    """

    paint: Painter
    offer: Offer
    known: Sequence[Playbook]
    verbose: bool

    def lines(self, calls: dict[int, list[_Call]]) -> Iterator[str]:
        """All of it."""
        for number, found in calls.items():
            yield from self._alert(number, found)
        resolved = sum(alert.status == "resolved" for alert in self.offer.alerts)
        if resolved:
            yield self.paint("dim", f"{count(resolved, 'alert')} resolved: nothing to be done")

    def _alert(self, number: int, calls: Sequence[_Call]) -> Iterator[str]:
        alert = self.offer.alerts[number - 1]
        yield self.paint("bold", escape(described(alert.data())))
        if alert.starts_at:
            yield self.paint("dim", f"  since {_since(alert.starts_at)}")
        for call in calls:
            yield from self._call(number, call)
        if not calls:
            have = "has" if len(self.known) == 1 else "have"
            text = f"  no playbook is for it; {count(len(self.known), 'playbook')} {have} triggers"
            yield self.paint("yellow", text)
        if self.verbose:
            matched = {call.playbook.path for call in calls}
            for playbook in self.known:
                if playbook.path not in matched:
                    yield from self._miss(playbook, alert)
        yield ""

    def _call(self, number: int, call: _Call) -> Iterator[str]:
        playbook = call.playbook
        tick = self.paint("green", "✓")
        yield f"  {tick} {escape(playbook.text.name)}  {self.paint('dim', escape(playbook.path))}"
        yield f"    because  {escape(', '.join(map(str, call.trigger)))}"
        for place, name in enumerate(call.inputs):
            label = "" if place else "inputs"
            value = escape(shown(call.inputs[name]))
            yield f"    {label:8} {name} = {value}  {self._origin(playbook, name)}".rstrip()
        for problem in call.missing:
            hint = f" — {problem.hint}" if problem.hint else ""
            yield self.paint("yellow", f"    {'missing':8} {escape(problem.message)}{escape(hint)}")
        yield f"    {'run':8} {escape(shlex.join(_argv(self.offer, number, call)))}"

    def _origin(self, playbook: Playbook, name: str) -> str:
        from_ = playbook.text.inputs[name].from_
        return self.paint("dim", f"from {escape(from_)}") if isinstance(from_, str) else ""

    def _miss(self, playbook: Playbook, alert: Alert) -> Iterator[str]:
        from engine.alerts.choosing import nearest, why_not

        name = f"{escape(playbook.text.name)}  {escape(playbook.path)}"
        yield self.paint("dim", f"  - {name}")
        yield self.paint("dim", f"    {escape(why_not(nearest(playbook, alert), alert))}")
