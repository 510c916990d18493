"""What this process holds: descriptors, threads, temporary files; and what of it is new."""

from __future__ import annotations

import gc
import os
import re
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SELF = Path("/proc/self")


class Held:
    """What this process holds now, counted by kind."""

    def __init__(self) -> None:
        """Look."""
        gc.collect()  # some libraries leave what they gave up to the collector
        self.descriptors = Counter(_descriptors())
        self.threads = Counter(_kind(thread.name) for thread in threading.enumerate())
        self.files = Counter(path.name for path in Path(tempfile.gettempdir()).iterdir())

    def beyond(self, before: Self) -> list[str]:
        """What there is more of than before, in words."""
        return [
            f"{count} {what} left: {kind}"
            for what in ("descriptors", "threads", "files")
            for kind, count in (getattr(self, what) - getattr(before, what)).items()
        ]


def _descriptors() -> Iterator[str]:
    for path in (_SELF / "fd").iterdir():
        try:
            yield _kind(str(path.readlink()))
        except OSError:
            continue  # it was the one that lists them


def _kind(name: str) -> str:
    """Without what is another one's each time."""
    return re.sub(r"\d+", "N", name)


def memory() -> float:
    """Megabytes that this process has in memory.

    **Source:** proc_pid_statm(5): the second number, in pages.
    """
    pages = int((_SELF / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def left(look: Callable[[], list[str]], seconds: float) -> list[str]:
    """What is still there after so many seconds, or nothing as soon as that is so."""
    until = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < until:
        time.sleep(0.2)
    return found
