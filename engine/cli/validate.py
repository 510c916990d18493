"""`quell validate`: everything that can be known about playbooks without contacting a host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.files import playbooks
from engine.cli.vaults import vault_of, vault_options
from engine.errors import InputError
from engine.redact import escape
from engine.units import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.errors import Problem
    from engine.inventory import Inventory
    from engine.language.keywords import HostPattern
    from engine.language.model import Place, Playbook
    from engine.registry import Registry
    from engine.vault import Vault


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=Path)
@click.option(
    "-i", "--inventory", "sources", multiple=True, metavar="SOURCE",
    help="Whose variables playbooks may use. May be repeated.",
)  # fmt: skip
@click.option(
    "-M", "--module-path", "module_path", multiple=True, metavar="DIRECTORY", type=Path,
    help="Modules beside the shipped ones. May be repeated.",
)  # fmt: skip
@vault_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(
    paths: tuple[Path, ...],
    sources: tuple[str, ...],
    module_path: tuple[Path, ...],
    form: str,
    **vaults: Any,
) -> int:
    """Check playbooks, files or directories of them. Contacts no host and runs nothing.

    Every problem of every file is told at once; the exit code is 1 if there is one.
    """
    from engine.registry import Registry

    files, problems = playbooks(paths)
    inventory = _inventory(sources, vault_of(vaults))
    wrong, notices = _checked(files, Registry(module_path), inventory)
    problems += wrong
    if form == "json":
        click.echo(json.dumps(_plain(len(files), problems, notices), indent=2))
    else:
        for notice in notices:
            click.echo(escape(f"notice: {notice}", keep="\n"))
        for problem in problems:
            click.echo(escape(str(problem), keep="\n"))
        click.echo(f"{count(len(files), 'playbook')}, {count(len(problems), 'problem')}")
    return 1 if problems else 0


def _checked(
    files: Sequence[Path], registry: Registry, inventory: Inventory | None
) -> tuple[list[Problem], list[Problem]]:
    """The problems, and the notices of the files that have none."""
    from engine.language.load import Loader, notices

    loader = Loader(registry, inventory.names() if inventory else None)
    problems: list[Problem] = []
    seen: list[Problem] = []
    for file in files:
        try:
            playbook = loader.load(file)
        except InputError as error:
            problems += error.problems
            continue
        seen += notices(playbook)
        if inventory is not None:
            problems += _unmatched(playbook, inventory)
    return problems, seen


def _inventory(sources: Sequence[str], vault: Vault) -> Inventory | None:
    if not sources:
        return None
    from engine import inventory

    return inventory.load(sources, vault=vault)


def _unmatched(playbook: Playbook, inventory: Inventory) -> Iterator[Problem]:
    """Patterns that match no host; those with templates are not known yet."""
    from engine.language.expressions import is_template
    from engine.language.keywords import PHASES

    tasks = [task for phase in PHASES for task in playbook.tasks(phase)]
    patterns: list[tuple[HostPattern, Place | None]] = [(playbook.text.hosts, playbook.place)]
    patterns += [(task.text.hosts, task.place) for task in tasks if task.text.hosts is not None]
    for pattern, place in patterns:
        terms = [pattern] if isinstance(pattern, str) else pattern
        if place is None or any(is_template(term) for term in terms):
            continue
        try:
            inventory.match(pattern)
        except InputError as error:
            for problem in error.problems:
                yield place.problem(f"hosts: {problem.message}", problem.hint)


def _plain(
    playbooks: int, problems: Iterable[Problem], notices: Iterable[Problem]
) -> dict[str, Any]:
    return {
        "playbooks": playbooks,
        "problems": [_fields(problem) for problem in problems],
        "notices": [_fields(notice) for notice in notices],
    }


def _fields(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "hint": problem.hint,
        "source": problem.source,
    }
