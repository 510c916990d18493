"""Loads an inventory from its sources, with every problem found on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputError, Problem
from engine.inventory import sources as reading
from engine.inventory.draft import Draft
from engine.inventory.inventory import Inventory
from engine.inventory.vars_files import load_layer
from engine.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def load(
    sources: Sequence[str], *, playbook_dir: Path | None = None, vault: Vault | None = None
) -> Inventory:
    """The inventory that `-i` names.

    Args:
        sources: files, directories and lists of hosts (`web1,web2,`), later ones added to earlier.
            Without any the inventory holds nothing but the implicit localhost.
        playbook_dir: where the playbook's own group_vars and host_vars are.
        vault: opens what is encrypted; without one there is no password.

    Raises:
        InputError: with every problem of every file.
    """
    vault = vault or Vault()
    draft = Draft()
    problems: list[Problem] = []
    for source in sources:
        problems += reading.parse(source, draft, vault)
    if problems:
        raise InputError(*problems)
    groups, hosts = draft.settle()
    found = (reading.directory_of(source) for source in sources)
    directories = [directory for directory in (*found, playbook_dir) if directory is not None]
    loaded = {path: load_layer(path, groups, hosts, problems, vault) for path in set(directories)}
    if problems:
        raise InputError(*problems)
    return Inventory(groups, hosts, [loaded[path] for path in directories], draft.files)
