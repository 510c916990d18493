"""Asks ansible-core what it makes of inventories; run as a program, as it sets globals.

Reads `{"listings": {case: [source, …]}, "matches": {case: [[source, …], [[pattern, limit], …]]}}`
as JSON; answers with `listings`, `graphs` and `matches` by case. One process, for ansible takes a
second to start.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def main() -> None:
    asked = json.load(sys.stdin)
    cli = importlib.import_module("ansible.cli.inventory").InventoryCLI(["", "--graph", "--vars"])
    cli.parse()
    cli._play_prereqs()  # It sets ansible's own globals.
    answer: dict[str, dict[str, Any]] = {"listings": {}, "graphs": {}, "matches": {}}
    for name, sources in asked["listings"].items():
        inventory = _ready(cli, sources)
        answer["listings"][name] = cli.dump(cli.json_inventory(inventory.groups["all"]))
        answer["graphs"][name] = cli.inventory_graph()
    for name, (sources, patterns) in asked["matches"].items():
        # Each on its own, for the name that first asks for the implicit localhost stays with it.
        answer["matches"][name] = [_matched(_ready(cli, sources), *each) for each in patterns]
    json.dump(answer, sys.stdout)


def _ready(cli: Any, sources: list[str]) -> Any:
    cli.loader = importlib.import_module("ansible.parsing.dataloader").DataLoader()
    manager = importlib.import_module("ansible.inventory.manager").InventoryManager
    cli.inventory = manager(loader=cli.loader, sources=sources)
    variables = importlib.import_module("ansible.vars.manager").VariableManager
    cli.vm = variables(loader=cli.loader, inventory=cli.inventory)
    return cli.inventory


def _matched(inventory: Any, pattern: str, limit: str | None) -> list[str]:
    inventory.subset(limit)
    return [str(host) for host in inventory.list_hosts(pattern)]


if __name__ == "__main__":
    main()
