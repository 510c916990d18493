"""What the sessions of a run before this one came to, as far as this one goes on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from engine.events import FAILURES
from engine.execution.orders import Outcome
from engine.language.sandbox import Strict
from engine.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence, Set

    from engine.events import Intent, TaskEnded
    from engine.execution.orders import Key, Order
    from engine.journal.progress import Progress
    from engine.language.model import Task


class Past(Struct, frozen=True):
    """What ended then, and what nobody knows of it.

    Args:
        ended: what is not run again.
        unsure: actions whose outcome nobody saw, or that may have been taken back since: looked at
            before anything is sent.
        skipped: what was not wanted then; it is asked again.
    """

    ended: Mapping[Key, TaskEnded] = field(default_factory=dict)
    unsure: Mapping[Key, Intent] = field(default_factory=dict)
    skipped: frozenset[Key] = frozenset()

    def outcome(self, order: Order) -> Outcome | None:
        """What came of an order; None if it is to be run."""
        ended = self.ended.get(order.key)
        if ended is None:
            return None
        return Outcome(
            order,
            ended.status,
            ended.message,
            ended.summary,
            _without_masks(ended.result, ended.name),
            seconds=ended.seconds,
            intent=ended.intent or "",
            applied=ended.applied,
            past=True,
        )

    def has_all(self, keys: Set[Key]) -> bool:
        """Whether each of these ended."""
        return keys <= self.ended.keys()

    def has_each(self, cells: Iterable[tuple[Task, str]]) -> bool:
        """Whether each of these tasks ended on its host, and nothing of it is to be looked at."""
        over = {key[:2] for key in (*self.ended, *self.skipped)} - {key[:2] for key in self.unsure}
        asked = {(task.id, host) for task, host in cells}
        return bool(asked) and asked <= over

    def is_over(self, task: Task, host: str) -> bool:
        """Whether a task ended on a host; of a loop nobody knows before all of its items do."""
        return task.text.loop is None and (task.id, host, None) in self.ended

    def changed(self) -> frozenset[Key]:
        """What has changed something."""
        return frozenset(key for key, ended in self.ended.items() if ended.status == "changed")

    def changed_hosts(self) -> frozenset[str]:
        """The hosts that something was sent to."""
        return frozenset(e.delegate or e.host for e in self.ended.values() if e.intent)

    def failed(self, task: Task, hosts: Collection[str]) -> frozenset[str]:
        """The hosts that a task has failed."""
        found = {
            host
            for (ended, host, _), last in self.ended.items()
            if ended == task.id and last.status in FAILURES and not last.ignored
        }
        if found and (task.once or task.text.any_errors_fatal):
            return frozenset(hosts)
        return frozenset(found & set(hosts))

    def once(self, task: Task, hosts: Sequence[str]) -> Sequence[str]:
        """Where of these hosts to do what is done once: where it was done, if it was."""
        before = [host for host in hosts if any(key[:2] == (task.id, host) for key in self.ended)]
        return (before or hosts)[:1]


def past_of(progress: Progress) -> Past:
    """What to go on from.

    A skipped task is asked again, and evidence that was not to be had is looked for again; so is
    a result that held a secret, which no journal has. A failure of the mitigation stands where its
    consequences are to be gone on with.
    """
    return Past(
        {key: result for key, result in progress.finished.items() if _stands(result)},
        {(i.task, i.host, i.item): i for i in (*progress.doubtful, *progress.unknown)},
        frozenset(key for key, r in progress.finished.items() if r.status == "skipped"),
    )


def _stands(result: TaskEnded) -> bool:
    if result.status == "skipped":
        return False
    if result.status in FAILURES:
        return result.phase == "mitigate" or result.intent is not None
    return result.intent is not None or not _is_masked(result.result)


def _is_masked(value: Any) -> bool:
    if isinstance(value, str):
        return MASK in value
    if isinstance(value, dict):
        return any(_is_masked(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_is_masked, value))


def _without_masks(value: Any, name: str) -> Any:
    """What was a secret is not there: a mask in its place would be taken for the value."""
    if isinstance(value, str) and MASK in value:
        return Strict(hint=f'it was a secret when "{name}" ended, and is in no journal')
    if isinstance(value, dict):
        return {key: _without_masks(each, name) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_masks(each, name) for each in value]
    return value
