"""The registered value of a task: what a module saw or did, with the flags that tests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.contract import to_plain
from engine.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.contract import Change
    from engine.events import Status
    from engine.execution.orders import Order, Outcome
    from engine.language.model import Task

NO_LOG = "not shown: no_log"
FLAGS = ("changed", "failed", "finding", "skipped", "unreachable", "msg")
"""What every result has beside the module's own."""


def registered(
    value: object, status: Status, *, message: str = "", finding: bool = False
) -> dict[str, Any]:
    """A result: the module's plain values, then `failed`, `changed`, `finding`… and `msg`."""
    plain = to_plain(value) if value is not None else {}
    fields = plain if isinstance(plain, dict) else {"value": plain}
    failed = status in ("failed", "unreachable", "unknown")
    return {
        **fields,
        "changed": status == "changed",
        "failed": failed,
        "finding": finding or failed or status == "finding",
        "skipped": status == "skipped",
        "unreachable": status == "unreachable",
        "msg": message,
    }


def hidden(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result whose own values are masked; the flags and the message stay."""
    return {name: value if name in FLAGS else MASK for name, value in result.items()}


def told(change: Change, task: Task) -> dict[str, Any]:
    """A change as it may be told: of a task with `no_log`, only what it acts on."""
    plain: dict[str, Any] = to_plain(change)
    if task.text.no_log is not True:
        return plain
    names = ", ".join(identity.name for identity in change.on)
    return {**plain, "summary": f"{names} ({NO_LOG})", "before": None, "after": None}


def names_of_result(outcome: Outcome) -> dict[str, Any]:
    """The names that a task's own result has where it is judged: `result`, and its `register`."""
    names = {"result": outcome.result}
    if outcome.order.task.text.register:
        names[outcome.order.task.text.register] = outcome.result
    return names


def _item(order: Order) -> dict[str, Any]:
    """Which item a result is of, under its name in the loop, as in Ansible."""
    control = order.task.text.loop_control
    names = (control.loop_var, control.index_var)
    return {name: order.data[name] for name in names if name is not None}


def combined(outcomes: list[Outcome]) -> dict[str, Any]:
    """The registered value of a loop: each item's under `results`, the flags of any of them."""
    ends = [outcome.result for outcome in outcomes]
    flags = ("changed", "failed", "finding", "unreachable")
    return {
        "results": [
            {**outcome.result, **_item(outcome.order)}
            for outcome in outcomes
            # A loop over nothing, or one that could not be gone through, has an end and no item.
            if outcome.order.item is not None
        ],
        **{flag: any(result.get(flag) for result in ends) for flag in flags},
        "skipped": all(result.get("skipped") for result in ends),
        "msg": "; ".join(str(result["msg"]) for result in ends if result.get("msg")),
    }
