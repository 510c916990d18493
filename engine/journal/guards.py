"""What runs must know of one another: locks on targets, what was done before, and who says stop.

This is what guards are built on. The journal keeps it, whichever kind it is:

- `Recorder.lock` before a run acts on a target, `Recorder.unlock` or its end afterwards: two runs
  that use the same journal never hold the same target, wherever they run.
- `Journal.history` for what was sent to a target before, by any run: `cooling` says how much of a
  cool-down is left, `ineffective` how many of the last in a row did not help.
- `Recorder.heed` for who asked this run to stop, and whether all actions are on hold. Nobody need
  ask before an action: an `Intent` is refused while there is a hold, or once a stop was asked for.

A target is named the same by all who use the journal: `targets` names those of a change.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from engine.events import Status
    from engine.journal.writer import Writer

_LONG = 200
"""Characters of a name: a script's first line may be of any length."""


class Target(Struct, frozen=True, order=True):
    """What an action acts on, by a name that outlives it: the next process is the same target.

    Args:
        host: as the inventory calls it.
        kind: `process`, `backend`, `container`…; empty for the host as a whole.
        name: of the process, the role, the container.
    """

    host: str
    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        """`container backend on app1`, or the host alone."""
        return f"{self.kind} {self.name} on {self.host}" if self.kind else self.host


def targets(host: str, change: Mapping[str, Any]) -> tuple[Target, ...]:
    """What a change acts on, each target once; the host itself where the change does not say.

    Args:
        host: where.
        change: a `Change` as plain values, as it stands in `Intent` and `ChangePredicted`.
    """
    named = (_target(host, str(on["kind"]), str(on["name"])) for on in change.get("on") or ())
    return tuple(dict.fromkeys(named)) or (_target(host),)


def _target(*names: str) -> Target:
    # As an index can hold them: without NUL, as Unicode, and not too long.
    clean = (n.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00") for n in names)
    return Target(*(name if len(name) <= _LONG else _cut(name) for name in clean))


def _cut(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _LONG - len(digest) - 1]}…{digest}"


class Holder(Struct, frozen=True):
    """Who holds a lock: the run, the process that executes it, and since when."""

    run: str
    writer: Writer
    since: datetime

    def __str__(self) -> str:
        """`run 20261123-1337-k3f9, by ann on ops1 (process 4711), since 13:38:02`."""
        return f"run {self.run}, by {self.writer}, since {self.since.astimezone():%H:%M:%S}"


class Sent(Struct, frozen=True, kw_only=True):
    """An action that was sent to a target, and what came of it.

    Args:
        run: which run sent it.
        intent: the id that it had there.
        task: its task's id.
        name: what people call it.
        module: what was done.
        target: to what.
        sent: when.
        ended: when its outcome was recorded; None: nobody saw it.
        status: its outcome's; `unknown` without one.
        verified: whether all that must hold afterwards did, which is whether the symptom was gone;
            None where nothing was to hold, or nobody looked.
        age: seconds since the outcome, or since it was sent; never more than have passed.
    """

    run: str
    intent: str
    task: str
    name: str
    module: str
    target: Target
    sent: datetime
    ended: datetime | None
    status: Status
    verified: bool | None
    age: float

    @property
    def effective(self) -> bool | None:
        """Whether it helped; None where it was done and nobody can tell."""
        if self.verified is not None:
            return self.verified
        return None if self.status in ("ok", "changed") else False


def cooling(history: Iterable[Sent], length: float) -> float:
    """Seconds that are left of a cool-down.

    Whatever was sent counts, whether it was confirmed, failed or nobody knows: it may have hit.

    Args:
        history: of the target and the module, from `Journal.history`.
        length: seconds that must lie between two actions.
    """
    return max(0.0, length - min((sent.age for sent in history), default=length))


def ineffective(history: Iterable[Sent]) -> int:
    """How many of the last actions in a row did not help: where a breaker opens.

    What was not verified, failed, or has an unknown outcome did not help. What was done without
    anything to verify neither counts nor ends the row.

    Args:
        history: of the target, newest first, from `Journal.history`.
    """
    count = 0
    for sent in history:
        if sent.effective:
            break
        count += sent.effective is False
    return count


class Hold(Struct, frozen=True):
    """Nobody sends any action: the kill switch.

    Args:
        by: who said so.
        controller: on which machine.
        why: in their words; empty where they said nothing.
        since: from when on.
        until: when it ends by itself; None: when it is lifted.
    """

    by: str
    controller: str
    why: str
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        """`ann on ops1 since 13:38, until 15:38: the database is being moved`."""
        until = f", until {_told(self.until)}" if self.until else ""
        why = f": {self.why}" if self.why else ""
        return f"{self.by} on {self.controller} since {_told(self.since)}{until}{why}"


class Cancel(Struct, frozen=True):
    """Somebody asked a run to stop."""

    by: str
    controller: str
    at: datetime

    def __str__(self) -> str:
        """`ann on ops1`."""
        return f"{self.by} on {self.controller}"


class Heeded(Struct, frozen=True):
    """What others want of a run.

    Args:
        cancels: each time that it was asked to stop, since it was begun or resumed.
        hold: that is in force.
    """

    cancels: tuple[Cancel, ...]
    hold: Hold | None


def _told(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
