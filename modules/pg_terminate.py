"""`pg_terminate`: end PostgreSQL sessions, or what they run."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from engine.contract import (
    Action,
    Change,
    Duration,
    GuardRefused,
    Identity,
    Meta,
    ModuleFailed,
    Pattern,
    Struct,
    Target,
    contains,
    count,
    seconds,
    to_plain,
)
from engine.contract.postgres import PostgresLogin, PostgresSession

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import psycopg

State = Literal["active", "idle", "idle in transaction", "idle in transaction (aborted)"]

FILTERS = ("database", "user", "application", "state", "idle_for", "transaction_age", "query")
PATIENCE = 10.0
POLL = 0.1
"""Seconds to wait for signalled sessions to be gone, and between two looks."""

# A session that is hidden from our role has no backend_type and so does not match.
_MATCHES = """
    a.backend_type = 'client backend'
    and a.pid <> pg_backend_pid()
    and a.application_name is distinct from nullif(current_setting('application_name'), '')
    and (%(database)s::text is null or a.datname = %(database)s)
    and (%(user)s::text is null or a.usename = %(user)s)
    and (%(application)s::text is null or a.application_name = %(application)s)
    and (%(states)s::text[] is null or a.state = any(%(states)s))
    and (%(idle_for)s::float is null or (a.state like 'idle%%'
         and a.state_change <= now() - make_interval(secs => %(idle_for)s)))
    and (%(transaction_age)s::float is null
         or a.xact_start <= now() - make_interval(secs => %(transaction_age)s))
"""
_ALLOWED = "(not r.rolsuper or r.rolname = any(%(include_superusers)s))"
# As the server checks it in pg_signal_backend().
_PERMITTED = """
    (current_setting('is_superuser') = 'on' or (not r.rolsuper
     and (pg_has_role(r.oid, 'USAGE') or pg_has_role('pg_signal_backend', 'USAGE'))))
"""
# The statements are made of constants of this file; every value is bound.
_LOOK = f"""
select {PostgresSession.COLUMNS}, {_ALLOWED} as allowed, {_PERMITTED} as permitted
from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
where {_MATCHES}
order by a.state_change, a.pid
"""  # noqa: S608 - see above
_HIDDEN = """
select count(*) as hidden from pg_stat_activity a
where a.backend_start is null
  and (%(database)s::text is null or a.datname = %(database)s)
  and (%(user)s::text is null or a.usename = %(user)s)
"""
_WANTED = f"""
from unnest(%(pids)s::int[], %(backend_starts)s::text[], %(query_starts)s::text[])
       as w (wanted_pid, backend_start, query_start)
left join pg_stat_activity a
       on a.pid = w.wanted_pid and {PostgresSession.BACKEND_START} = w.backend_start
left join pg_roles r on r.oid = a.usesysid
"""
_STILL = f"""
coalesce({_MATCHES} and {_ALLOWED}
         and (w.query_start is null or {PostgresSession.QUERY_START} = w.query_start), false)
"""
_SIGNAL = {
    mode: f"""
