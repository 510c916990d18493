from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import GuardRefused, InputError, JournalError
from engine.events import RunResumed, SeverityJudged, TaskStarted
from engine.journal import open_journal
from tests.journal.events import RUN, at, ended, investigated, killed, resolved, started, task
from tests.journal.meddling import meddle

if TYPE_CHECKING:
    from engine.events import Event
    from engine.journal.base import Journal


def record(journal: Journal, events: list[Event], run: str = RUN) -> None:
    with journal.begin(run) as recorder:
        for event in events:
            recorder.tell(event)


def test_what_was_told_comes_back_as_it_was(journal: Journal) -> None:
    record(journal, resolved())

    assert journal.events(RUN) == resolved()
    assert journal.missing(RUN) == 0


def test_progress_for_the_console_is_not_kept(journal: Journal) -> None:
    begun = TaskStarted(phase="investigate", task="investigate.1", name="Ready", host="db1")

    record(journal, [started(), begun, ended()])

    assert journal.events(RUN) == [started(), ended()]


def test_a_run_that_stopped_goes_on_in_the_same_chain(journal: Journal) -> None:
    resumed = RunResumed(at=at(90), user="bob", options={})

    record(journal, killed())
    record(journal, [resumed, ended(100)])

    assert journal.events(RUN) == [*killed(), resumed, ended(100)]


def test_many_threads_may_tell_at_once(journal: Journal) -> None:
    told = [task(number, summary=str(number)) for number in range(200)]

    with journal.begin(RUN) as recorder:
        recorder.tell(started())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(recorder.tell, told))

    events = journal.events(RUN)
    assert len(events) == 201
    assert sorted(map(str, events[1:])) == sorted(map(str, told))


def test_a_closed_recorder_records_nothing_more(journal: Journal) -> None:
    recorder = journal.begin(RUN)
    recorder.close()
    recorder.close()

    with pytest.raises(JournalError):
        recorder.tell(started())


class TestOneAtATime:
    def test_a_run_that_is_written_cannot_be_begun_again(self, journal: Journal) -> None:
        with journal.begin(RUN), pytest.raises(GuardRefused, match=f"process {os.getpid()}"):
            journal.begin(RUN)

    def test_who_only_asks_does_not_stand_in_the_way(self, journal: Journal) -> None:
        asked = threading.Event()

        def ask() -> None:
            while not asked.is_set():
                journal.alive(RUN)

        journal.begin(RUN).close()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask)
            for _ in range(50):
                journal.begin(RUN).close()
            asked.set()
            asking.result()

        assert not journal.alive(RUN)

    def test_alive_while_it_is_written(self, journal: Journal) -> None:
        assert not journal.alive(RUN)
        with journal.begin(RUN):
            assert journal.alive(RUN)
            assert journal.alive(RUN), "asking must not let go of it"
        assert not journal.alive(RUN)

    def test_a_run_id_never_leads_out_of_the_directory(self, journal: Journal) -> None:
        with pytest.raises(JournalError, match="not a run's id"):
            journal.begin("../elsewhere")


