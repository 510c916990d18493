"""What the modules that speak to PostgreSQL say of TLS, before anything is sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.modules.sequence import module

NEEDED = {
    "pg_activity": {"database": "shop"},
    "pg_locks": {"database": "shop"},
    "pg_query": {"database": "shop", "query": "select 1"},
    "pg_terminate": {"user": "app"},
}


@pytest.fixture(params=NEEDED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"sslmode": "require"}, "a unix socket has no TLS"),
        ({"host": "/run/pg", "ca": "ca.pem"}, "a unix socket has no TLS"),
        ({"host": "db", "sslmode": "verify-full"}, "sslmode verify-full needs ca"),
        ({"host": "db", "sslmode": "require", "ca": "ca.pem"}, "ca is checked with sslmode verify"),
        ({"host": "db", "ca": "ca.pem"}, "ca is checked with sslmode verify"),
        ({"host": "db", "sslmode": "always"}, "Invalid enum value 'always'"),
    ],
)
def test_what_would_be_passed_over_is_refused(name: str, args: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        module(name, {**NEEDED[name], **args})


@pytest.mark.parametrize(
    "args",
    [
        {"host": "db"},
        {"host": "db", "sslmode": "disable"},
        {"host": "db", "sslmode": "verify-full", "ca": "ca.pem"},
    ],
)
def test_what_goes_together_is_taken(name: str, args: dict[str, Any]) -> None:
    assert module(name, {**NEEDED[name], **args})
