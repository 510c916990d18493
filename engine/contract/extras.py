"""Clients of services that not everybody uses: they come with an extra of the distribution."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT = logging.Logger("silent", logging.CRITICAL + 1)
"""For clients that would write to the terminal what is told as the task's failure anyway."""


@contextmanager
def from_extra(name: str) -> Iterator[None]:
    """Import a client within this; one that is not installed is said with how to get it.

    Args:
        name: the extra that brings it: `slack` of `quell[slack]`.

    Raises:
        ModuleFailed: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed; get it with: pip install 'quell[{name}]'"
        raise ModuleFailed(message) from error
