"""What is known of a run when it begins: the incident's facts, and the run's first event."""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING, Any

import msgspec

from engine import __version__
from engine.events import RunResumed, RunStarted
from engine.execution.asking import secrets_of, without
from engine.vault import sealed_in

if TYPE_CHECKING:
    from datetime import datetime

    from engine.events import Event
    from engine.execution.assemble import Prepared
    from engine.execution.resuming import Resumption


def incident(run_id: str, prepared: Prepared, began_at: datetime) -> dict[str, Any]:
    """The incident's own facts; it is as old as its alert.

    Args:
        run_id: of the run.
        prepared: what was loaded.
        began_at: when the run began.
    """
    alert = prepared.alert
    started = alert.starts_at if alert else None
    opened_at = min(started, began_at) if started else began_at
    return {
        "id": run_id,
        "title": alert.title if alert else prepared.playbook.text.name,
        "severity": None,
        "channel": None,
        "commander": None,
        "opened_at": opened_at.isoformat(),
        "acknowledge_by": None,
        "check": prepared.options.check,
    }


def opening_of(
    prepared: Prepared, run_id: str, resumption: Resumption | None, began_at: datetime
) -> Event:
    """What the journal has first of a run, or of its going on; no secret, however short.

    Args:
        prepared: what was loaded.
        run_id: of the run.
        resumption: what earlier sessions of it came to.
        began_at: when it began.
    """
    options: dict[str, Any] = msgspec.to_builtins(prepared.options)
    secret = secrets_of(prepared.playbook)
    sealed = frozenset(name for name, value in options["extra"].items() if any(sealed_in(value)))
    # What is encrypted stays so in the journal, and is opened again.
    options["extra"] = without(secret - sealed, options["extra"])
    files, tasks = dict(prepared.files), dict(prepared.tasks)
    if resumption is not None:
        return RunResumed(
            user=getpass.getuser(),
            controller=socket.gethostname(),
            options=options,
            files=files,
            tasks=tasks,
            changed=list(resumption.changed),
            moved=dict(resumption.moved),
        )
    return RunStarted(
        at=began_at,
        run=run_id,
        playbook=prepared.playbook.text.name,
        path=prepared.options.playbook,
        digest=prepared.playbook.digest,
        user=getpass.getuser(),
        controller=socket.gethostname(),
        version=__version__,
        check=prepared.options.check,
        hosts=list(prepared.plan.hosts),
        inputs=without(secret | sealed, prepared.inputs),
        alert=prepared.alert.data() if prepared.alert else None,
        options=options,
        files=files,
        tasks=tasks,
    )
