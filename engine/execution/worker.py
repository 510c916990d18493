"""One order on one host: the sequence that the engine owns, and every way that it can end."""

from __future__ import annotations

import threading
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from msgspec.structs import replace

from engine.contract import Action, Change, ModuleFailed, Observing, Record, Target, to_plain
from engine.errors import (
    DeadlineExceeded,
    GuardRefused,
    HostError,
    JournalError,
    LinkLost,
    Unreachable,
)
from engine.events import Intent, TaskStarted
from engine.execution.look import VERIFY_WITHIN, Looker
from engine.execution.naming import name_of, said
from engine.execution.orders import Order, Outcome
from engine.execution.results import registered, told
from engine.execution.timing import timing
from engine.language.templates import Scope
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.links import Links
    from engine.contract import Module
    from engine.events import Event, Status
    from engine.execution.becoming import Becoming
    from engine.execution.guard import Guards
    from engine.execution.neighbours import Neighbours
    from engine.language.templates import Templates
    from engine.registry import Registry

ACTION_TIMEOUT = 300.0
SETTLE = 15.0
AGAIN = 0.5
"""Seconds: of an action that does not say; to learn what became of one that was cut off; between
two interruptions of what is under way."""

_TOOK = "had taken effect: seen on resume"
_UNSURE = "whether it took effect is not known"


