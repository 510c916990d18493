"""pg_locks on the lab's PostgreSQL: sessions that really wait for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.connections.helpers import eventually
from tests.lab.postgres import DATABASE, ROLE
from tests.modules.clients import Client, clients
from tests.modules.fakes import target
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.links import Links
    from engine.contract import Target
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.lab


@pytest.fixture
def host(lab_postgres: Lab) -> Iterator[Host]:
    host = lab_postgres.h2
    host.psql("create table stock (n int); insert into stock values (1)")
    host.psql(f"alter table stock owner to {ROLE}")
    yield host
    host.psql("drop table stock")


@pytest.fixture
def db(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


def look(db: Target, **args: Any) -> Outcome:
    return probe("pg_locks", {"database": DATABASE, **args}, db)


def hold(client: Client, sql: str = "update stock set n = n + 1") -> None:
    """Hold the row's lock."""
    client.ask(f"begin; {sql}; select 1;")


def wait(host: Host, client: Client, sql: str = "update stock set n = n + 2;") -> None:
    """Wait for a lock, and until the server knows."""
    client.work(sql)
    waits = f"select count(*) from pg_locks where pid = {client.pid} and not granted"  # noqa: S608 - a number
    assert eventually(lambda: host.psql(waits) == "1")


def test_nobody_waits(host: Host, db: Target) -> None:
    with clients(host, ROLE) as (holder,):
        hold(holder)
        outcome = look(db)
    assert outcome.seen == {"waiting": 0, "longest": 0, "blocked": [], "blockers": [], "tree": []}
    assert (outcome.summary, outcome.finding) == ("nobody waits for a lock", None)


def test_who_waits_for_whom(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE) as (holder, waiter):
        hold(holder)
        wait(host, waiter)
        outcome = look(db)
        (blocked,) = outcome.seen["blocked"]
        (blocker,) = outcome.seen["blockers"]
    assert (blocked["session"]["pid"], blocked["blocked_by"]) == (waiter.pid, [holder.pid])
    assert blocked["lock"] == "ShareLock on transactionid"
    assert blocked["session"]["wait"] == "Lock: transactionid"
    assert 0 < blocked["waited"] == outcome.seen["longest"]
    assert (blocker["session"]["pid"], blocker["blocks"]) == (holder.pid, 1)
    assert blocker["session"]["state"] == "idle in transaction"
    assert outcome.summary.startswith("1 session waits for a lock, the longest for ")


def test_waiting_for_too_long_is_a_finding(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE) as (holder, waiter):
        hold(holder)
        wait(host, waiter)
        assert look(db, max_wait="1h").finding is None
        finding = look(db, max_wait=0).finding
    assert finding is not None
    assert finding.startswith("1 session waits for a lock, the longest for ")
    assert f", held up by pid {holder.pid} {ROLE}, idle in transaction for " in finding


def test_a_queue_is_drawn_as_a_tree(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE, ROLE) as (holder, second, third):
        hold(holder)
        wait(host, second, "alter table stock add m int;")
        wait(host, third, "select * from stock;")
        outcome = look(db)
    first, *rest = outcome.seen["tree"]
    assert first.startswith(f"pid {holder.pid} {ROLE}, idle in transaction for ")
    assert first.endswith(": select 1;")
    assert rest[0].startswith(f"  pid {second.pid} {ROLE} waits ")
    assert rest[0].endswith("for AccessExclusiveLock on stock: alter table stock add m int;")
    assert rest[1].startswith(f"    pid {third.pid} {ROLE} waits ")
    assert len(rest) == 2
    assert [each["session"]["pid"] for each in outcome.seen["blocked"]] == [second.pid, third.pid]
    (blocker,) = outcome.seen["blockers"]
    assert (blocker["session"]["pid"], blocker["blocks"]) == (holder.pid, 2)


def test_one_that_waits_for_two_stands_under_both(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE, ROLE) as (one, two, waiter):
        hold(one, "lock stock in share mode")
        hold(two, "lock stock in share mode")
        wait(host, waiter)
        outcome = look(db, max_wait=0)
    assert len(outcome.seen["blockers"]) == 2
    assert str(outcome.finding).endswith(" and 1 more")
    assert [line.startswith("  ") for line in outcome.seen["tree"]] == [False, True, False, True]
    assert outcome.seen["waiting"] == 1


def test_waits_in_another_database_are_left_out(host: Host, db: Target) -> None:
    with clients(host, ROLE, ROLE) as (holder, waiter):
        hold(holder)
        wait(host, waiter)
        assert look(db, database="postgres").seen["waiting"] == 0
        everywhere = probe("pg_locks", {}, db).seen
    assert everywhere["waiting"] == 1


def test_what_our_role_may_not_see_is_still_a_wait(host: Host, db: Target) -> None:
    with clients(host, "postgres", "postgres") as (holder, waiter):
        hold(holder)
        wait(host, waiter)
        seen = look(db, user=ROLE).seen
    (blocked,) = seen["blocked"]
    assert blocked["blocked_by"] == [holder.pid]
    assert blocked["session"]["query"] == "<insufficient privilege>"
    assert blocked["waited"] > 0
