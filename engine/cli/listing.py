"""What `quell run` only lists: nothing is contacted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.execution.assemble import prepare
from engine.execution.plan import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.alerts import Offer
    from engine.execution.options import Options
    from engine.execution.plan import Plan
    from engine.vault import Vault


def show(
    options: Options, lists: Sequence[str], offer: Offer | None = None, vault: Vault | None = None
) -> int:
    """List what would be run, once all of it was checked.

    Args:
        options: of the run.
        lists: which of `hosts`, `tasks` and `tags`; none for the check alone.
        offer: the alerts of `--alert`.
        vault: opens what is encrypted.

    Returns:
        The exit code.

    Raises:
        InputError: something is wrong with what was given.
    """
    plan = prepare(options, offer=offer, vault=vault).plan
    for name in lists:
        for line in _LISTS[name](plan):
            click.echo(line)
    if not lists:
        click.echo(f"{options.playbook}: no problems")
    return 0


def _hosts(plan: Plan) -> Iterator[str]:
    yield from plan.every_host()


def _tasks(plan: Plan) -> Iterator[str]:
    for phase in plan.phases:
        if tasks := plan.tasks(phase):
            yield f"{phase}:"
        for task in tasks:
            where = ", ".join(plan.grid[task.id]) or "no host"
            yield f"  {task.name}  ({task.module}) on {where}"


def _tags(plan: Plan) -> Iterator[str]:
    tasks = (task for phase in plan.phases for task in plan.tasks(phase))
    yield from sorted({tag for task in tasks for tag in tags_of(task)})


_LISTS = {"hosts": _hosts, "tasks": _tasks, "tags": _tags}
