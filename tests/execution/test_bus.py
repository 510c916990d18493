"""The way to the sinks: masked, in order, the journal first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.errors import JournalError
from engine.events import TaskEnded, TaskStarted
from engine.execution.bus import Bus
from engine.redact import MASK, Redactor
from tests.journal.events import intent, started, task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.events import Event


class Sink:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def tell(self, event: Event) -> None:
        self.seen.append(event)


class Full:
    def tell(self, event: Event) -> None:
        raise JournalError(f"no room for {type(event).__name__}")


def test_every_sink_is_told_every_event() -> None:
    sinks = [Sink(), Sink()]
    bus = Bus(Redactor(), sinks)
    told: list[Event] = [started(), task(1), intent(2)]
    for event in told:
        bus.tell(event)
    assert [sink.seen for sink in sinks] == [told, told]


class Grouping(Sink):
    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[Event]] = []

    def tell_all(self, events: Sequence[Event]) -> None:
        self.groups.append([*events])


def test_what_comes_together_is_told_together_to_who_takes_it_so() -> None:
    redactor, grouping, sink = Redactor(), Grouping(), Sink()
    redactor.learn("open sesame")
    told: list[Event] = [task(1, name="open sesame"), task(2)]
    Bus(redactor, [grouping, sink]).tell(*told)
    assert grouping.groups == [sink.seen]
    assert [event.name for event in sink.seen if isinstance(event, TaskEnded)] == [
        MASK,
        "Connections in use",
    ]


class Slow(Sink):
    """Takes its time over whatever is no progress."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def tell(self, event: Event) -> None:
        if not isinstance(event, TaskStarted):
            self.begun.set()
            assert self.go_on.wait(20)
        super().tell(event)


def test_progress_waits_for_nobody_and_is_told_all_the_same() -> None:
    slow = Slow()
    bus = Bus(Redactor(), [slow])
    before, after = (
        TaskStarted(phase="investigate", task="investigate.1", name=name, host="db1")
        for name in ("before", "after")
    )
    bus.tell(before)
    with ThreadPoolExecutor() as pool:
        telling = pool.submit(bus.tell, task(1))
        assert slow.begun.wait(20)
        bus.tell(after)  # would never return if it waited
        slow.go_on.set()
        telling.result(20)
    assert slow.seen == [before, task(1), after]


def test_what_the_first_does_not_take_no_other_sees() -> None:
    last = Sink()
    bus = Bus(Redactor(), [Full(), last])
    with pytest.raises(JournalError, match="no room for Intent"):
        bus.tell(intent(1))
    assert last.seen == []


def test_secrets_are_masked_wherever_they_stand() -> None:
    redactor, sink = Redactor(), Sink()
    redactor.learn("open sesame")
    Bus(redactor, [sink]).tell(
        task(
            1,
            name="says open sesame",
            message="open sesame!",
            summary="it said open sesame",
            result={"open sesame": ["open sesame", {"deep": "(open sesame)"}]},
        )
    )
    [event] = sink.seen
    assert event == task(
        1,
        name=f"says {MASK}",
        message=f"{MASK}!",
        summary=f"it said {MASK}",
        result={MASK: [MASK, {"deep": f"({MASK})"}]},
    )


def test_a_secret_that_is_one_of_our_words_breaks_nothing() -> None:
    redactor, sink = Redactor(), Sink()
    for word in ("mitigate", "investigate.1", "changed", "i1"):
        redactor.learn(word)
    told = intent(1, intent="i1", task="investigate.1")
    Bus(redactor, [sink]).tell(told)
    assert sink.seen == [told]
