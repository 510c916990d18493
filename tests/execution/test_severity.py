from datetime import UTC, datetime

import pytest

from engine.errors import HostError
from engine.execution.severity import acknowledge_by, judge, needed
from engine.language.model import Rule
from engine.policy.policies import CLOCK
from tests.execution.build import rule

HOSTS = ("app1", "app2", "app3", "app4")
EVIDENCE = {"ready": frozenset(HOSTS), "pool": frozenset({"db1"})}


@pytest.mark.parametrize(
    ("on", "asked", "expected"),
    [
        ("any", 4, 1),
        ("all", 4, 4),
        (2, 4, 2),
        ("2", 4, 2),
        ("50%", 4, 2),
        ("50%", 3, 2),
        ("1%", 4, 1),
    ],
)
def test_how_many_hosts_must_agree(on: int | str, asked: int, expected: int) -> None:
    assert needed(on, asked) == expected


def test_the_first_rule_that_holds_decides() -> None:
    rules = [rule("P1", {"ready"}, "50%"), rule("P2", {"ready"}), rule("P4", set())]
    found = judge(rules, EVIDENCE, HOSTS, lambda _, host: host == "app2")
    assert (found.level, found.hosts, found.of) == ("P2", ("app2",), 4)
    assert found.because == "because of P2"


def test_half_of_the_hosts_is_enough_for_half() -> None:
    rules = [rule("P1", {"ready"}, "50%"), rule("P2", {"ready"})]
    found = judge(rules, EVIDENCE, HOSTS, lambda _, host: host in {"app1", "app4"})
    assert (found.level, found.hosts) == ("P1", ("app1", "app4"))


def test_a_rule_is_asked_only_of_the_hosts_that_ran_its_probe() -> None:
    asked: list[str] = []

    def holds(_: Rule, host: str) -> bool:
        asked.append(host)
        return True

    found = judge([rule("P1", {"pool"}, "all")], EVIDENCE, HOSTS, holds)
    assert asked == ["db1"]
    assert found.level == "P1"


def test_no_rule_holds_no_severity() -> None:
    found = judge([rule("P1", {"ready"})], EVIDENCE, HOSTS, lambda *_: False)
    assert (found.level, found.unjudged) == (None, ())


def test_what_cannot_be_judged_is_said_and_the_next_rule_is_asked() -> None:
    def holds(asked: Rule, _: str) -> bool:
        if asked.text.level == "P1":
            raise HostError("pool.value is not defined")
        return True

    found = judge([rule("P1", {"pool"}), rule("P4", set())], EVIDENCE, HOSTS, holds)
    assert found.level == "P4"
    assert found.unjudged == ("P1 on db1: pool.value is not defined",)


def test_evidence_that_no_host_has_together_is_said() -> None:
    rules = [rule("P1", {"pool", "ready"})]
    found = judge(rules, EVIDENCE, HOSTS, lambda *_: True)
    assert found.level is None
    assert found.unjudged == ("P1: no host has pool and ready",)


@pytest.mark.parametrize(
    ("level", "expected"),
    [("P1", "03:15"), ("P2", "04:00"), ("P3", "07:00"), ("P4", None), (None, None)],
)
def test_the_clock(level: str | None, expected: str | None) -> None:
    by = acknowledge_by(level, datetime(2026, 11, 23, 3, 0, tzinfo=UTC), CLOCK)
    assert (by and f"{by:%H:%M}") == expected