class Worker:
    """Performs orders; used by several threads at once, for the whole run."""

    def __init__(
        self,
        links: Links,
        registry: Registry,
        templates: Templates,
        becoming: Becoming,
        guards: Guards,
        neighbours: Neighbours,
        tell: Callable[[Event], None],
    ) -> None:
        """Work on these hosts with these modules.

        Args:
            links: the hosts' connections.
            registry: the modules.
            templates: renders their arguments.
            becoming: knows as whom a task acts.
            guards: know what must never be changed.
            neighbours: know what other runs are at.
            tell: makes an event known; for an `Intent` it returns when it is durable.
        """
        self._links = links
        self._registry = registry
        self._templates = templates
        self._becoming = becoming
        self._guards = guards
        self._neighbours = neighbours
        self._tell = tell
        self._stopped = threading.Event()
        self._revived = threading.Event()
        self._interrupting: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._busy = 0

    def stop(self) -> None:
        """End what is under way on the hosts. Returns at once: safe from a signal handler."""
        self._revived.clear()
        self._stopped.set()
        thread = threading.Thread(target=self._interrupt, name="interrupt", daemon=True)
        self._interrupting.append(thread)
        thread.start()

    def _interrupt(self) -> None:
        # More than once: a command may have begun just before the flag was seen.
        while self._busy and not self._revived.is_set():
            self._links.interrupt()
            self._revived.wait(AGAIN)

    def revive(self) -> None:
        """Work again, for what must run whatever happened; an interruption must not hit that."""
        self._revived.set()
        while self._interrupting:
            self._interrupting.pop().join()
        self._stopped.clear()

    def perform(self, order: Order) -> Outcome:
        """Do it; whatever the host does is data, and comes back as an outcome.

        Raises:
            JournalError: the intent could not be recorded; nothing was sent.
        """
        started = time.monotonic()
        with self._lock:
            self._busy += 1
        try:
            outcome = self._attempt(order)
        finally:
            with self._lock:
                self._busy -= 1
        return replace(outcome, seconds=time.monotonic() - started)

    def _attempt(self, order: Order) -> Outcome:
        """Perform it, and make an outcome of every way that it can go wrong."""
        try:
            if order.pause and self._stopped.wait(order.pause):
                return _failed(order, "failed", "interrupted before anything was sent")
            return self._perform(order)
        except JournalError:
            raise
        except GuardRefused as error:
            return replace(_failed(order, "failed", str(error)), guard=error.guard)
        except Unreachable as error:
            return _failed(order, "unreachable", error.message)
        except HostError as error:
            return _failed(order, "failed", error.message, error.found)
        except Exception as error:  # noqa: BLE001  # one task on one host; the run goes on
            message = f"{order.task.module} broke: {type(error).__name__}: {error}"
            return _failed(order, "failed", message, {"traceback": traceback.format_exc()})

    def _perform(self, order: Order) -> Outcome:
        task = order.task
        self._tell(TaskStarted(phase=order.phase, task=task.id, name=order.name, host=order.host))
        scope = Scope(order.data, order.texts, self._templates)
        module = self._templates.arguments(self._registry[task.module], task.args, scope)
        connect = partial(self._becoming.connection, self._links.get(order.where), order.where)
        looker = Looker(order, connect, self._templates, self._tell, self._stopped)
        if task.kind == "probe":
            assert isinstance(module, Observing)
            return self._probe(order, looker, module)
        timeout = timing(task, self._templates, scope).timeout or ACTION_TIMEOUT
        target = looker.target(task, scope, timeout)
        told_whole = task.text.no_log is not True
        if order.unknown is not None and told_whole and _observable(module):
            change = convert(order.unknown.change, Change)
            if module.confirm(target, change) is None:
                return self._had_taken_effect(order, order.unknown, looker, change)
        return self._act(order, looker, module, target)

    def _had_taken_effect(
        self, order: Order, intent: Intent, looker: Looker, change: Change
    ) -> Outcome:
        """Nothing need be sent. Before its turn, what must hold after it may not hold yet."""
        if order.mode == "predict":
            return Outcome(order, "ok", summary=_TOOK)
        return self._verified(replace(order, intent=intent.intent), looker, change, {}, _TOOK)

    def _probe(self, order: Order, looker: Looker, module: Observing[Any]) -> Outcome:
        sight = looker.look(order.task, module, order.data)
        unmet: Status = "finding" if order.phase in ("investigate", "severity") else "failed"
        status = "ok" if sight.holds else unmet
        result = registered(sight.result, status, message=sight.message)
        return Outcome(order, status, sight.message, sight.summary, result)

    def _act(self, order: Order, looker: Looker, module: Module, target: Target) -> Outcome:
        assert isinstance(module, Action | Record)
        change, seen = _decided(module, target)
        if change is None:
            outcome = Outcome(order, "ok", summary="nothing to do")
            return replace(outcome, result=registered(seen, "ok"))
        self._guards.protect(order.where, change)
        self._neighbours.check(order, change)
        if order.mode == "predict":
            return Outcome(order, "changed", summary=change.summary, change=change)
        if order.task.kind == "action":
            narrowed = change.narrowed(order.approved) if order.approved is not None else None
            if narrowed is None:
                return Outcome(order, "skipped", summary=change.summary, change=change, asks=True)
            change = narrowed
        if self._stopped.is_set():
            return _failed(order, "failed", "interrupted before anything was sent")
        self._neighbours.sending(order, change)
        self._tell(_intent(order, change))
        return self._send(order, looker, module, target, change)

    def _send(
        self,
        order: Order,
        looker: Looker,
        module: Action[Any] | Record,
        target: Target,
        change: Change,
    ) -> Outcome:
        """The change is on its way from here on: every end of it must say what is known."""
        sent = Outcome(order, "unknown", change=change, intent=order.intent)
        try:
            done = self._applied(order, module, target, change)
            wrong = module.confirm(target, change) if _observable(module) else None
        except HostError as error:
            # Cut off half-way, by us or with the link, a client sees just an end.
            cut_off = self._stopped.is_set() or not target.connection.alive
            if cut_off or isinstance(error, LinkLost | DeadlineExceeded):
                return self._settled(sent, looker, module, change, error)
            # Of a free command nothing was looked at before: it may be the first to reach out.
            status: Status = "unreachable" if isinstance(error, Unreachable) else "failed"
            failed = _failed(order, status, error.message, error.found)
            return replace(failed, change=change, intent=order.intent)
        except Exception as error:  # noqa: BLE001  # it may have taken effect: never lose that
            message = f"{order.task.module} broke: {type(error).__name__}: {error}"
            found = {"traceback": traceback.format_exc()}
            return replace(sent, message=message, result=registered(found, "unknown"))
        found = _done(change, done)
        failing = f"not confirmed: {wrong}" if wrong is not None else ""
        failing = failing or self._failed_when(order, registered(found, "changed"))
        if failing:
            return _undoable(sent, failing, found)
        return self._verified(order, looker, change, found, "")

    def _applied(
        self, order: Order, module: Action[Any] | Record, target: Target, change: Change
    ) -> object:
        """What was done.

        Where the task says itself what a failure is, the module's word is just what it found.
        """
        try:
            return module.apply(target, change)
        except ModuleFailed as error:
            if order.task.text.failed_when is None or not error.found:
                raise
            return error.found

    def _failed_when(self, order: Order, result: dict[str, Any]) -> str:
        """What the task calls a failure, if this is one; else nothing."""
        condition = order.task.text.failed_when
        if condition is None:
            return ""
        names = {"result": result}
        if order.task.text.register:
            names[order.task.text.register] = result
        scope = Scope({**order.data, **names}, order.texts, self._templates)
        return f"failed_when: {said(condition)}" if self._templates.holds(condition, scope) else ""

    def _settled(
        self,
        sent: Outcome,
        looker: Looker,
        module: Module,
        change: Change,
        error: HostError,
    ) -> Outcome:
        """A change that was cut off: looked at once more, never sent again."""
        message = error.message
        if _UNSURE not in message:
            message = f"{message}; {_UNSURE}"
        unknown = replace(
            sent, message=message, result=registered(None, "unknown", message=message)
        )
        if not _observable(module):
            return unknown
        order = sent.order
        scope = Scope(order.data, order.texts, self._templates)
        try:
            if module.confirm(looker.target(order.task, scope, SETTLE), change) is not None:
                return unknown
        except HostError:
            return unknown
        return self._verified(sent.order, looker, change, _done(change, None), error.message)

    def _verified(
        self, order: Order, looker: Looker, change: Change, found: dict[str, Any], message: str
    ) -> Outcome:
        """The symptom decides: what must hold afterwards is looked at until it does."""
        data = {**order.data, "result": registered(found, "changed")}
        changed = Outcome(
            order,
            "changed",
            message,
            change.summary,
            registered(found, "changed", message=message),
            change=change,
            intent=order.intent,
            applied=True,
        )
        for task in order.task.verify:
            scope = Scope(data, {**order.texts, **task.text.vars}, self._templates)
            probe = self._templates.arguments(self._registry[task.module], task.args, scope)
            assert isinstance(probe, Observing)
            try:
                sight = looker.look(task, probe, data, within=VERIFY_WITHIN)
            except HostError as error:
                wrong = error.message
            else:
                wrong = sight.message if not sight.holds else ""
            if wrong:
                message = f"not verified: {name_of(task, self._templates, scope)}: {wrong}"
                if self._stopped.is_set():  # whether it would have come to hold is not known
                    result = registered(found, "unknown", message=message)
                    return replace(changed, status="unknown", message=message, result=result)
                return replace(_undoable(changed, message, found), verified=False)
        return replace(changed, verified=True if order.task.verify else None)