class TestFind:
    @pytest.fixture(autouse=True)
    def three_runs(self, journal: Journal) -> None:
        for run in ("20261123-1337-k3f9", "20261123-1338-aaaa", "20261124-0301-zzzz"):
            record(journal, [started(run)], run)

    @pytest.mark.parametrize(
        ("prefix", "run"),
        [
            ("last", "20261124-0301-zzzz"),
            ("20261124", "20261124-0301-zzzz"),
            ("20261123-1337-k3f9", "20261123-1337-k3f9"),
        ],
    )
    def test_found(self, journal: Journal, prefix: str, run: str) -> None:
        assert journal.find(prefix) == run

    @pytest.mark.parametrize(
        ("prefix", "said"),
        [
            ("20261123-1337-k3f8", 'did you mean "20261123-1337-k3f9"'),
            ("20261123", "the start of 2 runs: 20261123-1338-aaaa, 20261123-1337-k3f9"),
            ("nonsense", "`quell runs` lists them"),
            ("", 'no run ""'),
            ("2026112%", "no run"),
        ],
    )
    def test_not_found(self, journal: Journal, prefix: str, said: str) -> None:
        with pytest.raises(InputError, match=said):
            journal.find(prefix)

    def test_a_run_that_the_database_has_lost(self, journal: Journal, url: str) -> None:
        meddle(url, "DELETE FROM records WHERE run = '20261124-0301-zzzz'")
        meddle(url, "DELETE FROM runs WHERE run = '20261124-0301-zzzz'")

        assert journal.find("20261124") == "20261124-0301-zzzz"
        with pytest.raises(JournalError, match=r"record 1 is missing; 1 were written"):
            journal.events("20261124-0301-zzzz")


def test_no_runs_yet(journal: Journal) -> None:
    assert journal.runs() == []
    with pytest.raises(InputError, match="no runs yet"):
        journal.find("last")


class TestRuns:
    def test_an_ended_run(self, journal: Journal) -> None:
        record(journal, resolved())

        (run,) = journal.runs()

        assert msgspec.to_builtins(run) == {
            "run": RUN,
            "state": "ended",
            "started": "2026-11-23T12:37:00Z",
            "playbook": "Database connection pool exhaustion",
            "severity": "P2",
            "outcome": "resolved",
            "exit_code": 0,
            "seconds": 65.0,
            "hosts": ["db1", "db2"],
        }

    def test_a_run_that_goes_on_and_one_that_was_broken_off(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder:
            for event in killed():
                recorder.tell(event)
            assert [run.state for run in journal.runs()] == ["running"]

        (run,) = journal.runs()
        assert (run.state, run.outcome, run.seconds) == ("broken off", "broken off", 5.0)

    def test_a_resumed_run_that_has_not_ended_again(self, journal: Journal) -> None:
        record(journal, [*resolved(), RunResumed(at=at(90), user="bob", options={})])

        assert journal.runs()[0].state == "broken off"

    def test_the_severity_is_the_incidents_and_not_the_one_after_the_mitigation(
        self, journal: Journal
    ) -> None:
        better = SeverityJudged(at=at(61), level="P4", before="P2")
        record(journal, [*investigated(), better, ended()])

        assert journal.runs()[0].severity == "P2"

    def test_a_session_that_goes_on_may_know_better(self, journal: Journal) -> None:
        worse = SeverityJudged(at=at(61), level="P1")
        record(journal, [*investigated(), worse, ended()])

        assert journal.runs()[0].severity == "P1"

    def test_newest_first_and_no_more_than_asked_for(self, journal: Journal) -> None:
        for run in ("c", "a", "b"):
            record(journal, [started(run)], run)

        assert [run.run for run in journal.runs()] == ["b", "a", "c"]
        assert [run.run for run in journal.runs(2)] == ["b", "a"]

    def test_a_run_that_cannot_be_read_does_not_hide_the_others(
        self, journal: Journal, url: str
    ) -> None:
        for run in ("a", "b"):
            record(journal, [started(run), ended()], run)
        meddle(url, "UPDATE records SET event = 'nonsense' WHERE run = 'a'")

        assert [(run.run, run.state) for run in journal.runs()] == [
            ("b", "ended"),
            ("a", "damaged"),
        ]


def test_an_event_of_a_newer_quell_is_not_passed_over(journal: Journal, url: str) -> None:
    with journal.begin(RUN) as recorder:
        recorder.tell(started())
        recorder.tell(_Unheard())  # type: ignore[arg-type]

    with (
        open_journal(url) as again,
        pytest.raises(JournalError, match="record 2 is not an event that this quell knows"),
    ):
        again.events(RUN)


class _Unheard(msgspec.Struct, tag_field="event", tag="unheard"):
    pass
