"""The database's connection breaks, its server crashes or goes: nothing doubled, nothing lost."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from engine.errors import GuardRefused, JournalError
from engine.events import RunResumed
from engine.journal import open_journal
from engine.journal.guards import Target
from engine.journal.postgres import claiming, recorder
from tests.journal.events import RUN, action, at, ended, intent, started, task
from tests.journal.meddling import meddle
from tests.lab.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.events import Event
    from engine.journal.base import Journal
    from tests.lab.team import TeamServer
    from tests.lab.wire import When

pytestmark = pytest.mark.lab

APP1 = Target("app1", "container", "backend")


@pytest.fixture
def url(team_server: TeamServer) -> Iterator[str]:
    with team_server.database() as made:
        yield made


@pytest.fixture
def wire(team_server: TeamServer) -> Iterator[Wire]:
    with Wire(team_server.cluster.port) as opened:
        yield opened


@pytest.fixture
def cut_off(url: str, wire: Wire, team_server: TeamServer) -> Iterator[Journal]:
    """The journal, over the wire."""
    with open_journal(team_server.url(url.rpartition("/")[2], port=wire.port)) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after half a second, not after ten."""
    monkeypatch.setattr(recorder, "PATIENCE", 0.5)
    monkeypatch.setattr(claiming, "_PATIENCE", 0.5)


