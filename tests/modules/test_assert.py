from __future__ import annotations

import msgspec
import pytest

from engine.contract import Condition
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import module, probe

TRUE = Condition("pool.value < 0.9", holds=True)
FALSE = Condition("ready.status == 200", holds=False)
ALSO_FALSE = Condition("disk.free > 0", holds=False)


def test_conditions_that_hold_are_no_finding() -> None:
    host = FakeConnection()
    outcome = probe("assert", {"that": [TRUE, TRUE]}, target(host))
    assert outcome.finding is None
    assert outcome.summary == "2 of 2 hold"
    assert outcome.seen == {"failed": [], "checked": 2}
    assert host.commands == []


def test_a_finding_names_the_conditions_that_do_not_hold() -> None:
    outcome = probe("assert", {"that": [FALSE, TRUE, ALSO_FALSE]}, target(FakeConnection()))
    assert outcome.finding == "does not hold: ready.status == 200; disk.free > 0"
    assert outcome.summary == "1 of 3 hold"


def test_a_message_replaces_the_conditions() -> None:
    args = {"that": [FALSE], "message": "the backend is not ready"}
    outcome = probe("assert", args, target(FakeConnection()))
    assert outcome.finding == "the backend is not ready"
    assert outcome.seen["failed"] == ["ready.status == 200"]


def test_no_condition_at_all_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="length >= 1"):
        module("assert", {"that": []})


def test_text_that_nobody_evaluated_is_refused() -> None:
    with pytest.raises((msgspec.ValidationError, NotImplementedError)):
        module("assert", {"that": ["1 == 2"]})
