"""Who says stop: to one run, or to all actions of all runs."""

from __future__ import annotations

import getpass
import platform
from typing import TYPE_CHECKING

import pytest

from engine.errors import GuardRefused
from engine.journal import open_journal
from engine.journal.clock import moment
from tests.journal.events import RUN, approved, ended, intent, killed, task
from tests.journal.meddling import meddle

if TYPE_CHECKING:
    from engine.journal.base import Journal

ME = f"{getpass.getuser()} on {platform.node()}"


class TestCancel:
    def test_no_action_is_sent_any_more(self, journal: Journal, url: str) -> None:
        with journal.begin(RUN) as recorder:
            for event in approved():
                recorder.tell(event)
            with open_journal(url) as other:
                other.cancel(RUN)

            with pytest.raises(GuardRefused, match=f"asked to stop by {ME}") as refused:
                recorder.tell(intent(5))
            recorder.tell(task(6))
            recorder.tell(ended(7))

        assert refused.value.guard == "cancel"
        assert journal.events(RUN) == [*approved(), task(6), ended(7)]

    def test_the_run_is_told_by_whom_and_how_often(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder:
            assert recorder.heed().cancels == ()
            journal.cancel(RUN)
            journal.cancel(RUN)
            assert [str(cancel) for cancel in recorder.heed().cancels] == [ME, ME]

    def test_it_is_no_other_run(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder:
            journal.cancel("other")
            assert recorder.heed().cancels == ()
            recorder.tell(intent(5))

    def test_a_run_that_goes_on_is_not_asked_any_more(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder:
            recorder.tell(approved()[0])
            journal.cancel(RUN)
        with journal.begin(RUN) as recorder:
            assert recorder.heed().cancels == ()
            recorder.tell(intent(5))

        assert journal.events(RUN) == [approved()[0], intent(5)]


class TestHold:
    def test_no_run_sends_an_action_until_it_is_lifted(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder, journal.begin("other") as other:
            journal.hold_all("the database is being moved")
            for each in (recorder, other):
                with pytest.raises(GuardRefused) as refused:
                    each.tell(intent(5))
                assert str(refused.value) == f"all actions are on hold by {journal.hold()}"
                assert str(refused.value).endswith(": the database is being moved")
                assert refused.value.guard == "hold"
                each.tell(task(6))

            journal.lift()
            recorder.tell(intent(5))

        assert journal.events(RUN) == [task(6), intent(5)]

    def test_who_why_and_until_when(self, journal: Journal) -> None:
        said = journal.hold_all("moving", 60)

        assert (said.by, said.controller, said.why) == (*ME.split(" on "), "moving")
        assert said.until is not None
        assert (said.until - said.since).total_seconds() == pytest.approx(60)
        assert journal.hold() == said
        with journal.begin(RUN) as recorder:
            assert recorder.heed().hold == said

    def test_the_last_word_counts(self, journal: Journal) -> None:
        journal.hold_all("one", 60)
        two = journal.hold_all("two")

        assert journal.hold() == two
        assert journal.lift() == two
        assert journal.hold() is None
        assert journal.lift() is None

    def test_it_ends_by_itself(self, journal: Journal, url: str) -> None:
        journal.hold_all("moving", 60)
        meddle(url, "UPDATE holds SET up = up - 61")

        assert journal.hold() is None
        with journal.begin(RUN) as recorder:
            recorder.tell(intent(5))

        assert journal.events(RUN) == [intent(5)]

    def test_it_does_not_end_because_a_clock_was_set(self, journal: Journal, url: str) -> None:
        journal.hold_all("moving", 60)

        meddle(url, "UPDATE holds SET wall = wall - 3600")  # as if set forth since
        assert journal.hold() is not None
        meddle(url, "UPDATE holds SET wall = :wall, boot = 'another'", wall=moment().wall + 3600)
        assert journal.hold() is not None

    def test_what_is_under_way_ends_and_is_recorded(self, journal: Journal) -> None:
        with journal.begin(RUN) as recorder:
            for event in killed():
                recorder.tell(event)
            journal.hold_all("")
            recorder.tell(ended())

        assert journal.events(RUN) == [*killed(), ended()]
