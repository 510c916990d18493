"""What others say of a run while it goes on: stop, or hold all actions."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import JournalError
from engine.events import GuardHeld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.events import Event
    from engine.journal.base import Recorder
    from engine.journal.guards import Hold

EVERY = 0.5
"""Seconds between two looks: so much later, at most, does a run begin to stop."""


@contextmanager
def heeding(
    recorder: Recorder, stop: Callable[[str], None], tell: Callable[[Event], None]
) -> Iterator[None]:
    """Heed them from a thread of its own; it is the run's sign of life, too.

    Args:
        recorder: of the run, whose start is recorded.
        stop: asks the run to stop, and says for whom.
        tell: makes an event known.
    """
    over = threading.Event()
    thread = threading.Thread(
        target=_heed, args=(recorder, stop, tell, over), name="heed", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _heed(
    recorder: Recorder,
    stop: Callable[[str], None],
    tell: Callable[[Event], None],
    over: threading.Event,
) -> None:
    heard = 0
    hold: Hold | None = None
    try:
        while not over.is_set():
            heeded = recorder.heed()
            for cancel in heeded.cancels[heard:]:
                stop(f"quell cancel ({cancel})")
            heard = len(heeded.cancels)
            if heeded.hold and heeded.hold != hold:
                message = f"all actions are on hold by {heeded.hold}"
                tell(GuardHeld(guard="hold", message=message))
            hold = heeded.hold
            over.wait(EVERY)
    except JournalError:
        # What is under way on the hosts is ended: others may soon take the run for dead.
        stop("the loss of the journal")
