"""`pg_activity`: what PostgreSQL's sessions are doing, and how many more there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from engine.contract import Duration, Meta, Probe, Struct, Target, count, duration, percent, seconds
from engine.contract.postgres import PostgresLogin, PostgresSession

if TYPE_CHECKING:
    import psycopg

GROUPS = 20
"""Groups of sessions that are kept, the largest first."""

_LIMITS = """
select current_setting('max_connections')::int as most,
       current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true), '0')::int as reserved
"""
# A session that is hidden from our role has no backend_type.
_CLIENTS = """
    a.pid <> pg_backend_pid()
    and (a.backend_type = 'client backend'
         or (a.backend_type is null and a.datid is not null and a.usesysid is not null))
"""
# The statements are made of constants of this file; every value is bound.
_GROUPS = f"""
select coalesce(a.datname, '') as database, coalesce(a.usename, '') as user,
       coalesce(a.application_name, '') as application, coalesce(a.state, '') as state,
       a.backend_type is null as hidden,
       %(database)s::text is null or a.datname = %(database)s as wanted, count(*) as sessions
from pg_stat_activity a where {_CLIENTS}
group by 1, 2, 3, 4, 5, 6 order by sessions desc, 1, 2, 3, 4
"""  # noqa: S608 - see above
_LONGEST = {
    what: f"""
select {PostgresSession.COLUMNS} from pg_stat_activity a
where {_CLIENTS} and (%(database)s::text is null or a.datname = %(database)s) and {condition}
order by {since}, a.pid limit %(longest)s
"""  # noqa: S608 - see above
    for what, condition, since in (
        ("transactions", "a.xact_start is not null", "a.xact_start"),
        ("queries", "a.state = 'active'", "a.query_start"),
    )
}


class Group(Struct, frozen=True, kw_only=True):
    """Sessions that have the same database, role, application and state.

    Args:
        database: that they are connected to.
        user: their role.
        application: what they call themselves.
        state: `active`, `idle`, `idle in transaction`…; empty where our role may not see it.
        sessions: how many they are.
    """

    database: str
    user: str
    application: str
    state: str
    sessions: int


class Activity(Struct, frozen=True, kw_only=True):
    """What the server's sessions are doing; our own is left out.

    Args:
        max_connections: as configured.
        reserved: how many of them are kept for superusers and roles with the right to them.
        used: how many clients are connected, to any database.
        percent: of what is not reserved.
        states: how many sessions are in each state, of the database that was asked for.
        groups: the same by database, role and application, the largest 20.
        transactions: the sessions whose transactions have been open longest.
        queries: the sessions whose statements have been running longest.
        hidden: how many our role may not look at.
    """

    max_connections: int
    reserved: int
    used: int
    percent: float
    states: dict[str, int]
    groups: list[Group]
    transactions: list[PostgresSession]
    queries: list[PostgresSession]
    hidden: int


class PgActivity(PostgresLogin, Probe[Activity], frozen=True, kw_only=True):
    """See what PostgreSQL's sessions are doing: by state, the longest, and how full it is.

    Connections are counted over all databases, since all share them. Without `expect` it is a
    finding when they are nearly used up, or a transaction has been open for too long. Passwords
    in statements are masked.

    Args:
        database: only its sessions are told; we log in there too, else at `postgres`.
        max_percent: so much of the connections that are not reserved may be in use.
        max_transaction_age: so long a transaction may be open; any time unless given.
        longest: how many of the longest transactions and statements are told.
        user: the role to log in as; the account that we are on the host unless given. It sees
            others' statements if it has `pg_monitor`.
        password: the role's; not needed where the server trusts the host's account.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.
        sslmode: how TLS is used with a server that has a name, in libpq's words; `prefer` unless
            given.
        ca: a PEM file on the controller with the authorities to trust, for `verify-full` and
            `verify-ca`.

    **Source:** PostgreSQL, "pg_stat_activity"; "Connection Settings" for what is reserved.
    """

    database: str | None = None
    max_percent: Annotated[float, Meta(gt=0, le=100)] = 90
    max_transaction_age: Duration | None = None
    longest: Annotated[int, Meta(ge=0, le=100)] = 5
    user: str | None = None

    def observe(self, target: Target) -> Activity:
        """Ask the server's own views."""
        database = self.database or "postgres"
        with self.login(target, database=database, user=self.user) as session:
            (limits,) = session.execute(_LIMITS).fetchall()
            groups = self._ask(session, _GROUPS)
            transactions, queries = (
                [PostgresSession.of(row) for row in self._ask(session, _LONGEST[what])]
                for what in ("transactions", "queries")
            )
        wanted = [group for group in groups if group["wanted"]]
        states: dict[str, int] = {}
        for group in wanted:
            state = group["state"] or ("hidden" if group["hidden"] else "none")
            states[state] = states.get(state, 0) + group["sessions"]
        used = sum(group["sessions"] for group in groups)
        return Activity(
            max_connections=limits["most"],
            reserved=limits["reserved"],
            used=used,
            percent=percent(used, limits["most"] - limits["reserved"]),
            states=states,
            groups=[_group(group) for group in wanted[:GROUPS]],
            transactions=transactions,
            queries=queries,
            hidden=sum(group["sessions"] for group in wanted if group["hidden"]),
        )

    def finding(self, seen: Activity) -> str | None:
        """Connections nearly used up; a transaction that is open for too long."""
        if seen.percent >= self.max_percent:
            allowed = f"expected less than {self.max_percent:g} %"
            return f"{_used(seen)} in use ({seen.percent:g} %), {allowed}"
        if self.max_transaction_age is None or not seen.transactions:
            return None
        oldest = seen.transactions[0]
        if (oldest.transaction_age or 0) < seconds(self.max_transaction_age):
            return None
        return f"a transaction is open for {_oldest(oldest)}"

    def summary(self, seen: Activity) -> str:
        """`18 of 97 connections: 12 idle, 6 active · oldest transaction 12 min`."""
        states = ", ".join(f"{number} {state}" for state, number in seen.states.items())
        told = f"{_used(seen)}{': ' if states else ''}{states}"
        if seen.transactions:
            told += f" · oldest transaction {duration(seen.transactions[0].transaction_age or 0)}"
        return told

    def _ask(
        self, session: psycopg.Connection[dict[str, Any]], statement: str
    ) -> list[dict[str, Any]]:
        values = {"database": self.database, "longest": self.longest}
        return session.execute(statement.encode(), values).fetchall()


def _group(row: dict[str, Any]) -> Group:
    return Group(**{name: row[name] for name in Group.__struct_fields__})


def _used(seen: Activity) -> str:
    return f"{seen.used} of {count(seen.max_connections - seen.reserved, 'connection')}"


def _oldest(session: PostgresSession) -> str:
    who = f"pid {session.pid}, {session.user}, {session.state}"
    return f"{duration(session.transaction_age or 0)} ({who})"


EXAMPLE = """
name: The database's connections
pg_activity:
  database: insightengine
  max_percent: 80
  max_transaction_age: 5m
register: activity
"""
