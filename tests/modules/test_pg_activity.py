"""pg_activity on the lab's PostgreSQL, which has 20 connections, 3 of them reserved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import ModuleFailed, Target
from tests.lab.postgres import DATABASE, ROLE
from tests.modules.clients import Client, clients
from tests.modules.fakes import target
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from engine.connections.links import Links
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.lab
SUPER = "postgres"


@pytest.fixture
def host(lab_postgres: Lab) -> Host:
    return lab_postgres.h2


@pytest.fixture
def db(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


def look(db: Target, **args: Any) -> Outcome:
    return probe("pg_activity", {"database": DATABASE, **args}, db)


def test_sessions_are_counted_by_state(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE, ROLE, ROLE) as (_, _, busy, open_):
        busy.work()
        open_.begin()
        outcome = look(db)
    assert outcome.seen["states"] == {"idle": 2, "active": 1, "idle in transaction": 1}
    assert (outcome.seen["max_connections"], outcome.seen["reserved"]) == (20, 3)
    assert (outcome.seen["used"], outcome.seen["percent"]) == (4, 23.5)
    assert outcome.seen["hidden"] == 0
    assert outcome.finding is None
    told = "4 of 17 connections: 2 idle, 1 active, 1 idle in transaction · oldest transaction "
    assert outcome.summary.startswith(told)


def test_no_session_is_told_as_none(db: Target) -> None:
    outcome = look(db)
    assert (outcome.seen["states"], outcome.seen["groups"]) == ({}, [])
    assert (outcome.seen["transactions"], outcome.seen["queries"]) == ([], [])
    assert outcome.summary == "0 of 17 connections"


def test_sessions_are_grouped_by_who_they_are(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE, application="web"), clients(host, SUPER, application="cron"):
        groups = look(db).seen["groups"]
    assert groups == [
        {"database": DATABASE, "user": ROLE, "application": "web", "state": "idle", "sessions": 2},
        {
            "database": DATABASE,
            "user": SUPER,
            "application": "cron",
            "state": "idle",
            "sessions": 1,
        },
    ]


def test_the_longest_come_first_and_are_bounded(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE, ROLE) as (first, second, third):
        first.begin()
        second.work("select pg_sleep(600), 'second';")
        third.work("select pg_sleep(600), 'third';")
        seen = look(db, longest=2).seen
        assert [each["pid"] for each in seen["transactions"]] == [first.pid, second.pid]
        assert [each["pid"] for each in seen["queries"]] == [second.pid, third.pid]
        assert seen["queries"][0]["query"] == "select pg_sleep(600), 'second';"
        assert seen["queries"][0]["wait"] == "Timeout: PgSleep"
        assert look(db, longest=0).seen["queries"] == []


def test_nearly_used_up_is_a_finding(host: Host, db: Target) -> None:
    with clients(host, *[ROLE] * 16):
        assert look(db, max_percent=95).finding is None
        outcome = look(db)
    assert outcome.seen["percent"] == 94.1
    assert outcome.finding == "16 of 17 connections in use (94.1 %), expected less than 90 %"


def test_used_up_is_the_servers_own_word(host: Host, db: Target) -> None:
    with clients(host, *[ROLE] * 17):
        with pytest.raises(ModuleFailed, match="remaining connection slots are reserved"):
            look(db)
        assert look(db, user=SUPER).seen["percent"] == 100


def test_a_transaction_that_is_open_for_too_long_is_a_finding(host: Host, db: Target) -> None:
    with clients(host, ROLE) as (client,):
        client.begin()
        assert look(db, max_transaction_age="1h").finding is None
        finding = look(db, max_transaction_age="1ms").finding
    assert finding is not None
    assert re.match("a transaction is open for [1-9]", finding)
    assert finding.endswith(f"(pid {client.pid}, {ROLE}, idle in transaction)")
    assert look(db, max_transaction_age=0).finding is None


def test_connections_are_counted_over_all_databases(host: Host, db: Target) -> None:
    elsewhere = Client(host, SUPER, database="postgres")
    try:
        outcome = look(db)
        assert (outcome.seen["used"], outcome.seen["states"]) == (1, {})
        assert probe("pg_activity", {}, db).seen["states"] == {"idle": 1}
    finally:
        elsewhere.close()


def test_what_our_role_may_not_see_is_said(host: Host, db: Target) -> None:
    with clients(host, SUPER, ROLE):
        seen = look(db, user=ROLE).seen
    assert seen["states"] == {"hidden": 1, "idle": 1}
    assert (seen["hidden"], seen["used"]) == (1, 2)


def test_a_password_in_a_statement_is_not_told(host: Host, db: Target) -> None:
    with clients(host, SUPER) as (client,):
        client.begin()
        client.ask("alter role insight password 'changed';\n\\echo done")
        (session,) = look(db).seen["transactions"]
        client.ask("rollback;\n\\echo done")
    assert session["query"] == "alter role insight password ***;"


def test_the_statements_are_read_and_bounded(host: Host, db: Target) -> None:
    with clients(host, ROLE) as (client,):
        client.work(f"select pg_sleep(600), '{'x' * 1020}';")  # the server keeps 1023 bytes
        (session,) = look(db).seen["queries"]
    assert len(session["query"]) == 1000
    assert session["query"].endswith("x…")
