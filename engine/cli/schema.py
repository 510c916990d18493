"""`quell schema`: the JSON Schema of the language, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("schema")
@click.option(
    "-M", "--module-path", "module_path", multiple=True, metavar="DIRECTORY", type=Path,
    help="Modules beside the shipped ones. May be repeated.",
)  # fmt: skip
def command(module_path: tuple[Path, ...]) -> None:
    """Print the JSON Schema of playbooks, modules included.

    For an editor with the YAML language server: quell schema > quell.json, then begin a playbook
    with the line: # yaml-language-server: $schema=quell.json
    """
    from engine.language.schema import editor_schema
    from engine.registry import Registry

    click.echo(json.dumps(editor_schema(Registry(module_path)), indent=2))
