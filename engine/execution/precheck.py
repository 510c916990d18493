"""What is known of a task before the run is checked then, and not when it is too late."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.errors import HostError, InputError
from engine.execution.timing import timing
from engine.execution.waves import defines
from engine.language.keywords import PHASES
from engine.language.templates import Scope
from engine.vault import sealed_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from engine.errors import Problem
    from engine.execution.becoming import Becoming
    from engine.execution.plan import Plan
    from engine.language.model import Task
    from engine.language.templates import Templates
    from engine.registry import Registry

_ONLY_IN_A_RUN = frozenset(
    {"item", "result", "hostvars", "incident", "env", "run_id", "alert", "failure"}
)
"""Names whose values a run brings, like the results that tasks register."""


def check_arguments(
    plan: Plan,
    registry: Registry,
    given: Mapping[str, Any],
    becoming: Becoming,
    templates: Templates,
) -> None:
    """Render what uses inputs and variables alone, for each task's first host.

    Args:
        plan: which task runs where.
        registry: the modules.
        given: inputs and `-e` values.
        becoming: knows as whom a task acts.
        templates: renders them.

    Raises:
        InputError: each argument, time or account that cannot be what it must be.
    """
    later = set(_ONLY_IN_A_RUN)
    for phase in PHASES:
        for task in plan.playbook.tasks(phase):
            later |= defines(task) | {task.text.loop_control.loop_var}
            later |= {task.text.loop_control.index_var or "item"}
    problems: list[Problem] = []
    for phase in plan.phases:
        for task in plan.tasks(phase):
            for host in plan.grid[task.id][:1]:
                known = {**plan.inventory.variables(host), **plan.playbook.text.vars}
                data = {
                    "inventory_hostname": host,
                    "groups": plan.inventory.listed_groups,
                    "check_mode": False,
                    **given,
                }
                problems += [
                    problem
                    for one in task.every()
                    if not one.uses & later
                    for problem in _problems(
                        one,
                        registry,
                        Scope(data, {**known, **one.text.vars}, templates),
                        partial(becoming.whom, host),
                        templates,
                    )
                ]
    if problems:
        raise InputError(*problems)


def check_sealed(plan: Plan, templates: Templates) -> None:
    """Whether the encrypted variables that tasks and connections use can be opened.

    Raises:
        InputError: each that cannot.
    """
    used = frozenset[str]().union(
        *(task.uses for phase in plan.phases for task in plan.tasks(phase)),
        *(task.uses for task in plan.playbook.handlers),
    )
    wrong: dict[str, None] = {}
    for host in plan.every_host():
        variables = {**plan.inventory.variables(host), **plan.playbook.text.vars}
        for name, value in variables.items():
            if name in used or name.startswith("ansible_"):
                for text in sealed_in(value):
                    try:
                        templates.render(text, {})
                    except HostError as error:
                        wrong[error.message] = None
    if wrong:
        raise InputError(*wrong)


def _problems(
    task: Task,
    registry: Registry,
    scope: Scope,
    whom: Callable[[Task, Scope], object],
    templates: Templates,
) -> list[Problem]:
    try:
        whom(task, scope)
        timing(task, templates, scope)
        templates.arguments(registry[task.module], task.args, scope)
    except HostError as error:
        named = f"{task.text.name}: " if task.text.name else ""
        return [task.place.problem(f"{named}{error.message}")]
    return []
