"""What a host says, where it is not what was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def understood(who: str = "the host") -> Iterator[None]:
    """Read an answer within: what cannot be read of it is a failure in words.

    Args:
        who: said it.

    Raises:
        ModuleFailed: a part is missing, or is no number where one should stand.
    """
    try:
        yield
    except (ValueError, LookupError, ArithmeticError) as error:
        raise ModuleFailed(f"{who} answers what was not asked for: {error}") from error
