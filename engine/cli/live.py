"""The live screen: a phase moves in place until it ends, then stays as it is."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from engine.units import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PER_SECOND = 8
_TOOK = 78
"""The column where a phase's time ends."""


class LiveScreen:
    """A terminal: what is under way is drawn anew a few times a second."""

    def __init__(self, *, colour: bool) -> None:
        """Draw on stderr."""
        self._console = Console(stderr=True, no_color=not colour, highlight=False, markup=False)
        self._live: Live | None = None
        self._header = ""
        self._lines: list[str] = []
        self._progress: list[str] = []
        self._began = 0.0

    def begin(self, header: str) -> None:
        """Start to move."""
        self._header, self._lines, self._progress = header, [], []
        self._began = time.monotonic()
        self._start()

    def line(self, text: str) -> None:
        """Within a phase it moves with it; outside it stays at once."""
        if self._header:
            self._lines.append(text)
        else:
            self._print(text)

    def progress(self, lines: list[str]) -> None:
        """Shown below the phase's lines."""
        self._progress = lines

    def end(self, took: str) -> None:
        """The phase stays on the screen with the time that it took."""
        self._settle(took)
        self._header = ""

    @contextmanager
    def pause(self) -> Iterator[None]:
        """What was said stays; the phase moves on below the answer."""
        self._settle("")
        try:
            yield
        finally:
            if self._header:
                self._start()

    def close(self) -> None:
        """Leave what there is on the screen."""
        if self._header:
            self.end("")

    def _start(self) -> None:
        # A transient region of rich's own thread: it asks for `_drawn` at each refresh.
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=_PER_SECOND,
            transient=True,
        )
        self._live.start()

    def _settle(self, took: str) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._began:
            self._print(_with_time(self._header, took))
        for line in self._lines:
            self._print(line)
        self._lines, self._progress, self._began = [], [], 0.0

    def _drawn(self) -> RenderableType:
        elapsed = time.monotonic() - self._began if self._began else 0.0
        spinner = _SPINNER[int(time.monotonic() * _PER_SECOND) % len(_SPINNER)]
        head = _with_time(self._header, f"{spinner} {duration(elapsed)}") if self._began else ""
        lines = [*([head] if head else []), *self._lines, *self._progress]
        return Group(*(Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def _print(self, text: str) -> None:
        self._console.print(Text.from_ansi(text), soft_wrap=True)


def _with_time(header: str, took: str) -> str:
    if not took:
        return header
    plain = Text.from_ansi(header).cell_len
    return header + " " * max(2, _TOOK - plain - len(took)) + took
