"""What was sent to a target before, found without reading every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import JournalError
from engine.events import encode
from engine.journal.actions import OF_TARGET
from engine.journal.clock import moment
from engine.journal.guards import Target
from tests.journal.events import CHANGE, action, at, ended, intent, killed, resolved, started
from tests.journal.meddling import meddle

if TYPE_CHECKING:
    from engine.events import Event
    from engine.journal.base import Journal

DB1 = Target("db1", "backend", "appuser")


def record(journal: Journal, run: str, events: list[Event]) -> None:
    with journal.begin(run) as recorder:
        for event in events:
            recorder.tell(event)


def restart(run: str, host: str, **outcome: Any) -> list[Event]:
    """A run that restarts a container there."""
    change = {"summary": "restart", "on": [{"kind": "container", "name": "backend", "key": {}}]}
    sent = intent(5, module="docker_restart", host=host, change=change)
    return [started(run), sent, action(9, module="docker_restart", host=host, **outcome), ended()]


def test_what_was_sent_and_what_came_of_it(journal: Journal) -> None:
    record(journal, "a", [*killed(), action(50, verified=True), ended()])

    [sent] = journal.history(DB1)

    assert (sent.run, sent.task, sent.name) == ("a", "mitigate.1", "End idle sessions")
    assert (sent.module, sent.target) == ("pg_terminate", DB1)
    assert (sent.sent, sent.ended) == (at(5), at(50))
    assert (sent.status, sent.verified, sent.effective) == ("changed", True, True)


def test_nobody_saw_the_outcome(journal: Journal) -> None:
    record(journal, "a", killed())

    [sent] = journal.history(DB1)

    assert (sent.ended, sent.status, sent.effective) == (None, "unknown", False)


def test_an_outcome_that_a_resumed_run_found(journal: Journal) -> None:
    record(journal, "a", killed())
    record(journal, "a", [action(90, message="had taken effect: seen on resume")])

    assert [(sent.ended, sent.status) for sent in journal.history(DB1)] == [(at(90), "changed")]


def test_newest_first_and_of_all_runs(journal: Journal) -> None:
    for run, verified in (("a", True), ("b", False), ("c", None)):
        record(journal, run, restart(run, "app1", verified=verified))

    target = Target("app1", "container", "backend")
    found = journal.history(target)
    assert [(sent.run, sent.verified) for sent in found] == [("c", None), ("b", False), ("a", True)]
    assert [sent.run for sent in journal.history(target, limit=2)] == ["c", "b"]


def test_what_was_done_elsewhere_in_a_hosts_stead_is_found_there(journal: Journal) -> None:
    stead = {"host": "db1", "delegate": "ops1"}
    record(journal, "a", [started("a"), intent(5, **stead), action(9, **stead), ended()])

    [sent] = journal.history(Target("ops1", "backend", "appuser"))
    assert (sent.run, sent.intent) == ("a", "i1")
    assert journal.history(DB1) == []
    assert len(journal.events("a")) == 4


def test_of_this_target_and_this_module_only(journal: Journal) -> None:
    record(journal, "a", restart("a", "app1"))
    record(journal, "b", restart("b", "app2"))
    record(journal, "c", resolved())

    app1 = Target("app1", "container", "backend")
    assert [sent.run for sent in journal.history(app1)] == ["a"]
    assert [sent.run for sent in journal.history(app1, "docker_restart")] == ["a"]
    assert journal.history(app1, "docker_stop") == []
    assert journal.history(Target("app1", "container", "frontend")) == []
    assert journal.history(Target("app1")) == []


def test_one_action_on_several_targets_is_found_by_each(journal: Journal) -> None:
    both = {**CHANGE, "on": [*CHANGE["on"], {"kind": "backend", "name": "batch", "key": {}}]}
    record(journal, "a", [started("a"), intent(5, change=both), action(6)])

    for target in (DB1, Target("db1", "backend", "batch")):
        assert [(sent.target, sent.status) for sent in journal.history(target)] == [
            (target, "changed")
        ]


def test_a_clock_that_was_set_does_not_make_it_older(journal: Journal, url: str) -> None:
    record(journal, "a", restart("a", "app1"))
    target = Target("app1", "container", "backend")
    now = moment()

    # Its time is that of this start of the machine, whatever the wall clock said then or says now.
    meddle(url, "UPDATE actions SET wall = :wall, up = :up", wall=now.wall - 9e6, up=now.up - 100)
    [sent] = journal.history(target)
    assert 100 <= sent.age < 9e5

    # Of another start only the wall clock is known: one that went back has nothing pass.
    meddle(url, "UPDATE actions SET wall = :wall, boot = 'another'", wall=now.wall + 9e6)
    assert [sent.age for sent in journal.history(target)] == [0]


class TestDamage:
    @pytest.fixture(autouse=True)
    def two_runs(self, journal: Journal) -> None:
        record(journal, "a", [*killed(), action(50), ended()])
        record(journal, "b", [started("b"), intent(5), action(6, status="failed"), ended()])

    @pytest.mark.parametrize(
        "edit",
        [
            "UPDATE records SET event = :forged WHERE run = 'a' AND number = 13",
            "UPDATE records SET hash = :forged WHERE run = 'a' AND number = 11",
            "DELETE FROM records WHERE run = 'a' AND number = 13",
            "DELETE FROM records WHERE run = 'a' AND number = 12",
            "UPDATE actions SET sent = 11 WHERE run = 'a'",
            "UPDATE actions SET ended = 14 WHERE run = 'a'",
            "UPDATE actions SET run = 'b' WHERE run = 'a'",
            "UPDATE actions SET intent = 'i2' WHERE run = 'a'",
            "UPDATE actions SET module = 'docker_restart' WHERE run = 'a'",
        ],
    )
    def test_what_a_history_is_read_from_is_checked(
        self, journal: Journal, url: str, edit: str
    ) -> None:
        assert [sent.run for sent in journal.history(DB1)] == ["b", "a"]
        meddle(url, edit, **({"forged": encode(action(51))} if ":forged" in edit else {}))

        with pytest.raises(JournalError, match="is damaged"):
            journal.history(DB1)

    @pytest.mark.parametrize(
        "edit",
        [
            "DELETE FROM actions WHERE run = 'a'",
            "UPDATE actions SET host = 'db2' WHERE run = 'a'",
            "UPDATE actions SET ended = NULL WHERE run = 'a'",
            "INSERT INTO actions (host, kind, name, module, run, intent, sent, wall, boot, up)"
            " SELECT host, kind, name, module, run, intent, sent, wall, boot, up FROM actions"
            " WHERE run = 'a'",
        ],
    )
    def test_what_the_index_lacks_is_found_with_the_run(
        self, journal: Journal, url: str, edit: str
    ) -> None:
        meddle(url, edit)

        with pytest.raises(JournalError, match="index of actions does not agree with run a"):
            journal.events("a")
        assert journal.events("b")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_it_is_found_by_the_index(journal: Journal, url: str) -> None:
    record(journal, "a", restart("a", "app1"))

    plan = meddle(
        url,
        f"EXPLAIN QUERY PLAN {OF_TARGET}",
        host="app1",
        kind="container",
        name="backend",
        module=None,
        limit=20,
    )

    assert [line[-1] for line in plan] == [
        "SEARCH actions USING INDEX actions_of_target (host=? AND kind=? AND name=?)"
    ]
