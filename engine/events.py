"""What happened in a run, in the order it happened: frozen values that every sink is told.

An event holds plain JSON values only, so it crosses processes, the journal and `--json` unchanged.
Secret values are masked before a sink sees it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.typed import from_json

Status = Literal["ok", "changed", "finding", "skipped", "failed", "unreachable", "unknown"]
"""How a task ended on a host. `unknown`: an action was sent and its outcome could not be learnt."""

PhaseName = Literal["acknowledge", "investigate", "severity", "mitigate", "resolve", "always"]

FAILURES: frozenset[Status] = frozenset({"failed", "unreachable", "unknown"})
"""What stops a host, unless the playbook says to go on."""

EVIDENCE_PHASES = frozenset({"acknowledge", "investigate", "severity"})
"""Where a failure is evidence: it is noted, and the run goes on."""


def now() -> datetime:
    """The time that events carry: UTC."""
    return datetime.now(UTC)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Base(Struct, frozen=True, kw_only=True, tag_field="event", tag=_snake):
    """Every event has the time it happened."""

    at: datetime = msgspec.field(default_factory=now)


class RunStarted(Base, frozen=True, kw_only=True):
    """A run begins.

    Args:
        run: the run's id, `20261123-1337-k3f9`.
        playbook: its name.
        path: its file, absolute.
        digest: sha256 of the file's bytes, hex.
        user: who started it.
        controller: the machine it runs on.
        version: quell's.
        check: nothing will be changed.
        hosts: the playbook's hosts, after `--limit`.
        inputs: their values.
        alert: that it was started for; None without one.
        options: what the command line said, enough to resume with.
        files: each that was read for it, with the sha256 of its bytes: `resume` refuses others.
        tasks: the id of each task, with a digest of its text and of the values that it is given.
    """

    run: str
    playbook: str
    path: str
    digest: str
    user: str
    controller: str
    version: str
    check: bool
    hosts: list[str]
    inputs: dict[str, Any]
    alert: dict[str, Any] | None = None
    options: dict[str, Any]
    files: dict[str, str] = {}
    tasks: dict[str, str] = {}


class GlassBroken(Base, frozen=True, kw_only=True):
    """Rules of approval and cool-downs do not hold for this session; somebody said why."""

    by: str
    reason: str


class RunResumed(Base, frozen=True, kw_only=True):
    """A run that stopped goes on; what ended before is not run again.

    Args:
        user: who resumed it.
        controller: the machine it goes on at.
        options: as in `RunStarted`, as they are now.
        files: likewise.
        tasks: likewise.
        changed: what has changed of the files, where somebody said to go on all the same.
        moved: the id of each task that is another one by now, with the new one; empty for a task
            that is not there any more, or was changed: it counts as one that was never run.
    """

    user: str
    controller: str = ""
    options: dict[str, Any]
    files: dict[str, str] = {}
    tasks: dict[str, str] = {}
    changed: list[str] = []
    moved: dict[str, str] = {}


class PhaseStarted(Base, frozen=True, kw_only=True):
    """A phase begins: so many tasks on so many hosts. `note` says why one is passed over."""

    phase: PhaseName
    tasks: int
    hosts: int
    note: str = ""


class PhaseEnded(Base, frozen=True, kw_only=True):
    """A phase is over after `seconds`."""

    phase: PhaseName
    seconds: float


class TaskStarted(Base, frozen=True, kw_only=True):
    """A task is being worked on, on a host. Progress for the console; not in the journal."""

    phase: PhaseName
    task: str
    name: str
    host: str
    until: float | None = None


class WaveEnded(Base, frozen=True, kw_only=True):
    """These tasks have ended on all their hosts. Progress, as `TaskStarted`."""

    tasks: list[str]


class Waiting(Base, frozen=True, kw_only=True):
    """A pause goes on: `elapsed` seconds of `total`. Progress, as `TaskStarted`."""

    phase: PhaseName
    task: str
    name: str
    elapsed: float
    total: float


class Looked(Base, frozen=True, kw_only=True):
    """One look of a probe with `within` or `hold`, or of a `verify`.

    Args:
        task: the task's id.
        name: what people call it.
        holds: whether the expectation was met at this look.
        summary: what was seen.
        elapsed: seconds since the first look.
        total: seconds of the whole `within` or `hold`; how many looks there are with `until`.
        mode: which of these.
        look: which of the looks with `until` it was, from 1.
    """

    phase: PhaseName
    task: str
    name: str
    host: str
    holds: bool
    summary: str
    elapsed: float
    total: float
    mode: Literal["within", "hold", "until"]
    look: int = 0


class TaskEnded(Base, frozen=True, kw_only=True):
    """A task ended on a host.

    Args:
        task: the task's id within the playbook, `investigate.2`.
        name: what people call it.
        module: which module ran.
        place: `file:line` of the task.
        delegate: the host that did it in the other's stead; empty where none did.
        item: the loop's item, as a label; None without a loop.
        status: how it ended.
        ignored: it failed, and `ignore_errors` says to go on.
        message: why it failed, was skipped, or what the finding is.
        summary: what was seen or done, in a few words.
        result: the registered value.
        seconds: how long it took.
        intent: the intent that it is the outcome of, for actions.
        verified: whether all of its `verify` held; None without one, or where nobody looked.
        applied: a change was made, whatever came of it then.
        hostless: it is the run's own and no host's, such as an item that a person ticks; `host` is
            the one that counts it.
    """

    phase: PhaseName
    task: str
    name: str
    module: str
    place: str
    host: str
    status: Status
    delegate: str = ""
    item: str | None = None
    ignored: bool = False
    message: str = ""
    summary: str = ""
    result: dict[str, Any] = {}
    seconds: float = 0.0
    intent: str | None = None
    verified: bool | None = None
    applied: bool = False
    hostless: bool = False


class BatchStarted(Base, frozen=True, kw_only=True):
    """The next hosts are mitigated: batch `number` of `of`."""

    number: int
    of: int
    hosts: list[str]


class BlockRescued(Base, frozen=True, kw_only=True):
    """What failed in a block on these hosts was dealt with by its `rescue`."""

    block: str
    name: str
    hosts: list[str]


class BlockFailed(Base, frozen=True, kw_only=True):
    """A block failed on these hosts, and no `rescue` dealt with it; its `always` is over."""

    block: str
    name: str
    hosts: list[str]


class RollbackStarted(Base, frozen=True, kw_only=True):
    """What these tasks did on a host is taken back, the last first; `why` says what went wrong."""

    host: str
    tasks: list[str]
    why: str


class RunHalted(Base, frozen=True, kw_only=True):
    """No further host is begun: the failure budget is spent, or a failure is fatal to all."""

    reason: str


class SeverityJudged(Base, frozen=True, kw_only=True):
    """The severity, from the evidence; judged again after a mitigation.

    Args:
        level: P1 to P4, or None: no rule held.
        before: the level before the mitigation, `none` without one; empty the first time.
        because: the rule's own words.
        hosts: on which it held.
        of: how many hosts it was asked of.
        unjudged: rules that could not be evaluated, and why.
        acknowledge_by: when the clock is over; None without one.
    """

    level: str | None
    before: str = ""
    because: str = ""
    hosts: list[str] = []
    of: int = 0
    unjudged: list[str] = []
    acknowledge_by: datetime | None = None


class Acknowledged(Base, frozen=True, kw_only=True):
    """Somebody has taken the incident; `how` says by what."""

    how: str


class DeadlineMissed(Base, frozen=True, kw_only=True):
    """The time of a level is over, and nobody has taken the incident."""

    level: str
    acknowledge_by: datetime


class ChangePredicted(Base, frozen=True, kw_only=True):
    """An action would do this on this host; nothing is changed yet. `change` is a `Change`."""

    task: str
    name: str
    module: str
    host: str
    delegate: str = ""
    item: str | None = None
    change: dict[str, Any]


class NotPredicted(Base, frozen=True, kw_only=True):
    """What an action would do on these hosts cannot be known before something else has happened."""

    task: str
    name: str
    hosts: list[str]
    why: str


class ApprovalAsked(Base, frozen=True, kw_only=True):
    """So many changes on these hosts wait for a yes."""

    changes: int
    hosts: list[str]


class ApprovalAnswered(Base, frozen=True, kw_only=True):
    """The answer.

    Args:
        by: who.
        how: `--yes`, `terminal`, `none` (there was nobody to ask).
        approved: `task@host` of each change that was approved.
        refused: of each that was not.
    """

    by: str
    how: str
    approved: list[str]
    refused: list[str]


class Intent(Base, frozen=True, kw_only=True):
    """An action is about to be sent: durable before it is. Without a `TaskEnded` it is UNKNOWN."""

    intent: str
    phase: PhaseName
    task: str
    name: str
    module: str
    host: str
    delegate: str = ""
    item: str | None
    change: dict[str, Any]


class GuardHeld(Base, frozen=True, kw_only=True):
    """A guard refused something: which, on which host, in which words."""

    guard: str
    message: str
    host: str | None = None
    task: str | None = None


class Interruption(Base, frozen=True, kw_only=True):
    """The run was asked to stop: by which signal, or by whose `quell cancel`."""

    signal: str


class RunEnded(Base, frozen=True, kw_only=True):
    """The run is over.

    Args:
        outcome: in one or two words: `resolved`, `done`, `not resolved`, `waiting for approval`…
        exit_code: the program's.
        seconds: of the whole run.
        recap: host → ok, changed, unreachable, failed, skipped, rescued, ignored, findings.
        message: what a person must know last; empty where there is nothing.
        open: the names of what a person was to tick, and nobody did.
    """

    outcome: str
    exit_code: int
    seconds: float
    recap: dict[str, dict[str, int]]
    message: str = ""
    open: list[str] = []


Event = (
    RunStarted
    | RunResumed
    | GlassBroken
    | PhaseStarted
    | PhaseEnded
    | TaskStarted
    | WaveEnded
    | Waiting
    | Looked
    | TaskEnded
    | BatchStarted
    | BlockRescued
    | BlockFailed
    | RollbackStarted
    | RunHalted
    | SeverityJudged
    | Acknowledged
    | DeadlineMissed
    | ChangePredicted
    | NotPredicted
    | ApprovalAsked
    | ApprovalAnswered
    | Intent
    | GuardHeld
    | Interruption
    | RunEnded
)


PROGRESS = (TaskStarted, WaveEnded, Waiting)
"""Events for those who watch; the journal does not keep them."""


def encode(event: Event) -> bytes:
    """One line of JSON. Text that is no Unicode, as of a strange path, has its bytes escaped."""
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError:
        return msgspec.json.encode(_with_bytes_escaped(msgspec.to_builtins(event)))


def _with_bytes_escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_with_bytes_escaped(item) for item in value]
    if isinstance(value, dict):
        return {_with_bytes_escaped(key): _with_bytes_escaped(v) for key, v in value.items()}
    return value


def decode(line: bytes | str) -> Event:
    """The event of a line of JSON.

    Raises:
        msgspec.ValidationError: it is not one.
    """
    return from_json(line, Event)  # type: ignore[arg-type]
