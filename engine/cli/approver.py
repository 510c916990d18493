"""Asks the person at the terminal: about changes, the checklist, and with `--step` each task."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING

import click

from engine.cli.style import names
from engine.errors import Interrupted
from engine.execution.checkpoints import Answer
from engine.redact import escape
from engine.units import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.cli.screen import Screen
    from engine.contract import Question
    from engine.execution.approval import Proposal
    from engine.execution.orders import Key
    from engine.language.model import Task

PATIENCE = 1800.0
"""Seconds that a prompt waits: then nobody is there, and nothing is changed."""


class NobodyToAsk:
    """There is no terminal: whatever needs a person stays undone."""

    def ask(self, proposals: Sequence[Proposal]) -> frozenset[Key] | None:  # noqa: ARG002
        """Nobody answers."""
        return None

    def tick(self, name: str, question: Question) -> Answer | None:  # noqa: ARG002
        """Nobody answers."""
        return None


class TerminalApprover:
    """Prompts on stderr and reads stdin."""

    def __init__(self, screen: Screen, interrupted: Callable[[], bool]) -> None:
        """Ask below what the screen shows.

        Args:
            screen: makes room for the prompt.
            interrupted: whether Ctrl-C was pressed meanwhile.
        """
        self._screen = screen
        self._interrupted = interrupted
        self._goes_on = False

    def ask(self, proposals: Sequence[Proposal]) -> frozenset[Key] | None:
        """As `Approver`.

        Raises:
            Interrupted: Ctrl-C at the prompt.
        """
        hosts = list(dict.fromkeys(p.host for p in proposals))
        ways = "[y]es [n]o [s]tep" + (" [h]ost by host" if len(hosts) > 1 else "")
        these = "this change" if len(proposals) == 1 else f"these {len(proposals)} changes"
        with self._screen.pause():
            answer = self._read(f"Apply {these} on {names(hosts)}? {ways} › ", "ynsh")
            if answer is None:
                return None
            if answer == "s":
                return self._one_by_one(proposals)
            if answer == "h":
                return self._host_by_host(proposals, hosts)
            return frozenset(p.key for p in proposals) if answer == "y" else frozenset()

    def step(self, task: Task, hosts: int) -> bool:
        """Whether to run a task, for `--step`; once the person says so, all that follow.

        Raises:
            Interrupted: Ctrl-C at the prompt, or nobody answers.
        """
        if self._goes_on:
            return True
        prompt = f"Run {escape(task.name)} on {count(hosts, 'host')}? [y]es [n]o [c]ontinue › "
        with self._screen.pause():
            answer = self._read(prompt, "ync")
        if answer is None:
            raise Interrupted("nobody answers at the prompt of --step")
        self._goes_on = answer == "c"
        return answer != "n"

    def tick(self, name: str, question: Question) -> Answer | None:
        """As `Ticker`.

        Raises:
            Interrupted: Ctrl-C at the prompt.
        """
        owner = f" ({escape(question.owner)})" if question.owner else ""
        yes = "[d]one" if question.wants == "done" else "[g]o on"
        with self._screen.pause():
            click.echo(f"  {escape(name)}{owner}: {escape(question.text)}", err=True)
            answer = self._read(f"  {yes} [s]kip (stays open) › ", f"{yes[1]}s")
            if answer is None:
                return None
            click.echo("  note, if any › ", err=True, nl=False)
            note = self._line()
            if self._interrupted():
                raise Interrupted("interrupted at the prompt")
            return Answer(done=answer != "s", note=(note or "").strip())

    def _one_by_one(self, proposals: Sequence[Proposal]) -> frozenset[Key]:
        said: set[Key] = set()
        for p in proposals:
            what = f"{escape(p.name)} on {p.host}: {escape(p.summary)}"
            if self._read(f"  {what}? [y]es [n]o › ", "yn") == "y":
                said.add(p.key)
        return frozenset(said)

    def _host_by_host(self, proposals: Sequence[Proposal], hosts: list[str]) -> frozenset[Key]:
        said: set[Key] = set()
        for host in hosts:
            own = [p for p in proposals if p.host == host]
            prompt = f"  {host}: {count(len(own), 'change')}? [y]es [n]o › "
            if self._read(prompt, "yn") == "y":
                said |= {p.key for p in own}
        return frozenset(said)

    def _read(self, prompt: str, letters: str) -> str | None:
        """A letter; None when nobody answers."""
        while True:
            click.echo(prompt, err=True, nl=False)
            line = self._line()
            if self._interrupted():
                raise Interrupted("interrupted at the prompt")
            if line is None:
                click.echo("", err=True)
                return None
            answer = line.strip().lower()[:1]
            if answer and answer in letters:
                return answer

    def _line(self) -> str | None:
        if sys.platform != "win32":
            # Waits in slices, so that a signal's flag is seen.
            for _ in range(int(PATIENCE * 4)):
                if self._interrupted():
                    return None
                if select.select([sys.stdin], [], [], 0.25)[0]:
                    break
            else:
                return None
        line = sys.stdin.readline()
        return line or None
