"""Locks on targets, held by runs: a row each, which counts for as long as its run lives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.journal.guards import Holder, Target
from engine.journal.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.journal.store import Transaction


def take(
    transaction: Transaction, run: str, targets: Iterable[Target], writer: Writer
) -> dict[Target, Holder]:
    """Take the locks of all of these targets, or of none; who stands in the way.

    A lock of a run that no living process executes is taken over, and nothing more can then be
    written of that run until it is resumed.
    """
    transaction.alone()
    wanted = sorted(set(targets))
    held = {target: found for target in wanted if (found := holder(transaction, target))}
    others = {found.run for found in held.values()} - {run}
    alive = {other for other in others if transaction.alive(other)}
    if alive:
        return {target: found for target, found in held.items() if found.run in alive}
    for other in others:
        transaction.bury(other)
        release(transaction, other)
    since = transaction.moment().wall
    for target in wanted:
        transaction.rows(
            "INSERT INTO locks (host, kind, name, run, who, controller, pid, since)"
            " VALUES (:host, :kind, :name, :run, :who, :controller, :pid, :since)"
            " ON CONFLICT (host, kind, name) DO NOTHING",
            **_named(target),
            run=run,
            who=writer.who,
            controller=writer.controller,
            pid=writer.pid,
            since=since,
        )
    return {}


def release(transaction: Transaction, run: str, targets: Iterable[Target] | None = None) -> None:
    """Give these locks of a run back; all of them unless said."""
    if targets is None:
        transaction.rows("DELETE FROM locks WHERE run = :run", run=run)
        return
    for target in targets:
        transaction.rows(
            "DELETE FROM locks WHERE host = :host AND kind = :kind AND name = :name AND run = :run",
            **_named(target),
            run=run,
        )


def holder(transaction: Transaction, target: Target) -> Holder | None:
    """Who has the lock of a target, dead or alive."""
    rows = transaction.rows(
        "SELECT run, who, controller, pid, since FROM locks"
        " WHERE host = :host AND kind = :kind AND name = :name",
        **_named(target),
    )
    if not rows:
        return None
    run, who, controller, pid, since = rows[0]
    return Holder(run, Writer(who, controller, pid), datetime.fromtimestamp(since, UTC))


def _named(target: Target) -> dict[str, Any]:
    return {"host": target.host, "kind": target.kind, "name": target.name}
