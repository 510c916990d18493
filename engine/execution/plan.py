"""Playbook × inventory → which task runs on which hosts: pure, before anything is contacted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Problem
from engine.language.keywords import PHASES
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.inventory import Inventory
    from engine.language.keywords import HostPattern, Phase
    from engine.language.model import Playbook, Task

ALWAYS_TAG = "always"
NEVER_TAG = "never"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line leaves in.

    Args:
        limit: a host pattern, or `@file`.
        only: the only phase to run.
        tags: run only tasks with one of these.
        skip_tags: leave out tasks with one of these.
    """

    limit: str | None = None
    only: str | None = None
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The task × host grid.

    Args:
        hosts: the playbook's hosts, after `--limit`.
        all_hosts: the same without `--limit`: what percentages are of.
        phases: the selected tasks of each phase.
        grid: task id → its hosts, after `--limit`.
    """

    playbook: Playbook
    inventory: Inventory
    hosts: tuple[str, ...]
    all_hosts: tuple[str, ...]
    phases: Mapping[Phase, tuple[Task, ...]]
    grid: Mapping[str, tuple[str, ...]]

    def every_host(self) -> tuple[str, ...]:
        """Each host that any task runs on, once."""
        named = dict.fromkeys(self.hosts)
        for hosts in self.grid.values():
            named.update(dict.fromkeys(hosts))
        return tuple(named)


def make_plan(
    playbook: Playbook,
    inventory: Inventory,
    names: Mapping[str, Any],
    selection: Selection,
) -> Plan:
    """Lay tasks over hosts.

    Args:
        playbook: what to do.
        inventory: the hosts there are.
        names: inputs and playbook variables, already rendered: a `hosts:` may use them.
        selection: what the command line leaves in.

    Raises:
        InputError: a pattern, limit, phase or tag matches nothing.
    """
    phases = _select(playbook, selection)
    pattern = _pattern(playbook.text.hosts, names)
    all_hosts = _match(playbook, inventory, pattern)
    hosts = all_hosts
    if selection.limit is not None:
        hosts = inventory.match(pattern, selection.limit)
    allowed = _allowed(inventory, selection.limit)
    grid: dict[str, tuple[str, ...]] = {}
    for tasks in phases.values():
        for task in tasks:
            grid[task.id] = hosts
            if task.text.hosts is not None:
                own = _match(task, inventory, _pattern(task.text.hosts, names))
                grid[task.id] = tuple(h for h in own if allowed is None or h in allowed)
    return Plan(playbook, inventory, hosts, all_hosts, phases, grid)


def _allowed(inventory: Inventory, limit: str | None) -> frozenset[str] | None:
    if limit is None:
        return None
    everything = [*inventory.hosts, "localhost"] if not inventory.hosts else ["all"]
    return frozenset(inventory.match(everything, limit))


def _pattern(pattern: HostPattern, names: Mapping[str, Any]) -> HostPattern:
    from engine.language.templates import Scope, Templates

    templates = Templates()
    rendered: HostPattern = templates.render(pattern, Scope(names, {}, templates))
    return rendered


def _match(where: Playbook | Task, inventory: Inventory, pattern: HostPattern) -> tuple[str, ...]:
    try:
        return inventory.match(pattern)
    except InputError as error:
        missing = "" if inventory.hosts else "no inventory was given: -i names one"
        raise InputError(
            *(_placed(where, problem, missing) for problem in error.problems)
        ) from None


def _placed(where: Playbook | Task, problem: Problem, missing: str) -> Problem:
    """A problem of a pattern, with the place of the playbook or the task that has it."""
    if problem.path:
        return problem
    message, hint = f"hosts: {problem.message}", problem.hint or missing
    if where.place is None:
        return Problem(message, hint=hint)
    return where.place.problem(message, hint)


def _select(playbook: Playbook, selection: Selection) -> dict[Phase, tuple[Task, ...]]:
    present = [phase for phase in PHASES if playbook.tasks(phase)]
    if selection.only is not None and selection.only not in present:
        hint = f"it has {', '.join(present)}"
        raise InputError(Problem(f"--only: the playbook has no phase {selection.only}", hint=hint))
    _check_tags(playbook, selection)
    return {
        phase: tuple(task for task in playbook.tasks(phase) if _tagged(task, selection))
        for phase in present
        if selection.only in (None, phase)
    }


def _check_tags(playbook: Playbook, selection: Selection) -> None:
    known = {ALWAYS_TAG, NEVER_TAG, "all", "tagged", "untagged"}
    known |= {tag for phase in PHASES for task in playbook.tasks(phase) for tag in tags_of(task)}
    problems = [
        Problem(f'no task has the tag "{tag}"', hint=did_you_mean(tag, known))
        for tag in (*selection.tags, *selection.skip_tags)
        if tag not in known
    ]
    if problems:
        raise InputError(*problems)


def tags_of(task: Task) -> list[str]:
    """A task's tags, however they were written."""
    tags = task.text.tags
    if isinstance(tags, str):
        return [tag.strip() for tag in tags.split(",") if tag.strip()]
    return list(tags)


def _tagged(task: Task, selection: Selection) -> bool:
    own = set(tags_of(task))
    wanted, unwanted = set(selection.tags), set(selection.skip_tags)
    if ALWAYS_TAG in own:
        return ALWAYS_TAG not in unwanted
    if _any(own, unwanted):
        return False
    if NEVER_TAG in own and not own & wanted:
        return False
    return not wanted or _any(own, wanted)


def _any(own: set[str], tags: set[str]) -> bool:
    special = ("all" in tags) or ("tagged" in tags and bool(own))
    return special or ("untagged" in tags and not own) or bool(own & tags)
