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


def defines(task: Task) -> set[str]:
    """The names that exist once the task has run: what it registers and what it sets."""
    names = {task.text.register} if task.text.register else set()
    if task.module == "set":
        names |= set(task.args.get("vars", {}))
    return names


def _open(wave: list[Task], *, predicting: bool) -> bool:
    return predicting or wave[-1].kind == "probe"
