"""The journal in PostgreSQL: what is said of it, and what it is made in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine.errors import InputError, JournalError
from engine.journal import open_journal
from engine.journal.actions import OF_TARGET
from engine.journal.guards import Target
from engine.journal.postgres import recorder
from engine.journal.postgres.address import parse
from tests.journal.events import RUN, intent, resolved, started, task
from tests.journal.meddling import meddle
from tests.lab.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.events import Event
    from tests.lab.team import TeamServer

lab = pytest.mark.lab


@pytest.fixture
def database(team_server: TeamServer) -> Iterator[str]:
    with team_server.database() as url:
        yield url


class TestWhatIsShown:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("postgresql://ann:se%40cret@db:5433/j", "postgresql://ann@db:5433/j"),
            ("postgres://db/j?user=ann&password=secret", "postgresql://ann@db/j"),
            ("postgresql:///j?host=/run/postgresql", "postgresql:///run/postgresql/j"),
            ("postgresql://a,b:5433/j", "postgresql://a,b:5433/j"),
            ("postgresql://a,b/j", "postgresql://a,b/j"),
            ("postgresql://", "postgresql:///"),
        ],
    )
    def test_where_it_is_without_the_password(self, url: str, shown: str) -> None:
        assert parse(url).shown == shown

    def test_what_the_url_says_overrules_what_we_would(self) -> None:
        said = parse("postgresql://db/j?connect_timeout=2&application_name=ours").parameters

        assert (said["connect_timeout"], said["application_name"]) == ("2", "ours")
        assert said["keepalives_idle"] == "5"

    @pytest.mark.parametrize(
        "url", ["postgresql://ann:secret@db:x y/j", "postgresql://ann:secret@[db/j", "postgres://a?secret"]
    )  # fmt: skip
    def test_a_url_that_is_not_understood_is_not_repeated(self, url: str) -> None:
        with pytest.raises(InputError, match="postgresql://USER@HOST:PORT/DATABASE") as error:
            open_journal(url)
        assert "secret" not in str(error.value)

    def test_a_server_that_is_not_there(self) -> None:
        port = free_port()
        with pytest.raises(JournalError) as error:
            open_journal(f"postgresql://ann:secret@127.0.0.1:{port}/j")
        said = str(error.value)
        assert said.startswith(f"journal postgresql://ann@127.0.0.1:{port}/j: cannot be reached")
        assert "refused" in said
        assert "secret" not in said

    @lab
    def test_a_wrong_password(self, database: str, team_server: TeamServer) -> None:
        url = database.replace(team_server.password, "hunter222")
        with pytest.raises(JournalError, match="password authentication failed") as error:
            open_journal(url)
        assert "hunter222" not in str(error.value)


@lab
class TestWhatItIsMadeIn:
    def test_who_only_reads_makes_nothing(self, database: str) -> None:
        with pytest.raises(InputError, match=r"there is no journal postgresql://quell@"):
            open_journal(database, create=False)
        assert meddle(database, "SELECT FROM pg_namespace WHERE nspname = 'quell'") == []

    def test_who_may_only_read_reads(self, database: str, team_server: TeamServer) -> None:
        with open_journal(database) as journal, journal.begin(RUN) as writing:
            for event in resolved():
                writing.tell(event)
        name = database.rpartition("/")[2]
        team_server.cluster.psql(f"alter database {name} set default_transaction_read_only = on")

        with open_journal(database, create=False) as journal:
            assert journal.events(RUN) == resolved()
            with pytest.raises(JournalError, match="cannot be written: the server is a standby"):
                journal.begin("other")
            with pytest.raises(JournalError, match="cannot be written"):
                journal.cancel(RUN)

    def test_another_programs_schema_is_left_alone(self, database: str) -> None:
        with psycopg.connect(database) as server:
            server.execute("CREATE SCHEMA quell")
            server.execute("CREATE TABLE quell.feathers (pen text)")

        with pytest.raises(JournalError, match="its schema quell is another program's"):
            open_journal(database)

    def test_an_empty_schema_that_somebody_has_made_is_used(self, database: str) -> None:
        with psycopg.connect(database) as server:
            server.execute("CREATE SCHEMA quell")

        open_journal(database).close()

    def test_a_role_that_may_make_nothing(self, team_server: TeamServer, database: str) -> None:
        name = database.rpartition("/")[2]
        team_server.cluster.psql(f"alter database {name} owner to postgres")

        with pytest.raises(JournalError, match="this role may not do that"):
            open_journal(database)

    def test_other_roles_of_the_team(self, team_server: TeamServer, database: str) -> None:
        open_journal(database).close()
        name = database.rpartition("/")[2]
        for role, rights in (("writer", "select, insert, update, delete"), ("reader", "select")):
            team_server.cluster.psql(
                f"create role {name}_{role} login password '{team_server.password}';"
                f"grant usage on schema quell to {name}_{role};"
                f"grant {rights} on all tables in schema quell to {name}_{role};",
                database=name,
            )
        try:
            writer = database.replace("//quell:", f"//{name}_writer:")
            with open_journal(writer) as journal, journal.begin(RUN) as writing:
                writing.tell(started())
                writing.tell(intent(5))
                writing.lock([Target("db1")])
            with open_journal(database.replace("//quell:", f"//{name}_reader:")) as journal:
                assert journal.events(journal.find("last")) == [started(), intent(5)]
                assert [run.state for run in journal.runs()] == ["broken off"]
                with pytest.raises(JournalError, match="this role may not do that"):
                    journal.begin("other")
        finally:
            for role in ("writer", "reader"):
                team_server.cluster.psql(
                    f"drop owned by {name}_{role}; drop role {name}_{role}", database=name
                )

    def test_a_newer_schema_is_refused(self, database: str) -> None:
        open_journal(database).close()
        meddle(database, "UPDATE journal SET version = 3")

        with pytest.raises(
            JournalError, match=r"newer quell \(its schema is 3, this one knows up to 2"
        ):
            open_journal(database)

    def test_a_database_that_cannot_hold_every_text(self, team_server: TeamServer) -> None:
        options = "encoding 'latin1' locale 'C' template template0"
        with (
            team_server.database(options) as url,
            pytest.raises(JournalError, match="the database's encoding is LATIN1: make one with"),
        ):
            open_journal(url)


@lab
class TestWhatItNames:
    def test_names_that_no_text_column_can_hold(self, database: str) -> None:
        on = [
            {"kind": "script", "name": name, "key": {}} for name in ("a\0b", "\udc80", "é" * 9000)
        ]
        with open_journal(database) as journal, journal.begin(RUN) as writing:
            writing.tell(started())
            writing.tell(intent(5, change={"summary": "hm", "on": on}))

            assert len(journal.events(RUN)) == 2


@lab
def test_what_a_promise_hangs_on_waits_for_the_servers_disk(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So do all, now and then, for what the server may lose is kept here until then.
    monkeypatch.setattr(recorder, "_MOST", 3)
    with open_journal(database) as journal, journal.begin(RUN) as writing:
        levels = []
        tasks = (task(number) for number in range(3, 9))
        story: list[Event] = [started(), task(1), intent(2), *tasks]
        for event in story:
            writing.tell(event)
            levels.append(level(writing))

    assert levels == ["on", "off", "on", "off", "off", "off", "on", "off", "off"]


@lab
def test_a_record_that_was_refused_leaves_nothing_behind_that_the_next_would_meet(
    database: str,
) -> None:
    with open_journal(database) as journal, journal.begin(RUN) as writing:
        for event in (started(), task(1)):
            writing.tell(event)
        meddle(database, "ALTER TABLE actions ADD CHECK (module <> 'odd')")
        with pytest.raises(JournalError, match="violates check constraint"):
            writing.tell(intent(2, module="odd"))
        writing.tell(intent(3))

        assert level(writing) == "on"
        assert journal.events(RUN) == [started(), task(1), intent(3)]


def level(recorder: Any) -> str:
    """Whether its last commit waited: its session is its own, and nobody else can ask."""
    found = recorder._link._database.execute("SHOW synchronous_commit")
    return str(found.fetchone()[0])


@lab
def test_history_is_found_by_the_index(database: str) -> None:
    open_journal(database).close()
    meddle(
        database,
        "INSERT INTO actions (host, kind, name, module, run, intent, sent, wall, boot, up)"
        " SELECT 'h' || n % 100, 'container', 'c', 'docker_restart', 'a', n::text, n, n, '', 0"
        " FROM generate_series(1, 20000) AS n",
    )
    meddle(database, "ANALYZE actions")
    h1 = {"host": "h1", "kind": "container", "name": "c"}
    plan = meddle(database, f"EXPLAIN {OF_TARGET}", **h1, module=None, limit=9)

    assert "actions_of_target" in str(plan)
