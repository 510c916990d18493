"""`quell modules`: the reference, from the modules themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.reference import Reference, reference
from engine.errors import InputError, Problem
from engine.nearest import did_you_mean
from engine.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@click.command("modules")
@click.argument("name", required=False)
@click.option(
    "-M", "--module-path", "module_path", multiple=True, metavar="DIRECTORY", type=Path,
    help="Modules beside the shipped ones. May be repeated.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(name: str | None, module_path: tuple[Path, ...], form: str) -> None:
    """List the modules, or tell all about one."""
    registry = Registry(module_path)
    if name is not None and name not in registry:
        hint = did_you_mean(name, registry.names())
        raise InputError(Problem(f'no module "{name}"', hint=hint))
    names = [name] if name is not None else registry.names()
    references = [reference(registry[each]) for each in names]
    if form == "json":
        whole = [each.plain() for each in references]
        click.echo(json.dumps(whole[0] if name is not None else whole, indent=2))
        return
    for line in _page(references[0]) if name is not None else _list(references):
        click.echo(line)


def _list(references: Iterable[Reference]) -> Iterator[str]:
    rows = [(each.name, each.kind, each.summary) for each in references]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, kind, summary in rows:
        yield f"{name:{widths[0]}}  {kind:{widths[1]}}  {summary}"


def _page(module: Reference) -> Iterator[str]:
    yield f"{module.name} — {module.kind}"
    yield ""
    yield module.text
    yield ""
    yield "Arguments"
    width = max((len(argument.name) for argument in module.arguments), default=0)
    for argument in module.arguments:
        kind = f"{argument.type}, {argument.standing}"
        yield f"  {argument.name:{width}}  {kind}"
        if argument.description:
            yield f"  {'':{width}}    {argument.description}"
    yield ""
    yield "Example"
    for line in module.example.splitlines():
        yield f"  {line}".rstrip()