def _decided(module: Action[Any] | Record, target: Target) -> tuple[Change | None, Any]:
    if isinstance(module, Record):
        return module.decide(), None
    seen = module.observe(target)
    return module.decide(seen), seen


def _observable(module: Module) -> TypeGuard[Action[Any]]:
    """Whether looking again can tell that its change took; of a free command nothing can."""
    return isinstance(module, Action) and module.observable


def _undoable(sent: Outcome, message: str, found: dict[str, Any]) -> Outcome:
    """A change that was made, and failed all the same."""
    result = registered(found, "failed", message=message)
    return replace(sent, status="failed", message=message, result=result, applied=True)


def _intent(order: Order, change: Change) -> Intent:
    return Intent(
        intent=order.intent,
        phase=order.phase,
        task=order.task.id,
        name=order.name,
        module=order.task.module,
        host=order.host,
        delegate=order.delegate,
        item=order.item,
        change=told(change, order.task),
    )


def _done(change: Change, done: object) -> dict[str, Any]:
    plain = to_plain(done) if done is not None else {}
    fields = plain if isinstance(plain, dict) else {"value": plain}
    return {"before": to_plain(change.before), "after": to_plain(change.after), **fields}


def _failed(
    order: Order, status: Status, message: str, found: dict[str, object] | None = None
) -> Outcome:
    result = registered(found, status, message=message)
    return Outcome(order, status, message, result=result)
