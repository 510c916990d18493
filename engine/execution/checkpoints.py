"""Where the run itself stops: for a person who ticks an item of the checklist, or for a time."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.contract import Checkpoint, Question
from engine.errors import HostError
from engine.events import Waiting, now
from engine.execution.orders import Outcome
from engine.execution.results import registered
from engine.language.model import Block
from engine.language.templates import Scope
from engine.units import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from engine.events import Event, Status
    from engine.execution.ending import Course
    from engine.execution.halt import Halt
    from engine.execution.orders import Order
    from engine.execution.stage import Stage
    from engine.language.keywords import Phase
    from engine.language.model import Node, Task
    from engine.registry import Registry

SLICE = 0.1
"""Seconds of sleep between two looks for a signal."""
SAY_EVERY = 1.0
"""Seconds between two words on a wait; of a long one, a hundredth."""

NEEDS_A_PERSON = "open: needs a person"
_DONE = {"done": "done by", "go on": "let go on by"}


class Answer(Struct, frozen=True):
    """What a person said: it is done, or it stays open; and a note, which may be empty."""

    done: bool
    note: str = ""


class Ticker(Protocol):
    """Asks a person about an item of the checklist."""

    def tick(self, name: str, question: Question) -> Answer | None:
        """What the person says of the task of that name; None where nobody answers.

        Raises:
            Interrupted: the person pressed Ctrl-C instead.
        """
        ...


class Checkpoints:
    """Stops at checkpoints; used by the run's own thread only."""

    def __init__(
        self,
        stage: Stage,
        registry: Registry,
        ticker: Ticker,
        halt: Halt,
        tell: Callable[[Event], None],
        course: Course,
    ) -> None:
        """Stop there.

        Args:
            stage: expands tasks, tells and remembers.
            registry: the modules.
            ticker: asks a person.
            halt: says when to stop waiting.
            tell: makes events known.
            course: of the run; what stays open is noted there.
        """
        self._stage = stage
        self._registry = registry
        self._ticker = ticker
        self._halt = halt
        self._tell = tell
        self._course = course

    def run(self, phase: Phase, task: Task, hosts: Collection[str]) -> list[Outcome]:
        """Stop at each item of a checkpoint, one after the other."""
        ended: list[Outcome] = []
        for _, host in self._stage.cells([task], hosts):
            orders, settled = self._stage.expand(phase, task, host, "apply")
            ended += settled
            for order in orders:
                outcome = self._stop_at(order)
                self._stage.tell(outcome)
                ended.append(outcome)
        self._stage.remember(ended)
        return ended

    def foretell(self, phase: Phase, nodes: Iterable[Node], hosts: Collection[str]) -> None:
        """In check mode, say what a person would be asked in what is not run."""
        tasks = [task for task in _on_the_way(nodes) if task.kind == "checkpoint"]
        for task, host in self._stage.cells(tasks, hosts):
            orders, settled = self._stage.expand(phase, task, host, "predict")
            for outcome in [*map(self._stop_at, orders), *settled]:
                if outcome.failed:
                    why = f"would stop here; for what is not known yet: {outcome.message}"
                    self._stage.tell(_ended(outcome.order, "skipped", why))
                elif not outcome.past:
                    self._stage.tell(outcome)

    def _stop_at(self, order: Order) -> Outcome:
        started = time.monotonic()
        scope = Scope(order.data, order.texts, self._stage.templates)
        entry = self._registry[order.task.module]
        try:
            module = self._stage.templates.arguments(entry, order.task.args, scope)
        except HostError as error:
            return _ended(order, "failed", error.message)
        assert isinstance(module, Checkpoint)
        outcome = self._stopped(order, module.stops_for())
        return replace(outcome, seconds=time.monotonic() - started)

    def _stopped(self, order: Order, wanted: Question | float) -> Outcome:
        if self._course.check:
            if isinstance(wanted, Question):
                return _ended(order, "skipped", f"would ask: {wanted.text}")
            return _ended(order, "skipped", f"would wait {duration(wanted)}")
        if order.pause and not self._waited(order, order.pause):
            return _ended(order, "skipped", "interrupted")
        if isinstance(wanted, Question):
            return self._asked(order, wanted)
        began = time.monotonic()
        if self._waited(order, wanted):
            return _ended(order, "ok", f"waited {duration(wanted)}", done=True)
        over = duration(time.monotonic() - began)
        return _ended(order, "skipped", f"interrupted after {over} of {duration(wanted)}")

    # ── a person ──

    def _asked(self, order: Order, question: Question) -> Outcome:
        # After a signal nobody is asked any more: `always` must come to its end.
        answer = None if self._halt.signal else self._ticker.tick(order.name, question)
        if answer is None or not answer.done:
            item = f" [{order.item}]" if order.item is not None else ""
            self._course.open.append((order.phase, order.name + item))
        if answer is None:
            return _ended(order, "skipped", NEEDS_A_PERSON)
        by = getpass.getuser()
        note = f": {answer.note}" if answer.note else ""
        said = f"{by} at {now().astimezone():%H:%M}{note}"
        if answer.done:
            words = f"{_DONE[question.wants]} {said}"
            return _ended(order, "ok", words, done=True, by=by, note=answer.note)
        return _ended(order, "skipped", f"open: left by {said}", by=by, note=answer.note)

    # ── a time ──

    def _waited(self, order: Order, total: float) -> bool:
        """Wait, and say how long; False where a signal ended it."""
        began = time.monotonic()
        word = 0.0
        again = bool(self._halt.signal)  # what must be done whatever happened waits all the same
        while (elapsed := time.monotonic() - began) < total:
            if self._halt.abandons or (self._halt.signal and not again):
                return False
            if elapsed >= word:
                word = elapsed + max(SAY_EVERY, total / 100)
                self._tell(
                    Waiting(
                        phase=order.phase,
                        task=order.task.id,
                        name=order.name,
                        elapsed=round(elapsed, 3),
                        total=total,
                    )
                )
            time.sleep(min(SLICE, total - elapsed))
        return True


def _ended(
    order: Order, status: Status, words: str, *, done: bool = False, by: str = "", note: str = ""
) -> Outcome:
    """A checkpoint's end; who was there, and when, is in its result."""
    at = now().isoformat(timespec="seconds") if done or by else ""
    fields = {"done": done, "by": by, "at": at, "note": note}
    if status == "ok":
        return Outcome(order, status, summary=words, result=registered(fields, status))
    return Outcome(order, status, words, result=registered(fields, status, message=words))


def _on_the_way(nodes: Iterable[Node]) -> Iterator[Task]:
    """The tasks that run if nothing fails."""
    for node in nodes:
        if isinstance(node, Block):
            yield from _on_the_way((*node.block, *node.always))
        else:
            yield node
