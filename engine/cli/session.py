"""One run on the command line: sinks, signals, the run itself, and its exit code."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from engine.alerts import Alert, Offer
from engine.cli.approver import NobodyToAsk, TerminalApprover
from engine.cli.console import Console
from engine.cli.jsonl import json_line
from engine.cli.passwords import Passwords, ask_input
from engine.cli.pipes import may_be_left
from engine.cli.screen import PlainScreen
from engine.cli.style import is_terminal, wants_colour
from engine.errors import InputError, JournalError, Problem
from engine.execution.assemble import assemble, new_run_id, options_of, prepare
from engine.journal import open_journal
from engine.journal.progress import progress
from engine.redact import escape
from engine.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.cli.screen import Screen
    from engine.events import Event, Sink
    from engine.execution.assemble import Prepared
    from engine.execution.options import Options
    from engine.execution.run import Run
    from engine.journal.base import Recorder
    from engine.journal.progress import Progress
    from engine.language.keywords import InputText
    from engine.redact import Redactor

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run behaves towards the person.

    Args:
        yes: nobody need be asked.
        json: events as JSON Lines on stdout, and nothing else there.
        verbosity: how often `-v` was said.
        diff: show each change's before and after.
        step: ask before each task.
        journal: its URL; None for the user's own.
        passwords: from the prompts of `-k` and `-K`.
        vault: opens what is encrypted.
    """

    yes: bool = False
    json: bool = False
    verbosity: int = 0
    diff: bool = False
    step: bool = False
    journal: str | None = None
    passwords: Passwords = field(default_factory=Passwords)
    vault: Vault = field(default_factory=Vault)


def start(options: Options, manner: Manner, offer: Offer | None = None) -> int:
    """Begin a run, and see it through.

    Args:
        options: of the run.
        manner: how to behave.
        offer: the alerts of `--alert`.

    Returns:
        The exit code.

    Raises:
        InputError: something is wrong with what was given; no host was contacted.
        JournalError: what happens could not be recorded; nothing more was sent.
    """
    prepared = _prepared(options, manner, offer)
    run_id = new_run_id()
    with open_journal(manner.journal) as journal, journal.begin(run_id) as recorder:
        return _execute(prepared, run_id, recorder, manner, None)


def go_on(run: str, manner: Manner, given: Mapping[str, Any]) -> int:
    """Resume a run, and see it through.

    Args:
        run: its id, the start of it, or `last`.
        manner: how to behave this time.
        given: the secrets among the inputs, which the journal does not keep.

    Raises:
        InputError: there is nothing to go on with, or its playbook has changed.
        GuardRefused: a living process is at it.
        JournalError: as `start`.
    """
    with open_journal(manner.journal, create=False) as journal:
        run_id = journal.find(run)
        with journal.begin(run_id) as recorder:
            so_far = progress(journal.events(run_id))
            if so_far.ended is not None and so_far.ended.outcome in ("resolved", "done", "checked"):
                raise InputError(f"run {run_id} ended: {so_far.ended.outcome}")
            options, lost = options_of(so_far)
            options = structs.replace(options, extra={**options.extra, **_again(given, lost)})
            prepared = _prepared(options, manner, _same(so_far), lost)
            return _execute(prepared, run_id, recorder, manner, so_far)


def _again(given: Mapping[str, Any], lost: frozenset[str]) -> Mapping[str, Any]:
    """What is given once more to a run that goes on.

    Raises:
        InputError: it is something that the journal has.
    """
    for name in given.keys() - lost:
        if name.startswith("ansible_"):
            continue
        message = f"-e {name}: the run goes on with the values that it began with"
        raise InputError(Problem(message, hint="only secrets are given again; start a new run"))
    return given


def _prepared(
    options: Options,
    manner: Manner,
    offer: Offer | None,
    lost: frozenset[str] | None = None,
) -> Prepared:
    """Prepare a run; of one that goes on, `lost` is all that a person is asked for once more."""
    given = manner.passwords
    somebody = sys.stdin.isatty() and is_terminal(sys.stderr)
    return prepare(
        options,
        offer=offer,
        vault=manner.vault,
        ask=partial(_ask, lost) if somebody else None,
        lost=lost or frozenset(),
        password=given.ssh,
        become_password=given.become,
    )


def _ask(lost: frozenset[str] | None, name: str, declared: InputText) -> str | None:
    return ask_input(name, declared) if lost is None or name in lost else None


def _same(so_far: Progress) -> Offer | None:
    """The alert that the run was started for."""
    data = so_far.started.alert
    if data is None:
        return None
    return Offer(path=so_far.started.run, alerts=(Alert.from_data(data),), number=1)


def _execute(
    prepared: Prepared,
    run_id: str,
    recorder: Recorder,
    manner: Manner,
    so_far: Progress | None,
) -> int:
    screen = _screen()
    interrupted: list[str] = []
    console = Console(
        screen,
        run_id,
        colour=wants_colour(sys.stderr),
        live=is_terminal(sys.stderr),
        verbosity=manner.verbosity,
        diff=manner.diff,
    )
    sinks: list[Sink] = [recorder, console, *([JsonLines()] if manner.json else [])]
    somebody = sys.stdin.isatty() and is_terminal(sys.stderr)
    person = TerminalApprover(screen, lambda: bool(interrupted)) if somebody else None
    if manner.step and person is None:
        raise InputError("--step asks before each task, and there is no terminal to ask at")
    assembled = assemble(
        prepared,
        run_id,
        sinks,
        person or NobodyToAsk(),
        yes=manner.yes,
        progress=so_far,
        stepper=person.step if manner.step and person else None,
    )
    with ExitStack() as stack:
        stack.callback(screen.close)
        stack.callback(assembled.links.close)
        for remark in prepared.remarks:
            screen.line(escape(remark))
        if somebody:
            assembled.links.unlock(partial(_ask_passphrase, prepared.redactor))
        stack.enter_context(_signals_reach(assembled.run, interrupted))
        try:
            assembled.tell(assembled.opening)
            return assembled.run.execute().exit_code
        except JournalError as error:
            raise JournalError(
                f"{error}; nothing more was sent. Go on with: quell resume {run_id}"
            ) from error


def _ask_passphrase(redactor: Redactor, prompt: str) -> str:
    said = click.prompt(
        f"{prompt} (empty: without it)", default="", show_default=False, hide_input=True, err=True
    )
    redactor.learn(said)
    return str(said)


def _screen() -> Screen:
    if not is_terminal(sys.stderr):
        return PlainScreen()
    from engine.cli.live import LiveScreen

    return LiveScreen(colour=wants_colour(sys.stderr))


@contextmanager
def _signals_reach(run: Run, interrupted: list[str]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the run in good order, instead of this process at once."""

    def handle(number: int, _frame: object) -> None:
        name = signal.Signals(number).name
        interrupted.append(name)
        run.interrupt(name)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class JsonLines:
    """A sink: one event a line on stdout."""

    def tell(self, event: Event) -> None:
        """Write it, and flush: whoever reads it may be waiting."""
        with may_be_left(sys.stdout):
            sys.stdout.write(f"{json_line(event)}\n")
            sys.stdout.flush()
