"""pg_terminate on the lab's PostgreSQL; what counts is which backends are there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from engine.contract import GuardRefused, ModuleFailed, Target, postgres_session
from tests.lab.postgres import DATABASE, PASSWORD, ROLE
from tests.modules.clients import Client, clients
from tests.modules.fakes import target
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.links import Links
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.lab
ROOT = "root"
SUPER = "postgres"


@pytest.fixture
def host(lab_postgres: Lab) -> Host:
    return lab_postgres.h2


@pytest.fixture
def db(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


@pytest.fixture
def end(db: Target) -> Callable[..., Outcome]:
    """Run the module on the lab's own sessions alone, which call themselves `app`."""

    def run(**args: Any) -> Outcome:
        meanwhile = args.pop("meanwhile", lambda: None)
        both = {"database": DATABASE, "application": "app", **args}
        return act("pg_terminate", both, db, meanwhile=meanwhile)

    return run


def pids(outcome: Outcome) -> set[int]:
    return {session["pid"] for session in outcome.done["ended"]}


def test_idle_sessions_are_ended_and_others_are_not(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, ROLE, ROLE, ROLE, ROLE) as (idle, also_idle, busy, open_):
        busy.work()
        open_.begin()
        outcome = end(state="idle")
        assert pids(outcome) == {idle.pid, also_idle.pid}
        assert (idle.there, also_idle.there) == (False, False)
        assert (busy.state, open_.state) == ("active", "idle in transaction")
        assert outcome.unconfirmed is None
        assert outcome.change is not None
        assert outcome.change.summary == "2 sessions: 2 idle → ended"
        assert [identity.key["pid"] for identity in outcome.change.on] == sorted(pids(outcome))


def test_it_is_told_what_they_were_doing(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE) as (client,):
        client.ask("select 'the last statement';")
        (session,) = end(state="idle").done["ended"]
        assert session["query"] == "select 'the last statement';"
        assert (session["user"], session["database"]) == (ROLE, DATABASE)
        assert (session["application"], session["client"]) == ("app", "local")
        assert session["state"] == "idle"
        assert session["in_state"] >= 0


def test_nothing_that_matches_is_nothing_to_do(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE) as (client,):
        assert end(state="idle", idle_for="1h").change is None
        assert end(user="nobody").change is None
        assert end(application="other").change is None
        assert end(transaction_age="0s").change is None
        assert client.there


def test_a_superuser_is_spared_unless_named(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, SUPER, ROLE) as (superuser, plain):
        outcome = end(state="idle")
        assert pids(outcome) == {plain.pid}
        assert outcome.seen["superusers"] == 1
        assert superuser.there


def test_a_superuser_asked_for_by_name_alone_is_refused(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, SUPER) as (superuser,):
        with pytest.raises(GuardRefused, match="postgres is a superuser"):
            end(user=SUPER)
        assert superuser.there


def test_a_named_superuser_still_needs_a_superuser(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, SUPER) as (superuser,):
        with pytest.raises(ModuleFailed, match="may not end sessions of postgres"):
            end(state="idle", include_superusers=[SUPER])
        assert superuser.there
        outcome = end(state="idle", include_superusers=[SUPER], login_user=SUPER)
        assert pids(outcome) == {superuser.pid}
        assert not superuser.there


def test_our_own_sessions_are_never_hit(host: Host, db: Target) -> None:
    with postgres_session(db, database=DATABASE) as ours, clients(host, ROOT) as (theirs,):
        mine = ours.info.backend_pid
        outcome = act("pg_terminate", {"user": ROOT}, db)
        assert pids(outcome) == {theirs.pid}
        assert outcome.unconfirmed is None
        assert ours.execute("select pg_backend_pid() as pid").fetchall() == [{"pid": mine}]


def test_replication_and_the_servers_own_processes_are_never_hit(host: Host, db: Target) -> None:
    own = "select pid from pg_stat_activity where backend_type <> 'client backend' order by pid"
    walsender = Client(host, SUPER, database=f"dbname={DATABASE} replication=database")
    try:
        before = host.psql(own)
        assert str(walsender.pid) in before.split()
        args = {"user": SUPER, "include_superusers": [SUPER], "login_user": SUPER, "max": 50}
        assert act("pg_terminate", args, db).change is None
        assert host.psql(own) == before
    finally:
        walsender.close()


def test_idle_for_counts_from_the_last_statement(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE, ROLE) as (old, fresh):
        host.psql("select pg_sleep(0.6)")
        fresh.ask("select 1;")
        assert pids(end(idle_for="500ms")) == {old.pid}
        assert fresh.there


def test_transaction_age(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE, ROLE, ROLE) as (old, fresh, none):
        old.begin()
        host.psql("select pg_sleep(0.6)")
        old.ask("select 1;")
        fresh.begin()
        assert pids(end(transaction_age="500ms")) == {old.pid}
        assert (fresh.there, none.there) == (True, True)


