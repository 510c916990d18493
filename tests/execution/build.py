"""Small tasks, orders and outcomes for the tests of execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from engine.contract import Change, Identity
from engine.execution.guard import Guards
from engine.execution.orders import Order, Outcome
from engine.language.keywords import Limits, RuleText, TaskText
from engine.language.model import Place, Rule, Task
from engine.policy import Policies, Policy
from engine.policy.text import PolicyText
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def task(
    name: str,
    *,
    uses: set[str] | None = None,
    kind: Literal["probe", "action", "record"] = "probe",
    module: str = "look",
    args: dict[str, Any] | None = None,
    **keywords: Any,
) -> Task:
    return Task(
        id=f"investigate.{name}",
        text=TaskText(name=name, **keywords),
        module=module,
        kind=kind,
        args=args or {},
        place=Place("book.yml", 1, 1),
        uses=frozenset(uses or ()),
    )


def rule(level: Literal["P1", "P2", "P3", "P4"], uses: set[str], on: int | str = "any") -> Rule:
    text = RuleText(level=level, when="…", on=on, because=f"because of {level}")
    return Rule(text=text, place=Place("book.yml", 1, 1), uses=frozenset(uses))


def order(host: str, name: str = "a", **keywords: Any) -> Order:
    return Order(task(name, **keywords), "investigate", host, "probe", name, {}, {})


def outcome(of: Order, status: Any = "ok", **fields: Any) -> Outcome:
    return Outcome(of, status, **fields)


def guards(
    *policies: Policy,
    limits: Limits | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    break_glass: str = "",
) -> Guards:
    """The guards of a run on app1 to app4, which are in these groups."""
    known = groups or {}
    return Guards(
        Policies(policies),
        limits or Limits(),
        ("app1", "app2", "app3", "app4"),
        lambda host: known.get(host, ()),
        break_glass,
    )


def policy(**text: Any) -> Policy:
    """A policy with these keywords."""
    return Policy(path="policy.yml", text=convert(text, PolicyText))


def change(pid: int = 4711, name: str = "python3", kind: str = "process") -> Change:
    key: dict[str, str | int] = {"pid": pid, "started": 1}
    return Change(summary=f"{name} → ended", on=(Identity(kind=kind, name=name, key=key),))
