"""Playbook × inventory → which task runs on which hosts: pure, before anything is contacted."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from engine.errors import InputError, Problem
from engine.execution.waves import defines
from engine.language.expressions import is_template
from engine.language.keywords import PHASES
from engine.language.model import Task, tasks_in
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.inventory import Inventory
    from engine.language.keywords import HostPattern, Phase
    from engine.language.model import Node, Playbook

ALWAYS_TAG = "always"
NEVER_TAG = "never"


class Selection(Struct, frozen=True):
    """What the command line leaves in.

    Args:
        limit: a host pattern, or `@file`.
        only: the only phase to run.
        tags: run only tasks with one of these.
        skip_tags: leave out tasks with one of these.
        start_at: the name of the first task to run; a glob.
    """

    limit: str | None = None
    only: str | None = None
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    start_at: str | None = None


class Plan(Struct, frozen=True):
    """The task × host grid.

    Args:
        hosts: the playbook's hosts, after `--limit`.
        all_hosts: the same without `--limit`: what percentages are of.
        phases: the selected tasks and blocks of each phase.
        grid: task id → its hosts, after `--limit`.
        delegates: the hosts that may do something in another's stead.
    """

    playbook: Playbook
    inventory: Inventory
    hosts: tuple[str, ...]
    all_hosts: tuple[str, ...]
    phases: Mapping[Phase, tuple[Node, ...]]
    grid: Mapping[str, tuple[str, ...]]
    delegates: tuple[str, ...] = ()

    def tasks(self, phase: Phase) -> tuple[Task, ...]:
        """The selected tasks of a phase, those in blocks too."""
        return tuple(tasks_in(self.phases.get(phase, ())))

    def hosts_of(self, phase: Phase) -> tuple[str, ...]:
        """Each host that a task of the phase runs on, once: the playbook's own first."""
        named = {host for task in self.tasks(phase) for host in self.grid[task.id]}
        return tuple(host for host in self.every_host() if host in named)

    def every_host(self) -> tuple[str, ...]:
        """Each host that any task runs on, once."""
        named = dict.fromkeys(self.hosts)
        for hosts in self.grid.values():
            named.update(dict.fromkeys(hosts))
        return tuple(named)

    def reached(self) -> tuple[str, ...]:
        """Each host that may be connected to, once."""
        return tuple(dict.fromkeys((*self.every_host(), *self.delegates)))


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
    for nodes in phases.values():
        for task in tasks_in(nodes):
            grid[task.id] = hosts
            if task.text.hosts is not None:
                own = _match(task, inventory, _pattern(task.text.hosts, names))
                grid[task.id] = tuple(h for h in own if allowed is None or h in allowed)
    delegates = _delegates(playbook, phases, inventory)
    return Plan(playbook, inventory, hosts, all_hosts, phases, grid, delegates)


def _delegates(
    playbook: Playbook, phases: Mapping[Phase, tuple[Node, ...]], inventory: Inventory
) -> tuple[str, ...]:
    """The hosts that `delegate_to` names; every one there is where a template does."""
    tasks = [task for nodes in phases.values() for task in tasks_in(nodes)]
    said = {
        one.text.delegate_to: one
        for task in (*tasks, *playbook.handlers)
        for one in task.every()
        if one.text.delegate_to is not None
    }
    known = (*inventory.hosts, "localhost")
    if any(is_template(name) for name in said):
        return known
    problems = [
        task.place.problem(f'delegate_to: no host is named "{name}"', did_you_mean(name, known))
        for name, task in said.items()
        if name not in known
    ]
    if problems:
        raise InputError(*problems)
    return tuple(said)


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


def _select(playbook: Playbook, selection: Selection) -> dict[Phase, tuple[Node, ...]]:
    present = [phase for phase in PHASES if playbook.tasks(phase)]
    if selection.only is not None and selection.only not in present:
        hint = f"it has {', '.join(present)}"
        raise InputError(Problem(f"--only: the playbook has no phase {selection.only}", hint=hint))
    _check_tags(playbook, selection)
    before = _before_start(playbook, selection.start_at)
    return {
        phase: _kept(playbook.phases[phase], lambda t: t.id not in before and _tagged(t, selection))
        for phase in present
        if selection.only in (None, phase)
    }


def _kept(nodes: Iterable[Node], wanted: Callable[[Task], bool]) -> tuple[Node, ...]:
    """The nodes with the tasks that are wanted; a block without any is left out."""
    kept: list[Node] = []
    for node in nodes:
        if isinstance(node, Task):
            kept += [node] if wanted(node) else []
            continue
        block, rescue, always = (_kept(section, wanted) for section in node.sections)
        if block or always:
            kept.append(structs.replace(node, block=block, rescue=rescue, always=always))
    return tuple(kept)


def _before_start(playbook: Playbook, start_at: str | None) -> frozenset[str]:
    """The tasks before the one that is started at.

    Raises:
        InputError: there is none of that name, or what follows needs what is passed over.
    """
    if start_at is None:
        return frozenset()
    tasks = [task for phase in PHASES for task in playbook.tasks(phase)]
    number = next((n for n, t in enumerate(tasks) if fnmatchcase(t.name, start_at)), None)
    if number is None:
        hint = did_you_mean(start_at, [task.name for task in tasks])
        raise InputError(Problem(f'--start-at-task: no task is called "{start_at}"', hint=hint))
    passed = {name: task for task in tasks[:number] for name in defines(task)}
    passed = {name: task for name, task in passed.items() if not _again(name, tasks[number:])}
    hint = "start before that, or go on with an earlier run: quell resume"
    problems = [
        task.place.problem(f'"{name}" is registered by "{passed[name].name}", passed over', hint)
        for task in tasks[number:]
        for name in sorted(task.uses & passed.keys())
    ]
    if problems:
        raise InputError(*problems)
    return frozenset(task.id for task in tasks[:number])


def _again(name: str, tasks: Iterable[Task]) -> bool:
    return any(name in defines(task) for task in tasks)


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
    if _skipped(own, unwanted):
        return False
    if ALWAYS_TAG in own:
        return True
    if NEVER_TAG in own and not own & wanted:
        return False
    return not wanted or _any(own, wanted)


def _skipped(own: set[str], unwanted: set[str]) -> bool:
    if "all" in unwanted and ALWAYS_TAG in own:
        return ALWAYS_TAG in unwanted
    return _any(own, unwanted)


def _any(own: set[str], tags: set[str]) -> bool:
    special = ("all" in tags) or ("tagged" in tags and bool(own))
    return special or ("untagged" in tags and not own) or bool(own & tags)
