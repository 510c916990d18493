"""What crosses the fleet seam: frozen values, so that a worker may be a thread or a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from engine.events import FAILURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.contract import Change
    from engine.events import Intent, PhaseName, Status
    from engine.language.model import Task

Mode = Literal["probe", "predict", "apply"]
"""`predict`: observe and decide only. `apply`: the whole sequence, on what was approved."""

Key = tuple[str, str, str | None]
"""What an order is about: task id, host, loop item's label."""


class Order(Struct, frozen=True):
    """One task, for one host and one loop item.

    Args:
        name: what people call it on this host.
        data: names whose values are never rendered: inputs, results, the item.
        texts: names whose values are templates: inventory and playbook variables.
        item: the loop item's label; None without a loop.
        number: which of the loop's items it is, from 0.
        approved: the change that was shown and approved, for `apply`.
        unknown: an earlier intent of it whose outcome nobody saw, or that may have been taken back.
        intent: the id that an action's intent will have.
        delegate: the host that does it in the other's stead; empty where none does.
        pause: seconds to wait before it.
    """

    task: Task
    phase: PhaseName
    host: str
    mode: Mode
    name: str
    data: Mapping[str, Any]
    texts: Mapping[str, Any]
    item: str | None = None
    number: int = 0
    approved: Change | None = None
    unknown: Intent | None = None
    intent: str = ""
    delegate: str = ""
    pause: float = 0.0

    @property
    def where(self) -> str:
        """The host that it is done on."""
        return self.delegate or self.host

    @property
    def takes_back(self) -> bool:
        """Whether it takes back what another one did."""
        return ".rollback." in self.task.id

    @property
    def key(self) -> Key:
        """What it is about."""
        return (self.task.id, self.host, self.item)


class Outcome(Struct, frozen=True):
    """What came of an order.

    Args:
        result: the registered value.
        change: what an action would do or did; None: there was nothing to do.
        asks: `change` needs a yes first: it is not the one that was approved. Nothing was sent.
        guard: the guard that refused it; empty where none did.
        intent: the intent that was recorded; empty where nothing was sent.
        verified: whether what must hold afterwards did; None where nothing must, or nobody looked.
        applied: a change was made, so there is something that could be taken back.
        past: it came before the run was resumed, and was told then.
    """

    order: Order
    status: Status
    message: str = ""
    summary: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    change: Change | None = None
    asks: bool = False
    guard: str = ""
    intent: str = ""
    verified: bool | None = None
    applied: bool = False
    past: bool = False

    @property
    def failed(self) -> bool:
        """Whether it stops its host, unless the task says to go on."""
        return self.status in FAILURES


Lane = tuple[Order, ...]
"""Orders of one host that run one after the other; actions end at their first failure."""


class Wave(Struct, frozen=True):
    """Lanes that may run side by side."""

    lanes: tuple[Lane, ...]