@pytest.mark.parametrize(
    ("event", "messages"),
    [(task(1), 1), (intent(5), 6), (action(6), 5)],
    ids=["task", "intent", "action"],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wire_cut_at_any_message(
    journal: Journal, cut_off: Journal, wire: Wire, event: Event, messages: int, when: When
) -> None:
    for message in itertools.count():
        run = f"{when}-{message}"
        story: list[Event] = [started(run), intent(4), task(4.5), event, ended()]
        with cut_off.begin(run) as writing:
            for told in story:
                if told == event:
                    wire.cut(message, when)
                writing.tell(told)
                wire.mend()

        assert journal.events(run) == story
        assert journal.missing(run) == 0
        if wire.cuts <= message:
            break  # it took no more messages than that
    assert wire.cuts >= messages


def test_a_server_that_has_not_noticed_ends_the_old_session_when_told(
    journal: Journal, cut_off: Journal, wire: Wire
) -> None:
    with cut_off.begin(RUN) as writing:
        writing.tell(started())
        for number in range(3):
            wire.cut(0, "unnoticed")
            writing.tell(intent(number, intent=f"i{number}"))

    assert len(journal.events(RUN)) == 4
    assert wire.cuts == 3


def test_a_wire_cut_again_and_again(journal: Journal, cut_off: Journal, wire: Wire) -> None:
    told: list[Event] = [started()]
    with cut_off.begin(RUN) as writing:
        writing.tell(told[0])
        for number in range(1, 25):
            wire.cut(number % 7, "after" if number % 2 else "before")
            told.append(intent(number, intent=f"i{number}") if number % 3 else task(number))
            writing.tell(told[-1])

    assert journal.events(RUN) == told
    assert wire.cuts > 5


def test_a_run_keeps_its_locks_and_its_right_over_a_lost_connection(
    journal: Journal, url: str
) -> None:
    with journal.begin(RUN) as writing, journal.begin("other") as other:
        writing.tell(started())
        writing.lock([APP1])
        _end_sessions(url)

        assert journal.alive(RUN), "it may come back"
        with pytest.raises(GuardRefused, match="lost its connection to the journal"):
            journal.begin(RUN)
        assert set(other.lock([APP1])) == {APP1}
        writing.tell(intent(5))
        assert writing.lock([APP1]) == {}

    assert journal.events(RUN) == [started(), intent(5)]


def test_what_a_crash_of_the_server_loses_is_sent_again(
    journal: Journal, url: str, team_server: TeamServer
) -> None:
    told: list[Event] = [started(), *(task(number, summary=str(number)) for number in range(50))]
    with journal.begin(RUN) as writing:
        for event in told:
            writing.tell(event)
        team_server.cluster.stop("immediate")
        team_server.cluster.start()
        [(left,)] = meddle(url, "SELECT count FROM runs")
        writing.tell(intent(100))

    assert left < len(told), "nothing was lost: this test tells nothing"
    assert journal.events(RUN) == [*told, intent(100)]


def test_a_server_that_starts_anew_is_waited_for(journal: Journal, team_server: TeamServer) -> None:
    with journal.begin(RUN) as writing:
        writing.tell(started())
        team_server.cluster.stop("fast")
        starting = threading.Thread(target=team_server.cluster.start)
        starting.start()
        writing.tell(intent(5))
        starting.join()

    assert journal.events(RUN) == [started(), intent(5)]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_gone_ends_the_run(
    journal: Journal, team_server: TeamServer, url: str
) -> None:
    with journal.begin(RUN) as writing:
        writing.tell(started())
        team_server.cluster.stop("fast")
        try:
            with pytest.raises(JournalError, match=r"cannot be reached.*refused") as error:
                writing.tell(intent(5))
        finally:
            team_server.cluster.start()
        assert team_server.password not in str(error.value)
        # Once given up, for good: others may have taken over meanwhile.
        with pytest.raises(JournalError, match="cannot be reached"):
            writing.tell(ended())
        with pytest.raises(JournalError, match="cannot be reached"):
            writing.heed()

    with open_journal(url) as again:
        assert again.events(RUN) == [started()]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_goes_silent_ends_the_run(cut_off: Journal, wire: Wire) -> None:
    with cut_off.begin(RUN) as writing:
        writing.tell(started())
        wire.silent.set()
        said: list[str] = []

        def tell() -> None:
            try:
                writing.tell(intent(5))
            except JournalError as error:
                said.append(str(error))

        stuck = threading.Thread(target=tell)
        stuck.start()
        with pytest.raises(JournalError):
            writing.heed()  # which frees the other, too
        stuck.join()

        assert len(said) == 1


def test_a_server_that_was_set_back_is_not_written_to(journal: Journal, url: str) -> None:
    with journal.begin(RUN) as writing:
        for event in (started(), intent(5), action(6)):
            writing.tell(event)
        # As if a standby had taken its place that had not heard of the last two.
        meddle(url, "DELETE FROM records WHERE number > 1")
        meddle(
            url,
            "UPDATE runs SET count = 1, head = hash FROM records WHERE records.run = runs.run",
        )
        _end_sessions(url)

        with pytest.raises(JournalError, match="has not what it had acknowledged of run"):
            writing.tell(intent(7, intent="i2"))


def test_a_run_that_others_took_over_writes_nothing_more(journal: Journal, url: str) -> None:
    with journal.begin(RUN) as first:
        first.tell(started())
        _end_sessions(url)
        meddle(url, "UPDATE claims SET seen = 0")  # for too long
        assert not journal.alive(RUN)

        with journal.begin(RUN) as second:
            second.tell(RunResumed(at=at(90), user="bob", options={}))
            with pytest.raises(JournalError, match=r"taken for dead; .* has resumed it"):
                first.tell(intent(5))

    assert [type(event).__name__ for event in journal.events(RUN)] == ["RunStarted", "RunResumed"]


def test_a_run_whose_lock_was_taken_over_writes_nothing_more(journal: Journal, url: str) -> None:
    with journal.begin(RUN) as first, journal.begin("other") as other:
        first.tell(started())
        first.lock([APP1])
        _end_sessions(url)
        other.tell(started("other"))
        meddle(url, "UPDATE claims SET seen = 0 WHERE run = :run", run=RUN)

        assert other.lock([APP1]) == {}
        with pytest.raises(JournalError, match="taken for dead"):
            first.tell(intent(5))
        with pytest.raises(JournalError, match="taken for dead"):
            first.heed()

    with journal.begin(RUN) as again:
        again.tell(intent(5))


def test_a_run_that_is_no_longer_ours_writes_nothing_even_over_a_sound_connection(
    journal: Journal, url: str
) -> None:
    with journal.begin(RUN) as writing:
        writing.tell(started())
        meddle(url, "UPDATE claims SET epoch = epoch + 1")

        with pytest.raises(JournalError, match="taken for dead"):
            writing.tell(intent(5))

    assert journal.events(RUN) == [started()]


def test_a_process_elsewhere_that_is_gone_without_a_word_is_given_time(
    journal: Journal, url: str
) -> None:
    journal.begin(RUN).close()
    elsewhere = "UPDATE claims SET machine = 'elsewhere', who = 'bob', controller = 'ops2', pid = 7"
    meddle(url, f"{elsewhere}, released = false")

    assert journal.alive(RUN)
    with pytest.raises(GuardRefused, match=r"bob on ops2 \(process 7\).*try again in \d+ s"):
        journal.begin(RUN)
    meddle(url, "UPDATE claims SET seen = 0")
    assert not journal.alive(RUN)
    journal.begin(RUN).close()


def test_a_full_disk_of_the_server_stops_the_next_action_and_loses_nothing(
    team_server: TeamServer,
) -> None:
    with team_server.small_tablespace() as space, team_server.database(space) as url:
        told: list[Event] = [started()]
        with open_journal(url) as journal, journal.begin(RUN) as writing:
            writing.tell(told[0])
            said = ""
            while not said:
                try:
                    writing.tell(task(len(told), summary="x" * 100_000))
                except JournalError as error:
                    said = str(error)
                else:
                    told.append(task(len(told), summary="x" * 100_000))
            assert "the server's disk is full" in said
            with pytest.raises(JournalError, match="the server's disk is full"):
                writing.tell(intent(1000, change={"summary": "x" * 100_000}))

            team_server.make_room()
            writing.tell(ended())
            assert journal.events(RUN) == [*told, ended()]


def _end_sessions(url: str) -> None:
    """End all of the journals' sessions, as an administrator does."""
    meddle(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_signs_of_life_are_given(journal: Journal, url: str) -> None:
    with journal.begin(RUN) as writing:
        meddle(url, "UPDATE claims SET seen = 0")
        writing.heed()

        assert meddle(url, "SELECT seen > 0 FROM claims") == [(True,)]
