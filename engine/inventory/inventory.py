"""The inventory as loaded: hosts, groups, what patterns name, and variables by precedence."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Problem
from engine.inventory import patterns
from engine.inventory.draft import ALL, Group
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.inventory.vars_files import Layer


class Inventory:
    """Hosts, groups and variables. Nothing in it changes; variables are merged when asked for."""

    def __init__(
        self,
        groups: Mapping[str, Group],
        hosts: Mapping[str, dict[str, Any]],
        layers: Sequence[Layer],
        files: Mapping[str, str],
    ) -> None:
        """Keep what was loaded.

        Args:
            groups: by name, `all` first, then in the order that they were declared.
            hosts: each host's own variables, in the order that they were first seen.
            layers: group_vars and host_vars: each source's in order, then the playbook's.
            files: the sources, with the sha256 of each, hex.
        """
        self.tree = groups
        self.groups: Mapping[str, tuple[str, ...]] = {
            name: group.members for name, group in groups.items()
        }
        self.hosts: tuple[str, ...] = self.groups[ALL]
        self._own = hosts
        self._layers = layers
        self._files = files
        self._direct: dict[str, list[str]] = {host: [] for host in hosts}
        for group in groups.values():
            for host in group.hosts:
                self._direct[host].append(group.name)
        self._merged: dict[tuple[str, ...], dict[str, Any]] = {}

    @functools.cached_property
    def listed_groups(self) -> dict[str, list[str]]:
        """The groups as templates see them: in an expression a tuple is no list."""
        return {name: list(hosts) for name, hosts in self.groups.items()}

    def match(self, pattern: str | Sequence[str], limit: str | None = None) -> tuple[str, ...]:
        """The hosts that a pattern names and the limit leaves, in the order of the inventory.

        Args:
            pattern: one pattern, or several that are united.
            limit: of `--limit`: the same grammar, and `@file` with a term on each line.

        Raises:
            InputError: a term names nothing, or no host is left. Problems of the pattern have no
                path, for the caller knows where it stands; those of the limit do.
        """
        names = patterns.Names(self.groups, self._own)
        shown = pattern if isinstance(pattern, str) else ",".join(pattern)
        terms = patterns.split(pattern)
        if not terms:
            raise InputError(Problem("the host pattern is empty"))
        hosts = patterns.select(terms, names)
        if not hosts:
            raise InputError(Problem(f'"{shown}" leaves no host'))
        if limit is None:
            return hosts
        limiting = patterns.split_limit(limit)
        if not limiting:
            raise InputError(Problem("names no host", patterns.LIMIT))
        allowed = set(patterns.select(limiting, names))
        left = tuple(host for host in hosts if host in allowed)
        if not left:
            message = f'"{limit}" leaves none of the hosts of "{shown}"'
            raise InputError(Problem(message, patterns.LIMIT))
        return left

    def variables(self, host: str) -> dict[str, Any]:
        """A host's variables, merged: all < parent < child < host, files above the inventory's.

        Source: Ansible's "Understanding variable precedence", 3 to 10.

        Raises:
            InputError: there is no such host.
        """
        if host not in self._own and host not in patterns.LOCALHOST:
            hint = did_you_mean(host, self.hosts)
            raise InputError(Problem(f'no host is named "{host}"', hint=hint))
        groups = (ALL, *(group for group in self._by_precedence(host)))
        if groups not in self._merged:
            self._merged[groups] = self._merge_groups(groups)
        merged = self._merged[groups] | self._own.get(host, {"ansible_connection": "local"})
        for layer in self._layers:
            merged |= layer.hosts.get(host, {})
        return merged

    def files(self, hosts: Iterable[str]) -> dict[str, str]:
        """The files that say something of these hosts, with the sha256 of each, hex."""
        found = dict(self._files)
        for layer in self._layers:
            for files in layer.group_files.values():
                found |= files
            for host in hosts:
                found |= layer.host_files.get(host, {})
        return found

    def group_variables(self, group: str) -> dict[str, Any]:
        """A group's own variables, those of its group_vars files included."""
        merged = dict(self.tree[group].vars)
        for layer in self._layers:
            merged |= layer.groups.get(group, {})
        if self.tree[group].priority != 1:
            merged["ansible_group_priority"] = self.tree[group].priority
        return merged

    def unknown_group(self, name: str) -> Problem:
        """The problem that there is no such group, with the nearest name."""
        return Problem(f'no group is named "{name}"', hint=did_you_mean(name, self.groups))

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups that a host is in, in ASCII order, without `all`."""
        return tuple(sorted(self._groups_of(host)))

    def names(self) -> frozenset[str]:
        """Every variable name that any host has; the implicit localhost's among them."""
        found: set[str] = {"ansible_connection"}
        sources = [group.vars for group in self.tree.values()]
        sources += self._own.values()
        for layer in self._layers:
            sources += [*layer.groups.values(), *layer.hosts.values()]
        return frozenset(found.union(*sources))

    def _groups_of(self, host: str) -> set[str]:
        direct = self._direct.get(host, [])
        return set(direct).union(*(self.tree[group].ancestors for group in direct)) - {ALL}

    def _by_precedence(self, host: str) -> list[str]:
        def precedence(name: str) -> tuple[int, int, str]:
            return self.tree[name].depth, self.tree[name].priority, name

        return sorted(self._groups_of(host), key=precedence)

    def _merge_groups(self, groups: tuple[str, ...]) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for name in groups:
            merged |= self.tree[name].vars
        # Every file about `all` counts less than any about a group: hence two rounds.
        for about in (groups[:1], groups[1:]):
            for layer in self._layers:
                for name in about:
                    merged |= layer.groups.get(name, {})
        return merged
