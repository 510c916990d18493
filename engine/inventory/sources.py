"""What `-i` names: a file, a directory of files, or a list of hosts."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError, Problem
from engine.inventory import ini, names, tree
from engine.inventory.draft import UNGROUPED
from engine.inventory.text import read
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from engine.inventory.draft import Draft
    from engine.inventory.text import Text
    from engine.vault import Vault

IGNORED_NAMES = frozenset({"group_vars", "host_vars", "vars_plugins"})
IGNORED_ENDINGS = (
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
)  # fmt: skip
"""Source: ansible-core's INVENTORY_IGNORE_EXTS."""
_YAML_EXTENSIONS = frozenset({".yml", ".yaml", ".json"})
_YAML_START = re.compile(r"---|[{]|[^\s\[]+:(\s|$)")


def parse(source: str, draft: Draft, vault: Vault) -> list[Problem]:
    """Put what one source names into the draft; what is wrong with it."""
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _directory(path, draft, vault)
        if "," in source and not path.exists():
            return _host_list(source, draft)
        return _file(path, draft, vault)
    except InputError as error:
        return list(error.problems)


def directory_of(source: str) -> Path | None:
    """Where group_vars and host_vars of a source stand; a list of hosts has no place."""
    path = Path(source).expanduser()
    if "," in source and not path.exists():
        return None
    return path if path.is_dir() else path.parent


def _directory(directory: Path, draft: Draft, vault: Vault) -> list[Problem]:
    files = _files(directory)
    if not files:
        return [Problem("holds no inventory file", str(directory))]
    problems = []
    for file in files:
        try:
            problems += _file(file, draft, vault)
        except InputError as error:
            problems += error.problems
    return problems


def _files(directory: Path) -> list[Path]:
    files = []
    for path in sorted(directory.iterdir(), key=lambda path: os.fsencode(path.name)):
        name = path.name
        if name.startswith(".") or name in IGNORED_NAMES or name.endswith(IGNORED_ENDINGS):
            continue
        if path.is_dir():
            files += _files(path)
        elif path.is_file():
            files.append(path)
    return files


def _file(path: Path, draft: Draft, vault: Vault) -> list[Problem]:
    if not path.exists():
        return [Problem("no such inventory", str(path), hint=_missing_hint(path))]
    text = read(path, vault)
    draft.files[text.path] = text.digest
    start = _first_line(text)
    if start.startswith("#!") and os.access(path, os.X_OK):
        return [text.problem("is an inventory script, which is not yet supported")]
    if path.suffix == ".toml":
        return [text.problem("TOML inventories are not supported", hint="write it as YAML or INI")]
    is_yaml = path.suffix in _YAML_EXTENSIONS or (not path.suffix and _YAML_START.match(start))
    if is_yaml:
        return tree.parse(text, draft)
    if not start:
        return [text.problem("is empty: it holds no host and no group")]
    return ini.parse(text, draft)


def _missing_hint(path: Path) -> str:
    if path.parent.is_dir():
        beside = did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))
        if beside:
            return beside
    return f'a host is named with a comma: -i "{path},"' if path.name == str(path) else ""


def _first_line(text: Text) -> str:
    """The first line that says something: a script's first, else no comment."""
    if text.text.startswith("#!"):
        return text.text.partition("\n")[0]
    rows = (row.strip() for row in text.text.splitlines())
    return next((row for row in rows if row and row[0] not in "#;"), "")


def _host_list(source: str, draft: Draft) -> list[Problem]:
    problems = []
    for item in filter(None, (part.strip() for part in source.split(","))):
        try:
            hosts, port = names.expand(item)
        except ValueError as error:
            problems.append(Problem(str(error)))
            continue
        for host in hosts:
            draft.add_host(host, UNGROUPED, port)
    return problems
