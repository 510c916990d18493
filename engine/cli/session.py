"""One run on the command line: sinks, signals, the run itself, and its exit code."""

from __future__ import annotations

import math
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct, field, structs

from engine.alerts import Alert, Offer
from engine.cli.approver import NobodyToAsk, TerminalApprover
from engine.cli.console import Console
from engine.cli.heeding import Heeder
from engine.cli.jsonl import json_line
from engine.cli.passwords import Passwords, ask_input, ask_secret
from engine.cli.pipes import may_be_left
from engine.cli.screen import PlainScreen
from engine.cli.style import is_terminal, wants_colour
from engine.errors import InputError, JournalError
from engine.execution.assemble import assemble, new_run_id, prepare
from engine.execution.resuming import hidden, options_of, resumption
from engine.journal import open_journal
from engine.journal.progress import progress
from engine.language import head
from engine.redact import escape
from engine.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.screen import Screen
    from engine.events import Event
    from engine.execution.asking import Ask
    from engine.execution.assemble import Prepared
    from engine.execution.options import Options
    from engine.execution.resuming import Elsewhere, Resumption
    from engine.execution.run import Run
    from engine.journal.base import Journal, Recorder
    from engine.journal.progress import Progress
    from engine.redact import Redactor
    from engine.sinks import Sink

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_ONE_SIGNAL = 0.2
"""Seconds in which the same signal counts once: a terminal and a parent may both hand it on."""


class Manner(Struct, frozen=True):
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
    prepared = _prepared(options, manner, offer, ask_input if _somebody() else None)
    run_id = new_run_id()
    with open_journal(manner.journal) as journal, journal.begin(run_id) as recorder:
        return _execute(prepared, run_id, journal, recorder, manner, None)


def go_on(run: str, manner: Manner, elsewhere: Elsewhere, *, accept: bool = False) -> int:
    """Resume a run, and see it through.

    Args:
        run: its id, the start of it, or `last`.
        manner: how to behave this time.
        elsewhere: where its files are on this controller.
        accept: go on although they have changed.

    Raises:
        InputError: there is nothing to go on with, or what it was begun with has changed.
        GuardRefused: a living process is at it.
        JournalError: as `start`.
    """
    with open_journal(manner.journal, create=False) as journal:
        run_id = journal.find(run)
        with journal.begin(run_id) as recorder:
            so_far = progress(journal.events(run_id))
            last = so_far.ended
            if last and last.outcome in ("resolved", "done", "checked") and not last.open:
                raise InputError(f"run {run_id} ended: {last.outcome}")
            options = options_of(so_far, _with_secrets(so_far, elsewhere))
            prepared = _prepared(options, manner, _same(so_far), None)
            going_on = resumption(so_far, prepared, accept=accept)
            return _execute(prepared, run_id, journal, recorder, manner, going_on)


def _with_secrets(so_far: Progress, elsewhere: Elsewhere) -> Elsewhere:
    """Where the files are, and the secrets that a person is asked for once more."""
    missing = sorted(hidden(so_far) - elsewhere.secrets.keys())
    if not missing or not _somebody():
        return elsewhere
    playbook = elsewhere.playbook or str(so_far.options["playbook"])
    inputs = head(Path(playbook)).text.inputs
    answers = {name: ask_secret(name, inputs.get(name)) for name in missing}
    given = {name: answer for name, answer in answers.items() if answer is not None}
    return structs.replace(elsewhere, secrets={**given, **elsewhere.secrets})


def _somebody() -> bool:
    """Whether there is a terminal to ask at."""
    return sys.stdin.isatty() and is_terminal(sys.stderr)


def _prepared(options: Options, manner: Manner, offer: Offer | None, ask: Ask | None) -> Prepared:
    given = manner.passwords
    return prepare(
        options,
        offer=offer,
        vault=manner.vault,
        ask=ask,
        password=given.ssh,
        become_password=given.become,
    )


def _same(so_far: Progress) -> Offer | None:
    """The alert that the run was started for."""
    data = so_far.started.alert
    if data is None:
        return None
    return Offer(path=so_far.started.run, alerts=(Alert.from_data(data),), number=1)


def _execute(
    prepared: Prepared,
    run_id: str,
    journal: Journal,
    recorder: Recorder,
    manner: Manner,
    going_on: Resumption | None,
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
    heeder = Heeder(recorder)
    sinks: list[Sink] = [heeder, console, *([JsonLines()] if manner.json else [])]
    somebody = _somebody()
    person = TerminalApprover(screen, lambda: bool(interrupted)) if somebody else None
    if manner.step and person is None:
        raise InputError("--step asks before each task, and there is no terminal to ask at")
    assembled = assemble(
        prepared,
        run_id,
        sinks,
        person or NobodyToAsk(),
        NobodyToAsk() if person is None or manner.json else person,
        journal,
        recorder,
        yes=manner.yes,
        resumption=going_on,
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
            for event in assembled.opening:
                assembled.tell(event)
            with heeder.watching(partial(_stop, assembled.run, interrupted), assembled.tell):
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
    last: dict[int, float] = {}

    def handle(number: int, _frame: object) -> None:
        now = time.monotonic()
        if now - last.get(number, -math.inf) < _ONE_SIGNAL:
            return
        last[number] = now
        _stop(run, interrupted, signal.Signals(number).name)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(run: Run, interrupted: list[str], by: str) -> None:
    interrupted.append(by)
    run.interrupt(by)


class JsonLines:
    """A sink: one event a line on stdout."""

    def tell(self, event: Event) -> None:
        """Write it, and flush: whoever reads it may be waiting."""
        with may_be_left(sys.stdout):
            sys.stdout.write(f"{json_line(event)}\n")
            sys.stdout.flush()
