"""Variables in files: `group_vars/` and `host_vars/` beside an inventory or a playbook.

Source: Ansible's `host_group_vars` plugin: of `web`, `web.yml`, `web.yaml`, `web.json` the first
that is there counts; a directory's files are merged in ASCII order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.errors import InputError, Problem
from engine.inventory import yaml
from engine.inventory.text import read
from engine.vault import Vault, literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from engine.inventory.text import Text

_EXTENSIONS = ("", ".yml", ".yaml", ".json")


class Layer(Struct, frozen=True):
    """The variables beside one inventory or playbook, by group and by host.

    Args:
        groups: each one's variables.
        hosts: likewise.
        group_files: of each group, the files that they stand in, with the sha256 of each, hex.
        host_files: likewise.
    """

    groups: dict[str, dict[str, Any]]
    hosts: dict[str, dict[str, Any]]
    group_files: dict[str, dict[str, str]]
    host_files: dict[str, dict[str, str]]


def load_layer(
    directory: Path,
    groups: Iterable[str],
    hosts: Iterable[str],
    problems: list[Problem],
    vault: Vault,
) -> Layer:
    """What the directory's `group_vars/` and `host_vars/` say of these groups and hosts."""
    of_groups, group_files = _load(directory / "group_vars", groups, problems, vault)
    of_hosts, host_files = _load(directory / "host_vars", hosts, problems, vault)
    return Layer(of_groups, of_hosts, group_files, host_files)


def _load(
    directory: Path, names: Iterable[str], problems: list[Problem], vault: Vault
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    if not directory.is_dir():
        return {}, {}
    # One listing, not four looks for each of ten thousand hosts.
    present = {path.name for path in directory.iterdir()}
    found: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, str]] = {}
    for name in names:
        chosen = next((name + end for end in _EXTENSIONS if name + end in present), None)
        if chosen is not None:
            found[name], files[name] = _merged(directory / chosen, problems, vault)
    return found, files


def _merged(
    path: Path, problems: list[Problem], vault: Vault
) -> tuple[dict[str, Any], dict[str, str]]:
    variables: dict[str, Any] = {}
    files: dict[str, str] = {}
    for file in _files(path) if path.is_dir() else [path]:
        try:
            text = read(file, vault)
            files[text.path] = text.digest
            variables |= _variables(text, vault)
        except InputError as error:
            problems.extend(error.problems)
    return variables, files


def _files(directory: Path) -> list[Path]:
    files = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir():
            files += [] if path.suffix else _files(path)
        elif path.is_file() and path.suffix in _EXTENSIONS:
            files.append(path)
    return files


def _variables(text: Text, vault: Vault) -> dict[str, Any]:
    found = yaml.parse(text)
    if not found:
        return {}
    if text.sealed:
        vault.learn(found)
        found = literal(found)
    if not isinstance(found, dict):
        raise InputError(text.problem("must be a mapping of variables", 1))
    places = yaml.Places(text)
    wrong = [name for name in found if not isinstance(name, str)]
    if wrong:
        raise InputError(
            *(
                text.problem(f"a variable's name must be text, not {name!r}", *places.find([name]))
                for name in wrong
            )
        )
    return found
