"""The index of actions: which were sent to a target, found without reading every run.

It only points at records. What it says of an action is read from those, and the seal of each is
checked then; that no action of a run is missing from it is checked whenever the run is read.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.errors import JournalError
from engine.events import Intent, TaskEnded
from engine.journal.chain import Head, seal
from engine.journal.clock import Moment, elapsed
from engine.journal.guards import Sent, Target, targets
from engine.journal.reading import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.events import Event
    from engine.journal.store import Transaction


OF_TARGET = (
    "SELECT run, module, intent, sent, ended, wall, boot, up FROM actions"
    " WHERE host = :host AND kind = :kind AND name = :name"
    " AND (module = :module OR CAST(:module AS TEXT) IS NULL)"
    " ORDER BY number DESC LIMIT :limit"
)
"""The last actions on a target, found by the index however many there are."""


class _Row(Struct, frozen=True):
    """One action on one target: the numbers of the records where it was sent and ended."""

    target: Target
    module: str
    intent: str
    sent: int
    ended: int | None


def index(
    transaction: Transaction, run: str, number: int, event: Event, when: Moment | None = None
) -> None:
    """Note what a record says of an action.

    Args:
        transaction: the one that the record is written in.
        run: whose record it is.
        number: the record's.
        event: that is recorded.
        when: it was written; now, unless it was before there was an index.
    """
    if isinstance(event, Intent):
        now = when or transaction.moment()
        for target in _acted_on(event):
            transaction.rows(
                "INSERT INTO actions"
                " (host, kind, name, module, run, intent, sent, wall, boot, up) VALUES"
                " (:host, :kind, :name, :module, :run, :intent, :sent, :wall, :boot, :up)",
                host=target.host,
                kind=target.kind,
                name=target.name,
                module=event.module,
                run=run,
                intent=event.intent,
                sent=number,
                wall=now.wall,
                boot=now.boot,
                up=now.up,
            )
    elif isinstance(event, TaskEnded) and event.intent is not None:
        now = when or transaction.moment()
        transaction.rows(
            "UPDATE actions SET ended = :ended, wall = :wall, boot = :boot, up = :up"
            " WHERE run = :run AND intent = :intent",
            ended=number,
            wall=now.wall,
            boot=now.boot,
            up=now.up,
            run=run,
            intent=event.intent,
        )


def gather(transaction: Transaction) -> None:
    """Make the index of what is recorded already; when it was is known by the wall clock only."""
    for (run,) in transaction.rows("SELECT run FROM runs ORDER BY number"):
        records = transaction.rows(
            "SELECT number, event FROM records WHERE run = :run ORDER BY number", run=run
        )
        for number, line in records:
            with suppress(JournalError):  # the run is damaged, and says so when it is read
                event = decoded(run, number, line)
                index(transaction, run, number, event, Moment(event.at.timestamp()))


def history(transaction: Transaction, target: Target, module: str | None, limit: int) -> list[Sent]:
    """What was sent to a target, newest first.

    Raises:
        JournalError: a record that it stands in is not what was written.
    """
    rows = transaction.rows(
        OF_TARGET,
        host=target.host,
        kind=target.kind,
        name=target.name,
        module=module,
        limit=limit,
    )
    now = transaction.moment()
    return [
        _sent(transaction, run, _Row(target, *row), elapsed(Moment(*when), now))
        for run, *row, wall, boot, up in rows
        for when in [(wall, boot, up)]
    ]


def _sent(transaction: Transaction, run: str, row: _Row, age: float) -> Sent:
    intent = _record(transaction, run, row.sent)
    outcome = None if row.ended is None else _record(transaction, run, row.ended)
    if (
        not isinstance(intent, Intent)
        or (intent.intent, intent.module) != (row.intent, row.module)
        or row.target not in _acted_on(intent)
    ):
        raise _damaged(run)
    if outcome is not None and not (
        isinstance(outcome, TaskEnded) and outcome.intent == row.intent
    ):
        raise _damaged(run)
    return Sent(
        run=run,
        intent=intent.intent,
        task=intent.task,
        name=intent.name,
        module=intent.module,
        target=row.target,
        sent=intent.at,
        ended=outcome.at if outcome else None,
        status=outcome.status if outcome else "unknown",
        verified=outcome.verified if outcome else None,
        age=age,
    )


def _record(transaction: Transaction, run: str, number: int) -> Event:
    """One record of a run, with its link to the one before."""
    rows: list[tuple[Any, ...]] = transaction.rows(
        "SELECT number, event, hash FROM records"
        " WHERE run = :run AND number IN (:number, :number - 1) ORDER BY number",
        run=run,
        number=number,
    )
    if [row[0] for row in rows] != [number - 1, number]:
        raise _damaged(run)
    (_, _, before), (_, event, digest) = rows
    if seal(Head(number - 1, before), run, event).hash != digest:
        raise JournalError(
            f"the journal is damaged: in run {run}, record {number} is not what was written"
        )
    return decoded(run, number, event)


def check(transaction: Transaction, run: str, events: Sequence[Event]) -> None:
    """See that the index has all actions of a run, and nothing else.

    Raises:
        JournalError: it has not.
    """
    rows = transaction.rows(
        "SELECT host, kind, name, module, intent, sent, ended FROM actions WHERE run = :run",
        run=run,
    )
    found = {_Row(Target(host, kind, name), *rest) for host, kind, name, *rest in rows}
    if len(found) != len(rows) or found != set(_expected(events)):
        raise _damaged(run)


def _expected(events: Iterable[Event]) -> list[_Row]:
    ended: dict[str, int] = {}
    sent: list[tuple[int, Intent]] = []
    for number, event in enumerate(events, start=1):
        if isinstance(event, Intent):
            sent.append((number, event))
        elif isinstance(event, TaskEnded) and event.intent is not None:
            ended[event.intent] = number
    return [
        _Row(target, intent.module, intent.intent, number, ended.get(intent.intent))
        for number, intent in sent
        for target in _acted_on(intent)
    ]


def _acted_on(intent: Intent) -> tuple[Target, ...]:
    """On the host that does it: that is where another run would meet it."""
    return targets(intent.delegate or intent.host, intent.change)


def _damaged(run: str) -> JournalError:
    return JournalError(
        f"the journal is damaged: its index of actions does not agree with run {run}"
    )
