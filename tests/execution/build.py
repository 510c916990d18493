"""Small tasks, orders and outcomes for the tests of execution."""

from __future__ import annotations

from typing import Any, Literal

from engine.contract import Change, Identity
from engine.execution.orders import Order, Outcome
from engine.language.keywords import RuleText, TaskText
from engine.language.model import Place, Rule, Task


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


def change(pid: int = 4711, name: str = "python3", kind: str = "process") -> Change:
    key: dict[str, str | int] = {"pid": pid, "started": 1}
    return Change(summary=f"{name} → ended", on=(Identity(kind=kind, name=name, key=key),))
