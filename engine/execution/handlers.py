"""Handlers: tasks that others notify when they have changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from engine.execution.orders import Outcome
    from engine.language.model import Task


class Handlers:
    """Which handlers have been notified on which hosts."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Nobody was notified yet.

        Args:
            tasks: the playbook's handlers, in its order.
        """
        self._tasks = tasks
        self._notified: dict[str, set[str]] = {}

    def note(self, outcome: Outcome) -> None:
        """An outcome came; a change notifies the handlers that its task names."""
        if outcome.status == "changed":
            for name in notified_by(outcome.order.task):
                self._notified.setdefault(name, set()).add(outcome.order.host)

    def drop(self, hosts: Collection[str]) -> None:
        """These hosts failed: nobody is notified on them any more."""
        for names in self._notified.values():
            names -= set(hosts)

    def due(self, hosts: Collection[str]) -> Iterator[tuple[Task, frozenset[str]]]:
        """Each handler that was notified on some of these hosts, in the playbook's order.

        A handler may notify others, which come in their turn, or in another one after it.
        """
        while any(names & set(hosts) for names in self._notified.values()):
            for task in self._tasks:
                found = self._notified.get(task.name, set()) & set(hosts)
                if found:
                    self._notified[task.name] -= found
                    yield task, frozenset(found)


def notified_by(task: Task) -> Sequence[str]:
    """The names of the handlers that a task notifies."""
    notify = task.text.notify
    return [notify] if isinstance(notify, str) else notify
