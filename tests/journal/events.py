"""A realistic run as a list of events, for the tests of whatever reads the journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.events import (
    ApprovalAnswered,
    ApprovalAsked,
    ChangePredicted,
    Intent,
    Looked,
    PhaseEnded,
    PhaseStarted,
    RunEnded,
    RunStarted,
    SeverityJudged,
    TaskEnded,
)

if TYPE_CHECKING:
    from engine.events import Event

RUN = "20261123-1337-k3f9"
START = datetime(2026, 11, 23, 12, 37, tzinfo=UTC)

CHANGE: dict[str, Any] = {
    "summary": "backend 4711 (idle for 22 min) → ended",
    "on": [{"kind": "backend", "name": "appuser", "key": {"pid": 4711, "start": "12:01"}}],
    "before": {"state": "idle"},
    "after": {"state": "ended"},
    "reversible": False,
}


def at(seconds: float) -> datetime:
    """So many seconds after the run began."""
    return START + timedelta(seconds=seconds)


def started(run: str = RUN, **changed: Any) -> RunStarted:
    """The first event."""
    fields: dict[str, Any] = {
        "at": START,
        "run": run,
        "playbook": "Database connection pool exhaustion",
        "path": "/srv/playbooks/db_pool_exhaustion.yml",
        "digest": "ab" * 32,
        "user": "ann",
        "controller": "ops1",
        "version": "0.1.0",
        "check": False,
        "hosts": ["db1", "db2"],
        "inputs": {"database": "insightengine", "idle_for": "10m"},
        "options": {"playbook": "db_pool_exhaustion.yml", "limit": "db", "check": False},
    }
    return RunStarted(**{**fields, **changed})


def ended(when: float = 65.0, /, **changed: Any) -> RunEnded:
    """The last event."""
    counts = dict.fromkeys(
        ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored", "findings"), 0
    )
    fields: dict[str, Any] = {
        "at": at(when),
        "outcome": "resolved",
        "exit_code": 0,
        "seconds": when,
        "recap": {"db1": {**counts, "ok": 2, "changed": 1, "findings": 1}},
    }
    return RunEnded(**{**fields, **changed})


def task(when: float, /, host: str = "db1", **changed: Any) -> TaskEnded:
    """A probe's end, in `investigate`."""
    fields: dict[str, Any] = {
        "at": at(when),
        "phase": "investigate",
        "task": "investigate.1",
        "name": "Connections in use",
        "module": "pg_query",
        "place": "db_pool_exhaustion.yml:20",
        "host": host,
        "status": "ok",
        "seconds": 0.2,
    }
    return TaskEnded(**{**fields, **changed})


def action(when: float, /, **changed: Any) -> TaskEnded:
    """The end of the action that `intent` announces."""
    fields: dict[str, Any] = {
        "phase": "mitigate",
        "task": "mitigate.1",
        "name": "End idle sessions",
        "module": "pg_terminate",
        "status": "changed",
        "summary": CHANGE["summary"],
        "intent": "i1",
    }
    return task(when, **{**fields, **changed})


def intent(when: float, /, **changed: Any) -> Intent:
    """An action about to be sent."""
    fields: dict[str, Any] = {
        "at": at(when),
        "intent": "i1",
        "phase": "mitigate",
        "task": "mitigate.1",
        "name": "End idle sessions",
        "module": "pg_terminate",
        "host": "db1",
        "item": None,
        "change": CHANGE,
    }
    return Intent(**{**fields, **changed})


def look(when: float, /, *, holds: bool, **changed: Any) -> Looked:
    """One look of the action's `verify`."""
    fields: dict[str, Any] = {
        "at": at(when),
        "phase": "mitigate",
        "task": "mitigate.1.verify.1",
        "name": "pg_query",
        "host": "db1",
        "holds": holds,
        "summary": "0.5" if holds else "0.96",
        "elapsed": when - 5,
        "total": 60.0,
        "mode": "within",
    }
    return Looked(**{**fields, **changed})


def investigated() -> list[Event]:
    """From the start to the severity."""
    finding: dict[str, Any] = {
        "status": "finding",
        "summary": "0.97",
        "message": "expected result.value < 0.9",
        "result": {"value": 0.97, "columns": ["?column?"]},
    }
    return [
        started(),
        PhaseStarted(at=at(0.1), phase="investigate", tasks=1, hosts=2),
        task(0.5, **finding),
        task(0.6, host="db2", summary="0.41", result={"value": 0.41}),
        PhaseEnded(at=at(0.7), phase="investigate", seconds=0.6),
        PhaseStarted(at=at(0.7), phase="severity", tasks=2, hosts=2),
        SeverityJudged(
            at=at(0.8),
            level="P2",
            because="the pool is nearly full",
            hosts=["db1"],
            of=2,
            acknowledge_by=at(3600),
        ),
    ]


def approved() -> list[Event]:
    """From the start to the yes."""
    return [
        *investigated(),
        PhaseStarted(at=at(1), phase="mitigate", tasks=1, hosts=2),
        ChangePredicted(
            at=at(1.5),
            task="mitigate.1",
            name="End idle sessions",
            module="pg_terminate",
            host="db1",
            change=CHANGE,
        ),
        ApprovalAsked(at=at(2), changes=1, hosts=["db1"]),
        ApprovalAnswered(
            at=at(4), by="ann", how="terminal", approved=["mitigate.1@db1"], refused=[]
        ),
    ]


def killed() -> list[Event]:
    """As `resolved`, but ended by kill -9 while the action was under way."""
    return [*approved(), intent(5)]


def resolved() -> list[Event]:
    """The whole run: a finding, P2, one change approved, applied and verified."""
    return [
        *killed(),
        look(5, holds=False),
        look(35, holds=False),
        look(50, holds=True),
        action(50.1, seconds=45.1),
        PhaseEnded(at=at(50.2), phase="mitigate", seconds=49.2),
        PhaseStarted(at=at(50.3), phase="resolve", tasks=1, hosts=2),
        task(60, phase="resolve", task="resolve.1", name="Normal operation", summary="200"),
        PhaseEnded(at=at(60.1), phase="resolve", seconds=9.8),
        ended(),
    ]
