"""`quell inventory`: the inventory as quell understands it, in the forms of `ansible-inventory`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from engine.cli.vaults import vault_of, vault_options
from engine.errors import InputError, Problem
from engine.inventory import load
from engine.redact import escape
from engine.vault import envelope_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.inventory import Inventory

ALL = "all"


@click.command("inventory")
@click.option(
    "-i", "--inventory", "sources", multiple=True, metavar="SOURCE",
    help="A file, a directory, or hosts with commas: web1,web2,  May be repeated.",
)  # fmt: skip
@click.option("--list", "as_list", is_flag=True, help="Every host and group, as JSON.")
@click.option("--host", metavar="HOST", help="One host's variables, as JSON.")
@click.option("--graph", "as_graph", is_flag=True, help="The tree of groups, or of GROUP.")
@click.option("--vars", "with_vars", is_flag=True, help="With --graph: variables too.")
@click.option("-l", "--limit", metavar="PATTERN", help="With --list: these hosts only.")
@vault_options
@click.argument("group", required=False)
def command(
    sources: tuple[str, ...],
    *,
    as_list: bool,
    host: str | None,
    as_graph: bool,
    with_vars: bool,
    limit: str | None,
    group: str | None,
    **vaults: Any,
) -> None:
    """Show the inventory as quell understands it. Contacts no host."""
    if as_list + as_graph + (host is not None) != 1:
        raise click.UsageError("give one of --list, --host HOST, --graph")
    for given, option in ((with_vars, "--vars"), (group, "GROUP")):
        if given and not as_graph:
            raise click.UsageError(f"{option} goes with --graph")
    if limit is not None and not as_list:
        raise click.UsageError("--limit goes with --list")
    inventory = load(sources, vault=vault_of(vaults))
    if as_graph:
        for line in graph(inventory, _group(inventory, group or ALL), with_vars=with_vars):
            click.echo(escape(line))
    elif host is not None:
        click.echo(_json(_one_host(inventory, host)))
    else:
        click.echo(_json(listing(inventory, limit)))


def listing(inventory: Inventory, limit: str | None = None) -> dict[str, Any]:
    """All of the inventory, in the form that `ansible-inventory --list` and scripts have.

    Raises:
        InputError: a term of the limit names nothing, or nothing is left.
    """
    hosts = inventory.hosts if limit is None else inventory.match(ALL, limit)
    shown = set(hosts)
    found: dict[str, Any] = {}
    for name, group in inventory.tree.items():
        members = [] if name == ALL else [host for host in group.hosts if host in shown]
        entry = {"children": list(group.children), "hosts": members}
        if filled := {key: value for key, value in entry.items() if value}:
            found[name] = filled
    hostvars = {host: variables for host in hosts if (variables := inventory.variables(host))}
    return found | {"_meta": {"hostvars": hostvars, "profile": "inventory_legacy"}}


def graph(inventory: Inventory, name: str, *, with_vars: bool, depth: int = 0) -> Iterator[str]:
    """The lines of a group's tree, in the form of `ansible-inventory --graph`."""
    group = inventory.tree[name]
    yield _branch(f"@{name}:", depth)
    for child in group.children:
        yield from graph(inventory, child, with_vars=with_vars, depth=depth + 1)
    for host in group.hosts if name != ALL else ():
        yield _branch(host, depth + 1)
        if with_vars:
            yield from _values(inventory.variables(host), depth + 2)
    if with_vars:
        yield from _values(inventory.group_variables(name), depth + 1)


def _one_host(inventory: Inventory, pattern: str) -> dict[str, Any]:
    hosts = inventory.match(pattern)
    if len(hosts) > 1:
        raise InputError(Problem(f'"{pattern}" names {len(hosts)} hosts, not one', "--host"))
    return inventory.variables(hosts[0])


def _group(inventory: Inventory, name: str) -> str:
    if name not in inventory.tree:
        raise InputError(inventory.unknown_group(name))
    return name


def _values(variables: dict[str, Any], depth: int) -> Iterator[str]:
    for name, value in sorted(variables.items()):
        yield _branch(f"{{{name} = {_unopened(value)}}}", depth)


def _branch(text: str, depth: int) -> str:
    return "  |" * depth + "--" + text if depth else text


def _json(value: Any) -> str:
    return json.dumps(_text_keys(_unopened(value)), sort_keys=True, indent=4)


def _unopened(value: Any) -> Any:
    """A value with what is encrypted as it stands in the file, in the form of Ansible's JSON."""
    if isinstance(value, str):
        envelope = envelope_of(value)
        return value if envelope is None else {"__ansible_vault": envelope}
    if isinstance(value, dict):
        return {key: _unopened(item) for key, item in value.items()}
    return [_unopened(item) for item in value] if isinstance(value, list) else value


def _text_keys(value: Any) -> Any:
    # JSON's keys are text; sorted as they are, numbers and text in one mapping cannot be compared.
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key): _text_keys(item)
            for key, item in value.items()
        }
    return [_text_keys(item) for item in value] if isinstance(value, list) else value
