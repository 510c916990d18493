from __future__ import annotations

import msgspec
import pytest

from tests.modules.sequence import module


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "-- nothing",
        "copy (select 1) to program 'touch /tmp/x'",
        "COPY t FROM '/etc/passwd'",
        "vacuum",
        "reindex table t",
        "cluster t",
        "checkpoint",
        "do $$ begin end $$",
        "call p()",
        "load 'x'",
        "notify x",
        "listen x",
        "lock table t",
        "set role postgres",
        "reset all",
        "begin",
        "commit",
        "/* select */ vacuum",
        "-- select\nvacuum",
        "((vacuum))",
        "1",
    ],
)
def test_what_a_read_only_transaction_lets_through_is_refused(query: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="query may not start with"):
        module("pg_query", {"database": "d", "query": query})


@pytest.mark.parametrize(
    "query",
    [
        "select pg_terminate_backend(1)",
        "select pg_catalog.PG_CANCEL_BACKEND (1)",
        'select "pg_reload_conf"()',
        "select pid, pg_terminate_backend(pid) from pg_stat_activity",
        "with x as (select pg_promote()) select * from x",
        "select pg_stat_reset()",
        "select pg_drop_replication_slot('s')",
        "select pg_advisory_lock(1)",
        "select lo_unlink(1)",
        "select * from dblink('', 'delete from t') as t(n int)",
        "select pg_switch_wal()",
    ],
)
def test_functions_that_act_are_refused(query: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="which acts; pg_query only reads"):
        module("pg_query", {"database": "d", "query": query})


@pytest.mark.parametrize(
    "query",
    [
        "select * from pg_stat_activity where query like '%pg_terminate_backend%'",
        "select pg_size_pretty(pg_database_size('d'))",
        "select * from pg_replication_slots",
        "select pg_last_wal_replay_lsn(), pg_is_in_recovery()",
        "select * from pg_locks where locktype = 'advisory'",
    ],
)
def test_looking_at_the_server_is_reading(query: str) -> None:
    assert module("pg_query", {"database": "d", "query": query})


@pytest.mark.parametrize(
    "args",
    [
        {"query": "select 1"},
        {"database": "d"},
        {"database": "d", "query": "select 1", "params": "x"},
        {"database": "d", "query": "select 1", "port": 0},
        {"database": "d", "query": "select 1", "statement_timeout": "soon"},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("pg_query", args)