def test_user_and_application(host: Host, db: Target, end: Callable[..., Outcome]) -> None:
    with (
        clients(host, ROLE, ROOT) as (insight, root),
        clients(host, ROLE, application="worker") as (worker,),
    ):
        assert pids(end(user=ROLE)) == {insight.pid}
        assert root.there
        assert pids(act("pg_terminate", {"application": "worker"}, db)) == {worker.pid}
        assert root.there


def test_a_query_pattern(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE, ROLE) as (report, other):
        report.work("select pg_sleep(600) /* Nightly Report */;")
        other.work()
        assert pids(end(query="(?i)nightly report")) == {report.pid}
        assert other.state == "active"


def test_a_statement_is_cancelled_and_the_session_lives(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, ROLE, ROLE) as (busy, idle):
        busy.work()
        outcome = end(mode="cancel")
        assert pids(outcome) == {busy.pid}
        assert outcome.change is not None
        assert outcome.change.summary == "1 session: 1 active → statement cancelled"
        assert (busy.state, idle.state) == ("idle", "idle")
        assert outcome.unconfirmed is None


def test_of_more_than_max_the_longest_idle_are_ended(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, ROLE, ROLE, ROLE) as (first, second, third):
        first.ask("select 1;")  # now the second has been idle for longest
        outcome = end(state="idle", max=2)
        assert pids(outcome) == {second.pid, third.pid}
        assert first.there
        assert outcome.change is not None
        assert outcome.change.summary == "2 sessions of 3 that match (max 2): 2 idle → ended"
        assert outcome.unconfirmed is None


def test_a_session_that_went_back_to_work_is_spared(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, ROLE, ROLE) as (idle, woken):
        outcome = end(state="idle", meanwhile=woken.work)
        assert pids(outcome) == {idle.pid}
        assert outcome.done["spared"] == [woken.pid]
        assert woken.state == "active"
        assert outcome.unconfirmed is None


def test_a_session_that_closed_meanwhile_is_gone(host: Host, end: Callable[..., Outcome]) -> None:
    with clients(host, ROLE) as (client,):
        outcome = end(state="idle", meanwhile=client.end)
        assert outcome.done == {"ended": [], "gone": [client.pid], "spared": []}
        assert outcome.unconfirmed is None


def test_another_session_with_the_same_pid_is_not_hit(host: Host, db: Target) -> None:
    with clients(host, ROLE) as (client,):
        subject = module("pg_terminate", {"application": "app"})
        change = subject.decide(subject.observe(db))  # type: ignore[attr-defined]
        (seen,) = change.on
        earlier = {**seen.key, "backend_start": "2026-01-01T00:00:00.000000Z"}
        other = structs.replace(change, on=(structs.replace(seen, key=earlier),))
        done = subject.apply(db, other)  # type: ignore[attr-defined]
        assert (done.ended, done.gone) == ([], [client.pid])
        assert client.there


def test_a_new_statement_is_not_the_one_that_was_to_be_cancelled(
    host: Host, end: Callable[..., Outcome]
) -> None:
    with clients(host, ROLE) as (busy,):
        busy.work("select pg_sleep(600) /* old */;")

        def next_statement() -> None:
            host.psql(f"select pg_cancel_backend({busy.pid})")
            busy.work("select pg_sleep(600) /* new */;")

        outcome = end(mode="cancel", meanwhile=next_statement)
        assert outcome.done["ended"] == []
        assert outcome.done["spared"] == [busy.pid]
        assert busy.state == "active"


def test_hidden_sessions_are_not_taken_for_none(host: Host, db: Target) -> None:
    login = {"login_user": ROLE, "password": PASSWORD, "host": "localhost"}
    with clients(host, ROOT) as (root,):
        with pytest.raises(ModuleFailed, match="hidden from our role: grant it pg_read_all_stats"):
            act("pg_terminate", {"user": ROOT, **login}, db)
        assert root.there


def test_a_role_may_end_its_own_sessions_over_tcp(host: Host, db: Target) -> None:
    login = {"login_user": ROLE, "password": PASSWORD, "host": "localhost"}
    with clients(host, ROLE) as (mine,):
        args = {"database": DATABASE, "user": ROLE, **login}
        assert pids(act("pg_terminate", args, db)) == {mine.pid}
        assert not mine.there


def test_a_wrong_password_is_the_servers_word(db: Target) -> None:
    login = {"login_user": ROLE, "password": "wrong", "host": "localhost"}
    with pytest.raises(ModuleFailed, match="password authentication failed"):
        act("pg_terminate", {"user": ROLE, **login}, db)


@pytest.mark.parametrize("value", ["x' or true --", "$$", "%s", "%(max)s", "'; drop table t; --"])
def test_arguments_are_never_sql(value: str, host: Host, db: Target) -> None:
    with clients(host, ROLE) as (client,):
        for name in ("database", "user", "application"):
            args = {"state": "idle", name: value}
            if name != "database":
                args["database"] = DATABASE
                assert act("pg_terminate", args, db).change is None
            else:
                with pytest.raises(ModuleFailed, match="does not exist"):
                    act("pg_terminate", args, db)
        assert client.there
