"""What psycopg raises, told in the program's own exceptions and the server's own words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import LinkLost, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raise the server's refusal as `ModuleFailed`, and a connection that broke as `LinkLost`.

    **Source:** psycopg leaves `sqlstate` empty where the connection and not the server failed.
    """
    import psycopg

    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None:
            raise LinkLost(f"the connection to PostgreSQL was lost: {error}") from error
        raise _refusal(error) from error
    except psycopg.Error as error:
        raise _refusal(error) from error


def _refusal(error: psycopg.Error) -> ModuleFailed:
    hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
    return ModuleFailed(f"PostgreSQL says: {error.diag.message_primary or error}{hint}")