select {PostgresSession.COLUMNS}, w.wanted_pid,
       case when {_STILL} then {function}(a.pid) end as signalled
{_WANTED}
order by w.wanted_pid
"""
    for mode, function in {
        "terminate": "pg_terminate_backend",
        "cancel": "pg_cancel_backend",
    }.items()
}
_REMAINING = f"select w.wanted_pid {_WANTED} where {_STILL} order by w.wanted_pid"


class Sessions(Struct, frozen=True, kw_only=True):
    """What matches.

    Args:
        matching: those that may be ended, the longest in their state first.
        superusers: how many more match but are superusers' and not named.
        hidden: how many our role may not look at.
    """

    matching: list[PostgresSession]
    superusers: int
    hidden: int


class Ended(Struct, frozen=True, kw_only=True):
    """Who was ended.

    Args:
        ended: with what they were doing at that moment.
        gone: pids of those that had gone by themselves.
        spared: pids of those that had come to do something else.
    """

    ended: list[PostgresSession]
    gone: list[int]
    spared: list[int]


class PgTerminate(PostgresLogin, Action[Sessions], frozen=True, kw_only=True):
    """End PostgreSQL sessions that match, or cancel what they run.

    At least one filter is needed, and a session must pass all of them. Never hit are our own
    sessions, superusers' (unless named), replication and the server's own processes. If more
    than `max` match, the `max` that have been longest in their state are ended, and the change
    says of how many. Each session is checked once more in the statement that ends it: one that
    has gone, or no longer matches, is left alone.

    Args:
        database: filter: connected to this database; we log in there too, else at `postgres`.
        user: filter: logged in as this role.
        application: filter: with this `application_name`.
        state: filter: in this state, or one of these.
        idle_for: filter: idle, in a transaction or not, for at least so long.
        transaction_age: filter: in a transaction that began at least so long ago.
        query: filter: an RE2 pattern in its current or last statement.
        mode: `terminate` ends the session, `cancel` only the statement that it runs.
        max: how many at most.
        include_superusers: superusers' roles that may be hit all the same.
        login_user: the role to log in as; the account that we are on the host unless given.
        password: the role's; not needed where the server trusts the host's account.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.
        sslmode: how TLS is used with a server that has a name, in libpq's words; `prefer` unless
            given.
        ca: a PEM file on the controller with the authorities to trust, for `verify-full` and
            `verify-ca`.

    **Source:** PostgreSQL, "Server Signaling Functions", "pg_stat_activity";
    src/backend/storage/ipc/signalfuncs.c for who may signal whom.
    """

    database: str | None = None
    user: str | None = None
    application: str | None = None
    state: State | list[State] | None = None
    idle_for: Duration | None = None
    transaction_age: Duration | None = None
    query: Pattern | None = None
    mode: Literal["terminate", "cancel"] = "terminate"
    max: Annotated[int, Meta(ge=1)] = 10
    include_superusers: tuple[str, ...] = ()
    login_user: str | None = None

    def __post_init__(self) -> None:
        """Refuse to run without a filter, and to cancel where nothing runs.

        Raises:
            ValueError: the arguments do not go together.
        """
        super().__post_init__()
        if all(getattr(self, name) in (None, [], "") for name in FILTERS):
            raise ValueError(f"no filter: give at least one of {', '.join(FILTERS)}")
        if self.mode == "cancel" and (self.idle_for is not None or self._states() != ["active"]):
            raise ValueError("mode cancel: an idle session runs nothing that could be cancelled")
        if self.query is not None:
            contains("", self.query)

    def observe(self, target: Target) -> Sessions:
        """Find the sessions that match."""
        with self._session(target) as session:
            rows = session.execute(_LOOK.encode(), self._filters()).fetchall()
            (hidden,) = session.execute(_HIDDEN.encode(), self._filters()).fetchall()
        if self.query is not None:
            rows = [row for row in rows if contains(row["query"], self.query)]
        allowed = [row for row in rows if row["allowed"]]
        if hidden["hidden"] and not allowed:
            raise ModuleFailed(
                f"{hidden['hidden']} sessions are hidden from our role: grant it pg_read_all_stats"
            )
        refused = sorted({row["user"] for row in allowed[: self.max] if not row["permitted"]})
        if refused:
            raise ModuleFailed(
                f"our role may not end sessions of {', '.join(refused)}: "
                "grant it pg_signal_backend (only a superuser ends a superuser's)"
            )
        return Sessions(
            matching=[PostgresSession.of(row) for row in allowed],
            superusers=len(rows) - len(allowed),
            hidden=hidden["hidden"],
        )

    def decide(self, seen: Sessions) -> Change | None:
        """End those that match, at most `max`."""
        if not seen.matching:
            if self.user is not None and seen.superusers:
                raise GuardRefused(
                    f"{self.user} is a superuser, whose sessions are left alone unless "
                    "include_superusers names it"
                )
            return None
        hit = sorted(seen.matching[: self.max], key=lambda session: session.pid)
        return Change(
            summary=f"{self._counted(hit, len(seen.matching))} → {self._done()}",
            on=tuple(self._identity(session) for session in hit),
            before=to_plain(hit),
            after=[],
        )

    def apply(self, target: Target, change: Change) -> Ended:
        """End them in one statement that looks at each once more."""
        with self._session(target) as session:
            rows = session.execute(_SIGNAL[self.mode].encode(), self._wanted(change)).fetchall()
        return Ended(
            ended=[PostgresSession.of(row) for row in rows if row["signalled"]],
            gone=[row["wanted_pid"] for row in rows if _gone(row)],
            spared=[row["wanted_pid"] for row in rows if row["pid"] and row["signalled"] is None],
        )

    def confirm(self, target: Target, change: Change) -> str | None:
        """Wait until none of them is there and matches any more."""
        until = time.monotonic() + min(PATIENCE, target.deadline.remaining() - POLL)
        with self._session(target) as session:
            while True:
                rows = session.execute(_REMAINING.encode(), self._wanted(change)).fetchall()
                if not rows:
                    return None
                if time.monotonic() >= until:
                    pids = ", ".join(str(row["wanted_pid"]) for row in rows)
                    return f"{len(rows)} sessions do not end: pid {pids}"
                time.sleep(POLL)

    def _session(
        self, target: Target
    ) -> AbstractContextManager[psycopg.Connection[dict[str, Any]]]:
        return self.login(target, database=self.database or "postgres", user=self.login_user)

    def _states(self) -> list[State] | None:
        if self.state is None:
            return ["active"] if self.mode == "cancel" else None
        return self.state if isinstance(self.state, list) else [self.state]

    def _filters(self) -> dict[str, Any]:
        return {
            "database": self.database,
            "user": self.user,
            "application": self.application,
            "states": self._states(),
            "idle_for": None if self.idle_for is None else seconds(self.idle_for),
            "transaction_age": (
                None if self.transaction_age is None else seconds(self.transaction_age)
            ),
            "include_superusers": list(self.include_superusers),
        }

    def _wanted(self, change: Change) -> dict[str, Any]:
        keys = [identity.key for identity in change.on]
        return {
            **self._filters(),
            "pids": [key["pid"] for key in keys],
            "backend_starts": [key["backend_start"] for key in keys],
            "query_starts": [key.get("query_start") for key in keys],
        }

    def _identity(self, session: PostgresSession) -> Identity:
        key: dict[str, str | int] = {"pid": session.pid, "backend_start": session.backend_start}
        if session.query_start and (self.mode == "cancel" or self.query is not None):
            # It was chosen for this statement, not for whatever it runs next.
            key["query_start"] = session.query_start
        return Identity("backend", session.user, key)

    def _counted(self, hit: list[PostgresSession], matching: int) -> str:
        states = Counter(session.state for session in hit)
        shown = ", ".join(f"{number} {state}" for state, number in states.most_common())
        of = f" of {matching} that match (max {self.max})" if matching > len(hit) else ""
        return f"{count(len(hit), 'session')}{of}: {shown}"

    def _done(self) -> str:
        return "ended" if self.mode == "terminate" else "statement cancelled"


def _gone(row: dict[str, Any]) -> bool:
    return row["pid"] is None or row["signalled"] is False


EXAMPLE = """
name: End idle sessions
pg_terminate: {database: insightengine, state: idle, idle_for: 10m, max: 50}
"""
