"""`quell cancel`: ask a run to stop, or hold the actions of all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.journal_option import journal_option
from engine.errors import InputError
from engine.journal import open_journal
from engine.redact import escape
from engine.units import count

if TYPE_CHECKING:
    from engine.journal.base import Journal


@click.command("cancel")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--all", "everything", is_flag=True, help="Ask every run to stop, and --hold.")
@click.option("--hold", is_flag=True, help="No run sends an action, until --lift.")
@click.option("--lift", is_flag=True, help="End the hold.")
@click.option("--reason", metavar="TEXT", default="", help="Why: told to whoever meets the hold.")
@click.option("--for", "length", metavar="DURATION", help="The hold ends by itself: 30m, 2h.")
@journal_option
def command(
    run: str | None,
    *,
    everything: bool,
    hold: bool,
    lift: bool,
    reason: str,
    length: str | None,
    journal: str | None,
) -> None:
    """Ask RUN to stop, wherever it is executed: its id, the start of it, or `last`.

    It stops as Ctrl-C would stop it: nothing more is begun, what is under way on the hosts is
    ended, what must always run does, and the run can be resumed. Said twice, it stops at once.

    A hold is for all runs that use the journal, those to come too. They investigate; they change
    nothing.
    """
    if [run is not None, everything, hold, lift].count(True) != 1:
        raise click.UsageError("say one of: RUN, --all, --hold, --lift")
    if (reason or length) and not (everything or hold):
        raise click.UsageError("--reason and --for are of a hold: --hold or --all")
    seconds = _seconds(length)
    with open_journal(journal, create=hold or everything) as opened:
        if lift:
            _lift(opened)
        if hold or everything:
            _hold(opened, reason, seconds)
        if everything:
            running = opened.running()
            for each in running:
                opened.cancel(each)
            click.echo(f"asked {count(len(running), 'run')} to stop", err=True)
        if run is not None:
            _cancel(opened, run)


def _hold(journal: Journal, reason: str, seconds: float | None) -> None:
    before = journal.hold()
    click.echo(f"on hold by {escape(str(journal.hold_all(reason, seconds)))}", err=True)
    if before:
        click.echo(f"instead of the hold by {escape(str(before))}", err=True)
    click.echo("no run sends an action until: quell cancel --lift", err=True)


def _lift(journal: Journal) -> None:
    was = journal.lift()
    said = f"lifted: the hold by {escape(str(was))}" if was else "there was no hold"
    click.echo(said, err=True)


def _cancel(journal: Journal, prefix: str) -> None:
    run = journal.find(prefix)
    if not journal.alive(run):
        raise InputError(f"run {run} is not running: nobody is executing it")
    journal.cancel(run)
    click.echo(f"asked run {run} to stop; it has when it says so: quell show {run}", err=True)


def _seconds(length: str | None) -> float | None:
    from engine.contract import seconds

    if length is None:
        return None
    try:
        found = seconds(length)
    except ValueError:
        raise click.BadParameter(f"{length!r} is no length of time, as 30m or 2h is") from None
    if not found:
        raise click.BadParameter(f"{length!r} is over at once: say 30m or 2h, or --lift")
    return found
