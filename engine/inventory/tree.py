"""YAML inventories: groups with `hosts`, `vars` and `children`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.inventory import names, yaml
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from engine.errors import Problem
    from engine.inventory.draft import Draft
    from engine.inventory.text import Text

_SECTIONS = ("hosts", "vars", "children")


def parse(text: Text, draft: Draft) -> list[Problem]:
    """Put the hosts and groups of a YAML file into the draft; what is wrong with it.

    Raises:
        InputError: it cannot be read as YAML.
    """
    document = yaml.parse(text)
    if document is None:
        return [text.problem("is empty: it holds no host and no group")]
    if not isinstance(document, dict):
        return [text.problem("must be a mapping of groups", 1)]
    if "plugin" in document:
        return [text.problem("configures an inventory plugin of Ansible, which is not supported")]
    tree = _Tree(text, draft)
    for name, data in document.items():
        tree.group((name,), name, data)
    return tree.problems


class _Tree:
    def __init__(self, text: Text, draft: Draft) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._places = yaml.Places(text)
        self._draft = draft

    def group(self, path: tuple[object, ...], name: Any, data: Any) -> bool:
        """Read one group and what is below it; whether it could be added."""
        try:
            self._draft.add_group(name)
        except ValueError as error:
            self._problem(path, str(error))
            return False
        if data is None:
            return True
        if not isinstance(data, dict):
            self._problem(path, f'group "{name}" must be a mapping of hosts, vars and children')
            return True
        for section, entries in data.items():
            self._section((*path, section), name, section, entries)
        return True

    def _section(self, path: tuple[object, ...], group: str, section: Any, entries: Any) -> None:
        if section not in _SECTIONS:
            hint = did_you_mean(str(section), _SECTIONS) or "a group holds hosts, vars and children"
            self._problem(path, f'unknown key "{section}" in group "{group}"', hint)
            return
        if isinstance(entries, str) and section != "vars":
            entries = {entries: None}
        if entries is None:
            return
        if not isinstance(entries, dict):
            hint = "" if section == "vars" else 'end each name with a colon: "name:"'
            self._problem(path, f'"{section}" of group "{group}" must be a mapping', hint)
            return
        read = {"hosts": self._host, "vars": self._variable, "children": self._child}[section]
        for key, value in entries.items():
            try:
                read((*path, key), group, key, value)
            except ValueError as error:
                self._problem((*path, key), str(error))

    def _host(self, path: tuple[object, ...], group: str, pattern: Any, values: Any) -> None:
        if not isinstance(pattern, str):
            self._problem(path, f"a host's name must be text, not {pattern!r}", "quote it")
            return
        if values and not isinstance(values, dict):
            self._problem(path, f'variables of host "{pattern}" must be a mapping')
            return
        hosts, port = names.expand(pattern)
        for host in hosts:
            self._draft.add_host(host, group, port)
            for name, value in (values or {}).items():
                self._set_host((*path, name), host, name, value)

    def _set_host(self, path: tuple[object, ...], host: str, name: Any, value: Any) -> None:
        try:
            self._draft.set_host(host, name, value)
        except ValueError as error:
            self._problem(path, str(error))

    def _variable(self, _path: tuple[object, ...], group: str, name: Any, value: Any) -> None:
        self._draft.set_group(group, name, value)

    def _child(self, path: tuple[object, ...], group: str, name: Any, data: Any) -> None:
        if self.group(path, name, data):
            self._draft.add_child(group, name)

    def _problem(self, path: tuple[object, ...], message: str, hint: str = "") -> None:
        self.problems.append(self._text.problem(message, *self._places.find(path), hint))
