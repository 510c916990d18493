from __future__ import annotations

from engine.contract.postgres import PostgresSession
from modules.pg_locks import DEEP, MANY, Blocked, chains


def session(pid: int) -> PostgresSession:
    return PostgresSession(
        pid=pid,
        backend_start="2026-11-25T13:37:00.000000Z",
        query_start=None,
        database="shop",
        user="app",
        application="",
        client="local",
        state="active",
        wait=None,
        query=f"select {pid}",
        in_state=5,
        transaction_age=None,
    )


def blocked(pid: int, *by: int) -> dict[int, Blocked]:
    lock = "ShareLock on transactionid"
    return {pid: Blocked(session=session(pid), lock=lock, waited=61, blocked_by=list(by))}


def test_a_prepared_transaction_holds_a_lock_without_a_session() -> None:
    seen = chains(blocked(5, 0), {})
    assert seen.tree == [
        "a prepared transaction",
        "  pid 5 app waits 1 min 1 s for ShareLock on transactionid: select 5",
    ]
    assert seen.blockers == []


def test_a_holder_that_has_gone_is_said_so() -> None:
    assert chains(blocked(5, 4), {}).tree[0] == "pid 4, which has gone"


def test_the_one_with_most_behind_it_comes_first() -> None:
    others = {1: session(1), 2: session(2)}
    seen = chains(blocked(5, 1) | blocked(6, 2) | blocked(7, 6), others)
    assert [(each.session.pid, each.blocks) for each in seen.blockers] == [(2, 2), (1, 1)]
    assert [line.split()[1] for line in seen.tree] == ["2", "6", "7", "1", "5"]


def test_a_deadlock_that_the_server_has_yet_to_find_is_told_without_a_beginning() -> None:
    seen = chains(blocked(5, 6) | blocked(6, 5), {})
    assert (seen.waiting, seen.tree, seen.blockers) == (2, [], [])


def test_a_cycle_behind_a_holder_is_drawn_once() -> None:
    seen = chains(blocked(5, 1, 6) | blocked(6, 5), {1: session(1)})
    assert [line.split()[1] for line in seen.tree] == ["1", "5", "6", "5"]


def test_what_is_told_is_bounded() -> None:
    many: dict[int, Blocked] = {}
    for pid in range(2, 2000):
        many |= blocked(pid, pid - 1)
    seen = chains(many, {1: session(1)})
    assert (seen.waiting, len(seen.blocked)) == (1998, MANY)
    assert len(seen.tree) == DEEP + 1
    assert [each.blocks for each in seen.blockers] == [1998]
    wide: dict[int, Blocked] = {}
    for pid in range(2, 2000):
        wide |= blocked(pid, 1)
    assert len(chains(wide, {1: session(1)}).tree) == MANY
