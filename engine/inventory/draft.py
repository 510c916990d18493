"""Collects hosts and groups from all sources, then settles what follows from them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

ALL = "all"
UNGROUPED = "ungrouped"


class Group(Struct, frozen=True):
    """A group as loaded.

    Args:
        name: its name.
        hosts: the hosts put into it directly.
        children: the groups put into it directly.
        members: its hosts and its children's, breadth first.
        vars: its own variables, without group_vars files.
        depth: the longest way from `all`, which is 0.
        priority: `ansible_group_priority`: among groups of one depth the higher wins.
        ancestors: every group above it.
    """

    name: str
    hosts: tuple[str, ...]
    children: tuple[str, ...]
    members: tuple[str, ...]
    vars: dict[str, Any]
    depth: int
    priority: int
    ancestors: frozenset[str]


class _Group(Struct):
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    vars: dict[str, Any] = field(default_factory=dict)
    priority: int = 1


class Draft:
    """Hosts and groups while sources are read. Dicts stand for ordered sets."""

    def __init__(self) -> None:
        """Start with `all` and, in it, `ungrouped`."""
        self.files: dict[str, str] = {}
        """The sha256 of each that was read, hex."""
        self._groups = {ALL: _Group(), UNGROUPED: _Group()}
        self._hosts: dict[str, dict[str, Any]] = {}
        self._groups_of: dict[str, dict[str, None]] = {}
        self.add_child(ALL, UNGROUPED)

    def has_group(self, name: str) -> bool:
        """Whether the group was declared."""
        return name in self._groups

    def group_names(self) -> tuple[str, ...]:
        """Every group declared so far."""
        return tuple(self._groups)

    def add_group(self, name: object) -> None:
        """Declare a group; again is no harm.

        Raises:
            ValueError: the name is not text, or empty.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"a group's name must be text, not {name!r}")
        if name not in self._groups:
            self._groups[name] = _Group()

    def add_host(self, name: str, group: str, port: int | None) -> None:
        """Put a host into a group; the port counts where the host is first seen, as in Ansible."""
        if name not in self._hosts:
            self._hosts[name] = {} if port is None else {"ansible_port": port}
            self._groups_of[name] = {}
        self._groups[group].hosts[name] = None
        self._groups_of[name][group] = None

    def add_child(self, parent: str, child: str) -> None:
        """Put a group into a group.

        Raises:
            ValueError: that would make a loop, or `ungrouped` a group like others.
        """
        if parent == UNGROUPED or (child == UNGROUPED and parent != ALL):
            raise ValueError(f'group "{child}" in "{parent}": "{UNGROUPED}" belongs to no tree')
        if child in {ALL, parent} or child in self._above(parent):
            raise ValueError(f'group "{child}" in "{parent}" would make a loop')
        self._groups[parent].children[child] = None
        self._groups[child].parents[parent] = None

    def set_host(self, host: str, name: object, value: Any) -> None:
        """Set a host's variable.

        Raises:
            ValueError: the variable's name is not text, or empty.
        """
        self._hosts[host][_variable(name)] = value

    def set_group(self, group: str, name: object, value: Any) -> None:
        """Set a group's variable; `ansible_group_priority` sets its priority instead.

        Raises:
            ValueError: the variable's name is not text, or the priority no whole number.
        """
        if _variable(name) == "ansible_group_priority":
            try:
                self._groups[group].priority = int(value)
            except (TypeError, ValueError) as error:
                message = f"ansible_group_priority must be a whole number, not {value!r}"
                raise ValueError(message) from error
        else:
            self._groups[group].vars[_variable(name)] = value

    def settle(self) -> tuple[dict[str, Group], dict[str, dict[str, Any]]]:
        """The groups and the hosts' own variables, every group under `all`, every host grouped."""
        for name, group in self._groups.items():
            if name != ALL and not group.parents:
                self.add_child(ALL, name)
        self._settle_ungrouped()
        depths = self._depths()
        groups = {name: self._settled(name, depths[name]) for name in self._groups}
        return groups, self._hosts

    def _settle_ungrouped(self) -> None:
        ungrouped = self._groups[UNGROUPED].hosts
        for host, groups in self._groups_of.items():
            if groups.keys() - {ALL, UNGROUPED}:
                ungrouped.pop(host, None)
            else:
                ungrouped[host] = None

    def _above(self, name: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(self._groups[name].parents)
        while waiting:
            parent = waiting.pop()
            if parent not in seen:
                seen.add(parent)
                waiting.extend(self._groups[parent].parents)
        return seen

    def _depths(self) -> dict[str, int]:
        depths: dict[str, int] = {ALL: 0}
        missing = {name: len(group.parents) for name, group in self._groups.items()}
        ready = [ALL]
        while ready:
            parent = ready.pop()
            for child in self._groups[parent].children:
                depths[child] = max(depths.get(child, 0), depths[parent] + 1)
                missing[child] -= 1
                if not missing[child]:
                    ready.append(child)
        return depths

    def _settled(self, name: str, depth: int) -> Group:
        group = self._groups[name]
        return Group(
            name=name,
            hosts=tuple(group.hosts),
            children=tuple(group.children),
            members=self._members(name),
            vars=group.vars,
            depth=depth,
            priority=group.priority,
            ancestors=frozenset(self._above(name)),
        )

    def _members(self, name: str) -> tuple[str, ...]:
        order = {name: None}
        level = [name]
        while level:
            level = [child for above in level for child in self._groups[above].children]
            level = [child for child in dict.fromkeys(level) if child not in order]
            order |= dict.fromkeys(level)
        return tuple(dict.fromkeys(host for each in order for host in self._groups[each].hosts))


def _variable(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"a variable's name must be text, not {name!r}")
    return name
