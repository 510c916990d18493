"""`pg_locks`: who waits for whom in PostgreSQL."""

from __future__ import annotations

from typing import Any

from engine.contract import Duration, Probe, Struct, Target, count, cut, duration, seconds
from engine.contract.postgres import PostgresLogin, PostgresSession

MANY = 100
"""Blocked sessions that are told, the longest first."""
DEEP = 20
"""Levels of the tree that are drawn."""
QUERY_WIDTH = 60
"""Characters of a statement in a line of the tree."""

# pg_locks tells everyone of every wait. pg_blocking_pids() holds up the lock manager, so it is
# called only for those that wait. waitstart came with PostgreSQL 14.
_BLOCKED = f"""
with waits as materialized (
    select distinct on (l.pid) l.pid, l.mode, l.locktype,
           case when d.datname = current_database() then l.relation::regclass::text end as relation,
           (to_jsonb(l) ->> 'waitstart')::timestamptz as since
    from pg_locks l left join pg_database d on d.oid = l.database
    where not l.granted order by l.pid
)
select {PostgresSession.COLUMNS}, w.mode, w.locktype, w.relation,
       pg_blocking_pids(w.pid) as blocked_by,
       extract(epoch from now() - coalesce(w.since, a.state_change))::float as waited
from waits w join pg_stat_activity a on a.pid = w.pid
where %(database)s::text is null or a.datname = %(database)s
order by waited desc nulls last, a.pid
"""  # noqa: S608 - made of constants of this file; every value is bound
_BLOCKERS = f"""
select {PostgresSession.COLUMNS} from pg_stat_activity a where a.pid = any(%(pids)s) order by a.pid
"""  # noqa: S608 - likewise


class Blocked(Struct, frozen=True, kw_only=True):
    """A session that waits for a lock.

    Args:
        session: who it is.
        lock: what it waits for: `ShareLock on transactionid`, `AccessExclusiveLock on orders`.
        waited: for so many seconds; None where our role may not see that.
        blocked_by: pids that it waits for; 0 is a prepared transaction.
    """

    session: PostgresSession
    lock: str
    waited: float | None
    blocked_by: list[int]


class Blocker(Struct, frozen=True, kw_only=True):
    """A session that others wait for and that waits for none itself.

    Args:
        session: who it is.
        blocks: how many wait for it, directly or behind others.
    """

    session: PostgresSession
    blocks: int


class Locks(Struct, frozen=True, kw_only=True):
    """Who waits for whom.

    Args:
        waiting: how many sessions wait.
        longest: seconds that the first of them has waited; 0 if nobody does.
        blocked: who waits, the longest first, at most 100.
        blockers: where the chains begin, those with the most behind them first.
        tree: the same, drawn: a line a session, indented under the one that it waits for.
    """

    waiting: int
    longest: float
    blocked: list[Blocked]
    blockers: list[Blocker]
    tree: list[str]


class PgLocks(PostgresLogin, Probe[Locks], frozen=True, kw_only=True):
    """See which PostgreSQL sessions wait for a lock, and who holds them up.

    Without `expect` it is a finding when one has waited for too long. What to do about it is in
    `blockers`: end these (`pg_terminate`), and the others go on. Passwords in statements are
    masked.

    Args:
        database: only waits in it are told; we log in there too, else at `postgres`. A table is
            told by name only in the database that we logged in at.
        max_wait: so long a session may wait.
        user: the role to log in as; the account that we are on the host unless given. It sees
            others' statements if it has `pg_monitor`.
        password: the role's; not needed where the server trusts the host's account.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.
        sslmode: how TLS is used with a server that has a name, in libpq's words; `prefer` unless
            given.
        ca: a PEM file on the controller with the authorities to trust, for `verify-full` and
            `verify-ca`.

    **Source:** PostgreSQL, "pg_locks", "pg_blocking_pids".
    """

    database: str | None = None
    max_wait: Duration = "10s"
    user: str | None = None

    def observe(self, target: Target) -> Locks:
        """Ask who waits, then who those are that they wait for."""
        with self.login(target, database=self.database or "postgres", user=self.user) as session:
            values = {"database": self.database}
            waiting = session.execute(_BLOCKED.encode(), values).fetchall()
            wanted = sorted({pid for row in waiting for pid in row["blocked_by"]})
            others = session.execute(_BLOCKERS.encode(), {"pids": wanted}).fetchall()
        blocked = {row["pid"]: _blocked(row) for row in waiting}
        sessions = {row["pid"]: PostgresSession.of(row) for row in others}
        return chains(blocked, sessions)

    def finding(self, seen: Locks) -> str | None:
        """A session that has waited for too long."""
        if not seen.waiting or seen.longest < seconds(self.max_wait):
            return None
        return f"{_waiting(seen)}{_by(seen.blockers)}"

    def summary(self, seen: Locks) -> str:
        """`3 sessions wait for a lock, the longest for 40 s`."""
        return _waiting(seen) if seen.waiting else "nobody waits for a lock"


