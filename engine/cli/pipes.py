"""Streams whose reader may leave before the run is over: `| head`, a closed terminal."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def may_be_left(stream: IO[Any]) -> Iterator[None]:
    """Write to it; once its reader has gone, what follows goes nowhere, and the run goes on."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
