"""Where the console's lines go: plain, one after the other, or live on a terminal."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import click

from engine.cli.pipes import may_be_left


class Screen(Protocol):
    """Shows a run, phase by phase."""

    def begin(self, header: str) -> None:
        """A phase begins: `header` says which."""
        ...

    def line(self, text: str) -> None:
        """One line of the phase, or of the run between phases."""
        ...

    def progress(self, lines: list[str]) -> None:
        """What is under way right now, instead of what was said last."""
        ...

    def end(self, took: str) -> None:
        """The phase is over."""
        ...

    def pause(self) -> AbstractContextManager[None]:
        """Leave the terminal to a prompt."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class PlainScreen:
    """Lines on stderr as they come, for logs, pipes and `TERM=dumb`."""

    def begin(self, header: str) -> None:
        """Write it at once."""
        self.line(header)

    def line(self, text: str) -> None:
        """Write it."""
        with may_be_left(sys.stderr):
            click.echo(text, err=True, color=False)

    def progress(self, lines: list[str]) -> None:
        """A log has no place for it."""

    def end(self, took: str) -> None:
        """The header is out already."""

    def pause(self) -> AbstractContextManager[None]:
        """Nothing moves."""
        return nullcontext()

    def close(self) -> None:
        """Nothing is held back."""
