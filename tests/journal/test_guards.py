"""What is judged of what the journal says: pure."""

from __future__ import annotations

from typing import Any

import pytest

from engine.journal.guards import Hold, Holder, Sent, Target, cooling, ineffective, targets
from engine.journal.writer import Writer
from tests.journal.events import CHANGE, at

DB1 = Target("db1", "backend", "appuser")
ANN = Writer("ann", "ops1", 4711)


def sent(**changed: Any) -> Sent:
    fields: dict[str, Any] = {
        "run": "a",
        "intent": "i1",
        "task": "mitigate.1",
        "name": "End idle sessions",
        "module": "pg_terminate",
        "target": DB1,
        "sent": at(5),
        "ended": at(6),
        "status": "changed",
        "verified": True,
        "age": 100.0,
    }
    return Sent(**{**fields, **changed})


def test_a_changes_targets_are_named_once_each_and_outlive_what_they_are_now() -> None:
    other = {"kind": "backend", "name": "appuser", "key": {"pid": 4712, "start": "12:02"}}

    assert targets("db1", CHANGE) == (DB1,)
    assert targets("db1", {"on": [*CHANGE["on"], other]}) == (DB1,)
    assert targets("db1", {"summary": "who knows", "on": []}) == (Target("db1"),)
    assert targets("db1", {"summary": "who knows"}) == (Target("db1"),)


def test_targets_and_holders_in_words() -> None:
    assert str(DB1) == "backend appuser on db1"
    assert str(Target("db1")) == "db1"
    when = f"{at(0).astimezone():%H:%M:%S}"
    assert str(Holder("a", ANN, at(0))) == f"run a, by ann on ops1 (process 4711), since {when}"


def test_a_hold_in_words() -> None:
    since, until = (f"{at(s).astimezone():%Y-%m-%d %H:%M:%S}" for s in (0, 60))

    assert str(Hold("ann", "ops1", "", at(0))) == f"ann on ops1 since {since}"
    assert (
        str(Hold("ann", "ops1", "moving", at(0), at(60)))
        == f"ann on ops1 since {since}, until {until}: moving"
    )


class TestCooling:
    def test_nothing_was_sent(self) -> None:
        assert cooling([], 600) == 0

    def test_the_last_one_counts(self) -> None:
        assert cooling([sent(age=100), sent(age=900)], 600) == 500

    def test_it_is_over(self) -> None:
        assert cooling([sent(age=600)], 600) == 0

    @pytest.mark.parametrize("status", ["failed", "unknown"])
    def test_what_failed_may_have_hit(self, status: str) -> None:
        assert cooling([sent(age=0, status=status, verified=None)], 600) == 600


class TestIneffective:
    @pytest.mark.parametrize(
        ("history", "count"),
        [
            ([], 0),
            ([sent()], 0),
            ([sent(status="failed", verified=False)], 1),
            ([sent(status="unknown", verified=None, ended=None)], 1),
            ([sent(status="failed", verified=None)], 1),
            ([sent(status="failed", verified=False)] * 2 + [sent()], 2),
            ([sent(), sent(status="failed", verified=False)], 0),
            ([sent(verified=None)], 0),
            ([sent(verified=None), sent(status="failed", verified=False)], 1),
        ],
    )
    def test_in_a_row(self, history: list[Sent], count: int) -> None:
        assert ineffective(history) == count
