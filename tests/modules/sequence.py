"""The sequence in which the engine calls a module: observe, decide, apply, confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from engine.contract import Action, Change, Probe, Record, to_plain
from engine.registry import Registry
from engine.typed import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.contract import Module, Target


@dataclass(frozen=True)
class Outcome:
    """What came of it; what was not reached is None.

    Args:
        seen: what `observe` returned, as plain values.
        change: what `decide` returned.
        done: what `apply` returned, as plain values.
        unconfirmed: what `confirm` said.
        finding: what a probe's `finding` said.
        summary: what a probe's `summary` said.
    """

    seen: Any
    change: Change | None = None
    done: Any = None
    unconfirmed: str | None = None
    finding: str | None = None
    summary: str = ""


def module(name: str, args: Mapping[str, object]) -> Module:
    """A module with its arguments as a playbook has them."""
    entry = Registry()[name]
    normal = entry.normal(args)
    assert isinstance(normal, dict)
    return entry.convert(normal)


def probe(name: str, args: Mapping[str, object], target: Target) -> Outcome:
    """Look, as in `investigate`."""
    subject = module(name, args)
    assert isinstance(subject, Probe | Action)
    seen = subject.observe(target)
    return Outcome(_plain(seen), finding=subject.finding(seen), summary=subject.summary(seen))


def act(
    name: str,
    args: Mapping[str, object],
    target: Target,
    *,
    meanwhile: Callable[[], object] = lambda: None,
) -> Outcome:
    """Change something, as in `mitigate`.

    Args:
        name: the module's.
        args: its arguments.
        target: the host.
        meanwhile: what happens on the host between the look and the change.
    """
    subject = module(name, args)
    assert isinstance(subject, Action)
    seen = subject.observe(target)
    change = subject.decide(seen)
    if change is None:
        return Outcome(_plain(seen))
    meanwhile()
    # The change has been to the journal and back.
    change = from_json(msgspec.json.encode(change), Change)
    done = subject.apply(target, change)
    unconfirmed = subject.confirm(target, change) if subject.observable else None
    return Outcome(_plain(seen), change, _plain(done), unconfirmed)


def record(name: str, args: Mapping[str, object], target: Target) -> Outcome:
    """Change something outside the hosts, as in `acknowledge`."""
    subject = module(name, args)
    assert isinstance(subject, Record)
    change = subject.decide()
    if change is None:
        return Outcome(None)
    change = from_json(msgspec.json.encode(change), Change)
    return Outcome(None, change, _plain(subject.apply(target, change)))


def example(name: str) -> dict[str, Any]:
    """A module's example as a task."""
    task = yaml.safe_load(Registry()[name].example)
    assert isinstance(task, dict)
    return task


def _plain(value: object) -> Any:
    return from_json(msgspec.json.encode(to_plain(value)), object)
