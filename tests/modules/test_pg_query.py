"""pg_query on the lab's PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import DialRefused, ModuleFailed, Target
from tests.lab.postgres import CERTIFICATE, DATABASE, PASSWORD, ROLE, SECURE_ROLE
from tests.modules.fakes import target
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.connections.links import Links
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.lab
SUPER = "postgres"


@pytest.fixture
def host(lab_postgres: Lab) -> Iterator[Host]:
    host = lab_postgres.h2
    host.psql(
        "create table kept (n int); insert into kept values (1); grant select on kept to root"
    )
    yield host
    host.psql("drop table kept")


@pytest.fixture
def db(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


def ask(db: Target, query: str, **args: Any) -> Outcome:
    return probe("pg_query", {"database": DATABASE, "query": query, **args}, db)


def test_rows_columns_and_the_value(db: Target) -> None:
    outcome = ask(db, "select n, n * n as square from generate_series(1, 3) n")
    assert outcome.seen == {
        "columns": ["n", "square"],
        "rows": [{"n": 1, "square": 1}, {"n": 2, "square": 4}, {"n": 3, "square": 9}],
        "truncated": False,
        "value": 1,
    }
    assert outcome.summary == "3 rows"
    assert outcome.finding is None


@pytest.mark.parametrize(
    ("query", "summary", "value"),
    [
        ("select 0.25::float", "0.25", 0.25),
        ("select 1 where false", "0 rows", None),
        ("select 1, 2", "1 row", 1),
        ("select null", "None", None),
        ("values ('a'), ('b')", "2 rows", "a"),
        ("table kept", "1", 1),
        ("with one as (select 7 as n) select n from one", "7", 7),
        ("(select 1) union all (select 2) order by 1", "2 rows", 1),
        ("-- a comment\n/* and; another */ select 5;", "5", 5),
        ("show max_connections", "20", "20"),
        ("explain (costs off) select 1", "Result", "Result"),
        ("SELECT 'a%b'", "a%b", "a%b"),
        ("select from kept", "1 row", None),
    ],
)
def test_reading_statements(query: str, summary: str, value: object, db: Target) -> None:
    outcome = ask(db, query)
    assert (outcome.summary, outcome.seen["value"]) == (summary, value)


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ("1.5::numeric", 1.5),
        ("count(*)", 1),
        ("sum(n)", 1),
        ("10::numeric", 10),
        ("12345678901234567890::numeric", 1.2345678901234567e19),
        ("'NaN'::float", None),
        ("'Infinity'::numeric", None),
        ("true", True),
        ("'2026-11-23 13:37:00+00'::timestamptz at time zone 'utc'", "2026-11-23 13:37:00"),
        ("'infinity'::timestamptz", "infinity"),
        ("date '2026-11-23'", "2026-11-23"),
        ("interval '90 minutes'", 5400.0),
        ("'{\"a\": [1, 2.5, null]}'::jsonb", {"a": [1, 2.5, None]}),
        ("array[1, 2, null]", [1, 2, None]),
        ("array['infinity'::timestamp]", ["infinity"]),
        ("'\\x00ff'::bytea", "00ff"),
        ("'10.0.0.0/8'::inet", "10.0.0.0/8"),
        ("'8d7f5f8e-0000-4000-8000-000000000000'::uuid", "8d7f5f8e-0000-4000-8000-000000000000"),
        ("int4range(1, 5)", "[1, 5)"),
        ("repeat('x', 20000)", "x" * 10000 + "… 10000 characters left out"),
    ],
)
def test_every_value_is_plain(expression: str, plain: object, db: Target) -> None:
    value = ask(db, f"select {expression} from kept group by n").seen["value"]  # noqa: S608
    assert value == plain
    assert type(value) is type(plain)
    json.dumps(value)


def test_columns_of_one_name_are_told_apart(db: Target) -> None:
    outcome = ask(db, "select count(*), count(n), 1 as x from kept")
    assert outcome.seen["columns"] == ["count", "count_2", "x"]
    assert outcome.seen["rows"] == [{"count": 1, "count_2": 1, "x": 1}]


def test_rows_are_bounded(db: Target) -> None:
    outcome = ask(db, "select n from generate_series(1, 1000) n")
    assert (len(outcome.seen["rows"]), outcome.seen["truncated"]) == (1000, False)
    outcome = ask(db, "select generate_series(1, 100000000), repeat('x', 1000)")
    assert (len(outcome.seen["rows"]), outcome.seen["truncated"]) == (1000, True)
    assert outcome.summary == "more than 1000 rows"


@pytest.mark.parametrize(
    "value", ["x", "'; drop table kept; --", "%s", "$1", "\\", "é\n", "", None, 5, 1.5, True]
)
def test_parameters_are_bound(value: object, host: Host, db: Target) -> None:
    assert ask(db, "select %s", params=[value]).seen["value"] == value
    assert ask(db, "select %(v)s", params={"v": value}).seen["value"] == value
    assert host.psql("select count(*) from kept") == "1"


@pytest.mark.parametrize("params", [[], [1, 2], {"other": 1}, [{"a": 1}]])
def test_parameters_that_do_not_fit_are_a_failure(params: object, db: Target) -> None:
    with pytest.raises(ModuleFailed):
        ask(db, "select %s", params=params)


@pytest.mark.parametrize(
    "query",
    [
        "delete from kept",
        "insert into kept values (2)",
        "update kept set n = 2",
        "truncate kept",
        "drop table kept",
        "create table other (n int)",
        "create temporary table other (n int)",
        "alter table kept add m int",
        "alter system set work_mem = '1MB'",
        "grant select on kept to public",
        "with gone as (delete from kept returning n) select n from gone",
        "explain analyze delete from kept",
        "select n into other from kept",
        "select n from kept for update",
        "select set_config('transaction_read_only', 'off', true), nextval('s') from kept",
    ],
)
def test_a_statement_that_writes_is_refused_by_the_server(
    query: str, host: Host, db: Target
) -> None:
    with pytest.raises(ModuleFailed, match="PostgreSQL says: "):
        ask(db, query, user=SUPER)
    assert host.psql("select n from kept") == "1"
    assert host.psql("select to_regclass('other')") == ""


def test_the_read_only_transaction_is_named(db: Target) -> None:
    with pytest.raises(ModuleFailed) as failed:
        ask(db, "delete from kept", user=SUPER)
    said = "PostgreSQL says: cannot execute DELETE in a read-only transaction"
    assert failed.value.message == said


@pytest.mark.parametrize(
    "query",
    [
        "select 1; select 2",
        "select 1; commit; delete from kept",
        "show work_mem; delete from kept",
        "select 1; rollback; begin read write; delete from kept; commit",
        "explain select 1; commit; delete from kept",
    ],
)
@pytest.mark.parametrize("params", [None, []])
def test_several_statements_are_refused(
    query: str, params: list[Any] | None, host: Host, db: Target
) -> None:
    with pytest.raises(ModuleFailed, match="cannot insert multiple commands"):
        ask(db, query, user=SUPER, params=params)
    assert host.psql("select n from kept") == "1"


def test_a_statement_is_ended_after_its_time(host: Host, db: Target) -> None:
    with pytest.raises(ModuleFailed, match="canceling statement due to statement timeout"):
        ask(db, "select pg_sleep(600)", statement_timeout="100ms")
    sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%'"
    assert host.psql(f"{sleeping} and pid <> pg_backend_pid()") == "0"


def test_nothing_of_it_is_left_on_the_server(host: Host, db: Target) -> None:
    ours = "select count(*) from pg_stat_activity where application_name = 'quell'"
    assert ask(db, ours).seen["value"] == 1
    assert host.psql(ours) == "0"


def test_the_servers_words_are_told(db: Target) -> None:
    with pytest.raises(ModuleFailed, match='PostgreSQL says: relation "nowhere" does not exist'):
        ask(db, "select * from nowhere")
    with pytest.raises(ModuleFailed, match='database "nowhere" does not exist'):
        probe("pg_query", {"database": "nowhere", "query": "select 1"}, db)
    with pytest.raises(ModuleFailed, match="division by zero"):
        ask(db, "select 1 / 0")


def test_over_tcp_with_a_password(db: Target) -> None:
    login = {"user": ROLE, "host": "localhost"}
    who = "select current_user::text"
    assert ask(db, who, password=PASSWORD, **login).seen["value"] == ROLE
    with pytest.raises(ModuleFailed, match="password authentication failed"):
        ask(db, who, password="wrong", **login)


def test_over_tcp_with_tls(db: Target, host: Host, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(host.exec(["cat", CERTIFICATE], check=True).stdout)
    login = {"user": SECURE_ROLE, "password": PASSWORD, "host": f"db.{host.name}"}
    who = "select current_user::text"
    checked = ask(db, who, sslmode="verify-full", ca=str(ca), **login)
    assert checked.seen["value"] == SECURE_ROLE
    with pytest.raises(ModuleFailed, match="no encryption"):
        ask(db, who, sslmode="disable", **login)


def test_no_server_there(db: Target) -> None:
    with pytest.raises(DialRefused):
        ask(db, "select 1", port=5433)
