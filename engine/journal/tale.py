"""What is known of each task, as a run is told event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct, field

from engine.events import (
    FAILURES,
    BlockFailed,
    BlockRescued,
    Intent,
    RunEnded,
    RunResumed,
    TaskEnded,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.events import Event

Key = tuple[str, str, str | None]
"""Task id, host, and the loop's item."""

_Told = TypeVar("_Told", TaskEnded, Intent)

_LAST_WORDS = frozenset({"resolve", "always"})
"""Phases that belong to the end of a session: one that goes on is to end, and ends anew."""

_OVER = frozenset({"resolved", "waiting for a person"})
"""Ends at which all that `resolve` looked at held: what is left is for a person to tick."""

_GOOD = frozenset({"ok", "changed"})
_AFTERWARDS = frozenset({"rescue", "always"})
"""Sections of a block that may take back what its own tasks did."""

_ROLLBACK = ".rollback."
"""In the id of a task that takes another one back; before it stands that one's."""


class Tale(Struct):
    """What is known of each task.

    In a session that was cut off all that ended stands, failures too: a rescue or a rollback may
    have followed from them, and is gone on with. A session that came to its end leaves behind what
    is to be tried again, and what may have been taken back.

    Args:
        results: the last of each task that was not sent again since.
        sent: actions whose outcome is not known: no result was recorded, or it says `unknown`;
            and nothing since has told: neither a result of the same task that found it done or
            did it, nor a new intent, which follows a new look.
        doubted: actions that were done, and may have been taken back since.
        _intents: each by its id.
        _over: what belongs to a failure that was dealt with: all of it stands.
        _broken: blocks that failed in this session, each with the host.
    """

    results: dict[Key, TaskEnded] = field(default_factory=dict)
    sent: dict[Key, Intent] = field(default_factory=dict)
    doubted: dict[Key, Intent] = field(default_factory=dict)
    _intents: dict[str, Intent] = field(default_factory=dict)
    _over: set[Key] = field(default_factory=set)
    _broken: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, event: Event) -> None:
        """What happened next."""
        if isinstance(event, Intent):
            self._was_sent(event)
        elif isinstance(event, TaskEnded):
            self._task_ended(event)
        elif isinstance(event, BlockRescued):
            inside = [key for key in self.results if key[0].startswith(f"{event.block}.")]
            self._over |= {key for key in inside if key[1] in event.hosts}
        elif isinstance(event, BlockFailed):
            self._broken |= {(event.block, host) for host in event.hosts}
        elif isinstance(event, RunEnded):
            self._session_ended(over=event.outcome in _OVER)
        elif isinstance(event, RunResumed) and event.moved:
            self.rename(event.moved)

    def rename(self, moved: Mapping[str, str]) -> None:
        """Tasks have other ids from now on; those without one are forgotten."""
        self._over = {key for key in (_moved(key, moved) for key in self._over) if key[0]}
        self._broken = set()  # what is gone on with tells of its blocks again
        self.results = _renamed(self.results, moved)
        self.sent = _renamed(self.sent, moved)
        self.doubted = _renamed(self.doubted, moved)

    def _was_sent(self, intent: Intent) -> None:
        key = key_of(intent)
        for known in (self.results, self.sent, self.doubted):
            known.pop(key, None)
        self.sent[key] = self._intents[intent.intent] = intent

    def _task_ended(self, event: TaskEnded) -> None:
        if event.phase == "severity":  # evidence of now: another session needs its own
            return
        key = key_of(event)
        self.results[key] = event
        good = event.status in _GOOD
        if good:
            self.doubted.pop(key, None)
        if intent := self.sent.get(key):
            told = event.intent == intent.intent and event.status != "unknown"
            if told or good:
                del self.sent[key]

    # ── the end of a session ──

    def _session_ended(self, *, over: bool) -> None:
        for key in [key for key, last in self.results.items() if _is_said_anew(last, over=over)]:
            del self.results[key]
        for block, host in self._broken:
            self._begin_anew(block, host)
        self._broken = set()
        for key in [key for key in self.results if _ROLLBACK in key[0] and key not in self._over]:
            del self.results[key]
            self._doubt((key[0].partition(_ROLLBACK)[0], *key[1:]))
        for key in [key for key, last in self.results.items() if self._is_tried_again(key, last)]:
            del self.results[key]

    def _begin_anew(self, block: str, host: str) -> None:
        """A block that failed is one whole: its ends may have taken back what it began with."""
        inside = {
            key: key[0].removeprefix(f"{block}.").partition(".")[0]
            for key in (*self.results, *self.sent)
            if key[1] == host and key[0].startswith(f"{block}.")
        }
        if not _AFTERWARDS & set(inside.values()):
            return
        self._over -= inside.keys()
        for key, section in inside.items():
            if section == "block":
                self._doubt(key)
            else:
                self.results.pop(key, None)

    def _doubt(self, key: Key) -> None:
        """Forget a result. What was done there is looked at before it is done again."""
        result = self.results.pop(key, None)
        if result is None or result.intent is None or result.status not in _GOOD:
            return
        if intent := self._intents.get(result.intent):
            self.doubted[key] = msgspec.structs.replace(intent, task=key[0])

    def _is_tried_again(self, key: Key, last: TaskEnded) -> bool:
        if last.status not in FAILURES or key in self._over:
            return False
        # The playbook says to go on after it.
        return not (last.ignored and last.intent)


def _is_said_anew(last: TaskEnded, *, over: bool) -> bool:
    if last.phase == "resolve":  # who was told that it is over is not told again
        return not over and not (last.intent and last.status in _GOOD)
    return last.phase in _LAST_WORDS


def key_of(event: TaskEnded | Intent) -> Key:
    """What an event is about."""
    return (event.task, event.host, event.item)


def _moved(key: Key, moved: Mapping[str, str]) -> Key:
    task, host, item = key
    return (moved.get(task, task), host, item)


def _renamed(told: Mapping[Key, _Told], moved: Mapping[str, str]) -> dict[Key, _Told]:
    found = (
        msgspec.structs.replace(event, task=moved.get(event.task, event.task))
        for event in told.values()
    )
    return {key_of(event): event for event in found if event.task}
