from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.modules.sequence import module


@pytest.mark.parametrize("args", [{}, {"max": 5}, {"mode": "cancel"}, {"state": []}, {"user": ""}])
def test_a_filter_is_needed(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="no filter: give at least one of database"):
        module("pg_terminate", args)


@pytest.mark.parametrize(
    "args",
    [
        {"state": "idle"},
        {"idle_for": "5m"},
        {"state": ["active", "idle"]},
    ],
)
def test_idle_sessions_have_nothing_to_cancel(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="an idle session runs nothing"):
        module("pg_terminate", {"mode": "cancel", **args})


@pytest.mark.parametrize(
    "args",
    [
        {"state": "sleeping"},
        {"state": "idle", "max": 0},
        {"idle_for": "a while"},
        {"query": "(?=x)"},
        {"query": "("},
        {"user": "x", "mode": "kill"},
        {"user": "x", "port": 0},
        {"user": "x", "unknown": 1},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("pg_terminate", args)


@pytest.mark.parametrize(
    "args",
    [
        {"database": "insightengine"},
        {"state": ["idle", "idle in transaction"], "idle_for": 600},
        {"mode": "cancel", "query": "pg_dump"},
        {"mode": "cancel", "state": "active", "transaction_age": "1h30m"},
    ],
)
def test_right_arguments_are_taken(args: dict[str, Any]) -> None:
    assert module("pg_terminate", args)
