"""Which tasks may run together: found from the names they use, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.language.model import Task

_EVERYTHING = "hostvars"
"""A task that reads other hosts' results waits for all before it."""


def waves(tasks: Iterable[Task], *, predicting: bool = False) -> list[tuple[Task, ...]]:
    """Split a phase's tasks into waves, in order.

    Probes in a row that do not use each other's results share a wave; an action waits for all
    before it, and all after it wait for the action.

    Args:
        tasks: of one phase.
        predicting: actions are only asked what they would do, so they hold nobody back.
    """
    found: list[list[Task]] = []
    defined: set[str] = set()
    for task in tasks:
        reads_only = task.kind == "probe" or predicting
        waits = bool(task.uses & defined) or (_EVERYTHING in task.uses and bool(defined))
        if found and reads_only and not waits and _open(found[-1], predicting=predicting):
            found[-1].append(task)
        else:
            found.append([task])
            defined = set()
        defined |= defines(task)
    return [tuple(wave) for wave in found]


def stretches(waves_: Iterable[tuple[Task, ...]]) -> list[list[tuple[Task, ...]]]:
    """Join waves that a host may go through by itself, however far the others are.

    These are waves of probes that concern their own host alone: none is done once for all, none
    reads of others, and none finds secrets that must be known before anybody goes on.
    """
    found: list[list[tuple[Task, ...]]] = []
    open_ = False
    for wave in waves_:
        alone = all(map(_of_its_host_alone, wave))
        if open_ and alone:
            found[-1].append(wave)
        else:
            found.append([wave])
        open_ = alone
    return found


def _of_its_host_alone(task: Task) -> bool:
    finds_secrets = bool(task.text.no_log) and task.text.no_log is not True
    concerns_others = task.once or _EVERYTHING in task.uses or finds_secrets
    return task.kind == "probe" and not concerns_others


def defines(task: Task) -> set[str]:
    """The names that exist once the task has run: what it registers and what it sets."""
    names = {task.text.register} if task.text.register else set()
    if task.module == "set":
        names |= set(task.args.get("vars", {}))
    return names


def _open(wave: list[Task], *, predicting: bool) -> bool:
    return predicting or wave[-1].kind == "probe"
