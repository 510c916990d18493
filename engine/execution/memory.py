"""What the run knows of each host: its variables, what was registered, and how it fares."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.alerts.alert import NOTHING
from engine.execution.results import combined
from engine.language.templates import Scope

if TYPE_CHECKING:
    from engine.execution.orders import Outcome
    from engine.execution.plan import Plan
    from engine.language.model import Task
    from engine.language.templates import Templates
    from engine.redact import Redactor

COUNTS = ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored", "findings")
"""Ansible's recap, and ours at the end."""


class Memory:
    """Used by the run's own thread only; orders carry what workers need."""

    def __init__(
        self,
        plan: Plan,
        given: Mapping[str, Any],
        incident: Mapping[str, Any],
        templates: Templates,
        redactor: Redactor,
        alert: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin with what was given.

        Args:
            plan: where the hosts and the playbook's variables come from.
            given: inputs and `-e` values: data, never rendered.
            incident: the run's own facts, in scope as `incident`.
            templates: renders variables.
            redactor: learns what is read of the environment.
            alert: that the run was started for: data, too.
        """
        self._plan = plan
        self._given = given
        self.incident = dict(incident)
        self._templates = templates
        self._texts: dict[str, dict[str, Any]] = {}
        self._registered: dict[str, dict[str, Any]] = {}
        self._shared = {
            "groups": plan.inventory.listed_groups,
            "hostvars": _HostVars(self),
            "env": Environment(redactor),
            "alert": alert or NOTHING,
        }
        self._redactor = redactor
        self._failures: dict[str, dict[str, Any]] = {}
        self.evidence: dict[str, set[str]] = {}
        self.stopped: set[str] = set()
        self.unheld = ""
        """The first probe of `resolve` that did not hold; empty while all do."""
        self.recap: dict[str, dict[str, int]] = {}

    def texts(self, host: str) -> dict[str, Any]:
        """The names whose values are templates, for a host."""
        if host not in self._texts:
            variables = self._plan.inventory.variables(host)
            self._texts[host] = {**variables, **self._plan.playbook.text.vars}
        return self._texts[host]

    def data(self, host: str) -> dict[str, Any]:
        """The names whose values are never rendered, for a host."""
        return {
            **self._shared,
            "inventory_hostname": host,
            "incident": self.incident,
            "run_id": self.incident["id"],
            "check_mode": self.incident["check"],
            "failure": self._failures.get(host),
            **self._given,
            **self._registered.get(host, {}),
        }

    def scope(self, host: str) -> Scope:
        """All names of a host."""
        return Scope(self.data(host), self.texts(host), self._templates)

    def register(self, task: Task, host: str, outcomes: list[Outcome]) -> None:
        """Keep what a task came to on a host, under its name."""
        own = self._registered.setdefault(host, {})
        for outcome in outcomes:
            if task.module == "set" and not outcome.failed:
                own.update(outcome.result.get("vars", {}))
        if task.text.register:
            looped = task.text.loop is not None
            own[task.text.register] = combined(outcomes) if looped else outcomes[-1].result
            self.evidence.setdefault(task.text.register, set()).add(host)

    def fail(self, outcome: Outcome) -> None:
        """Keep what failed last on a host, for the tasks that deal with it."""
        order = outcome.order
        if order.phase == "resolve" and order.task.kind == "probe":
            self.unheld = self.unheld or f"{order.name} on {order.host}"
        self._failures[order.host] = {
            "task": order.name,
            "module": order.task.module,
            "status": outcome.status,
            "message": outcome.message,
            "result": outcome.result,
        }

    def failed_at(self, host: str) -> str:
        """What failed last on a host, in words; of one that did not fail, why it is treated so."""
        failure = self._failures.get(host)
        if failure is None:
            return "a failure elsewhere is fatal to all"
        return f'"{failure["task"]}" failed: {failure["message"]}'

    def rescue(self, host: str, outcomes: Iterable[Outcome]) -> None:
        """A host's failures were dealt with; what is not known stays one."""
        counts = self._counts(host)
        counts["rescued"] += 1
        for outcome in outcomes:
            if outcome.status in ("failed", "unreachable"):
                counts[outcome.status] -= 1

    def keep_secret(self, value: Any) -> None:
        """Mask a value, or each text in it, from now on."""
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                self.keep_secret(part)
        elif value is not None and not isinstance(value, bool):
            self._redactor.learn(value)

    def _counts(self, host: str) -> dict[str, int]:
        return self.recap.setdefault(host, dict.fromkeys(COUNTS, 0))

    def count(self, outcome: Outcome, *, ignored: bool) -> None:
        """Add an outcome to its host's recap."""
        counts = self._counts(outcome.order.host)
        column = {"finding": "ok", "unknown": "failed"}.get(outcome.status, outcome.status)
        forgiven = outcome.order.task.text.ignore_unreachable and column == "unreachable"
        if ignored and (column == "failed" or forgiven):
            column = "ignored"
        counts[column] += 1
        if column == "changed":
            counts["ok"] += 1
        if outcome.result.get("finding") and outcome.status in ("finding", "failed"):
            counts["findings"] += 1


class _HostVars(Mapping[str, Scope]):
    """`hostvars[host].name`: each host's names, looked up when asked for."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __getitem__(self, host: str) -> Scope:
        if host not in self:
            raise KeyError(host)
        return self._memory.scope(host)

    def __contains__(self, host: object) -> bool:
        return host in self._hosts()

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts())

    def __len__(self) -> int:
        return len(self._hosts())

    def _hosts(self) -> tuple[str, ...]:
        plan = self._memory._plan  # one idea in two classes
        return tuple(dict.fromkeys((*plan.inventory.hosts, *plan.every_host())))


class Environment(Mapping[str, str]):
    """`env.NAME`: the controller's environment; what is read of it is a secret from then on."""

    def __init__(self, redactor: Redactor) -> None:
        """Tell this one what is read."""
        self._redactor = redactor

    def __getitem__(self, name: str) -> str:
        value = os.environ[name]
        self._redactor.learn(value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)