def _blocked(row: dict[str, Any]) -> Blocked:
    return Blocked(
        session=PostgresSession.of(row),
        lock=f"{row['mode']} on {row['relation'] or row['locktype']}",
        waited=row["waited"],
        blocked_by=sorted(set(row["blocked_by"])),
    )


def chains(blocked: dict[int, Blocked], others: dict[int, PostgresSession]) -> Locks:
    """Who waits for whom, from where each chain begins.

    Args:
        blocked: who waits, by pid.
        others: the sessions that they wait for, by pid, unless they have gone.
    """
    behind: dict[int, list[int]] = {}
    for pid, each in blocked.items():
        for holder in each.blocked_by:
            behind.setdefault(holder, []).append(pid)
    counts = {pid: len(_all_behind(pid, behind)) for pid in behind if pid not in blocked}
    first = sorted(counts, key=lambda pid: (-counts[pid], pid))
    waited = [each.waited or 0 for each in blocked.values()]
    return Locks(
        waiting=len(blocked),
        longest=max(waited, default=0),
        blocked=list(blocked.values())[:MANY],
        blockers=[
            Blocker(session=others[pid], blocks=counts[pid]) for pid in first if pid in others
        ],
        tree=_tree(first, behind, blocked, others),
    )


def _all_behind(pid: int, behind: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    left = [pid]
    while left:
        new = set(behind.get(left.pop(), ())) - found
        found |= new
        left += new
    return found


def _tree(
    first: list[int],
    behind: dict[int, list[int]],
    blocked: dict[int, Blocked],
    others: dict[int, PostgresSession],
) -> list[str]:
    lines: list[str] = []
    drawn: set[int] = set()
    left = [(pid, 0) for pid in reversed(first)]
    while left and len(lines) < MANY:
        pid, depth = left.pop()
        lines.append("  " * depth + _line(pid, blocked, others))
        if pid not in drawn and depth < DEEP:  # one that waits for two stands under both
            left += [(each, depth + 1) for each in reversed(behind.get(pid, []))]
        drawn.add(pid)
    return lines


def _line(pid: int, blocked: dict[int, Blocked], others: dict[int, PostgresSession]) -> str:
    if pid in blocked:
        each = blocked[pid]
        waits = f"waits {duration(each.waited or 0)} for {each.lock}"
        return f"pid {pid} {each.session.user} {waits}: {_short(each.session.query)}"
    if pid == 0:
        return "a prepared transaction"
    if pid not in others:
        return f"pid {pid}, which has gone"
    return f"{_who(others[pid])}: {_short(others[pid].query)}"


def _who(session: PostgresSession) -> str:
    since = f" for {duration(session.in_state)}" if session.in_state is not None else ""
    state = f", {session.state}{since}" if session.state else ""
    return f"pid {session.pid} {session.user}{state}"


def _short(query: str) -> str:
    return cut(" ".join(query.split()), QUERY_WIDTH)


def _waiting(seen: Locks) -> str:
    verb = "waits" if seen.waiting == 1 else "wait"
    return (
        f"{count(seen.waiting, 'session')} {verb} for a lock, "
        f"the longest for {duration(seen.longest)}"
    )


def _by(blockers: list[Blocker]) -> str:
    if not blockers:
        return ""
    more = f" and {len(blockers) - 1} more" if len(blockers) > 1 else ""
    return f", held up by {_who(blockers[0].session)}{more}"


EXAMPLE = """
name: Who holds up whom
pg_locks: {database: insightengine, max_wait: 5s}
register: locks
"""
