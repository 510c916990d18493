import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Literal

import pytest

from engine.errors import JournalError
from engine.execution.fleet import ThreadFleet
from engine.execution.orders import Lane, Order, Outcome, Wave
from engine.execution.schedule import PER_HOST
from tests.execution.build import order, outcome


def run(perform: Callable[[Order], Outcome], lanes: list[list[Order]], forks: int = 4) -> list[str]:
    wave = Wave(tuple(tuple(lane) for lane in lanes))
    ended = chain.from_iterable(ThreadFleet(perform, forks).run(wave))
    return [f"{o.order.host}.{o.order.task.name}" for o in ended]


def test_every_order_is_performed_once() -> None:
    lanes = [[order(f"h{h}", f"t{t}")] for h in range(20) for t in range(5)]
    assert Counter(run(outcome, lanes)) == Counter(
        f"h{h}.t{t}" for h in range(20) for t in range(5)
    )


def test_a_lane_of_actions_ends_at_its_first_failure() -> None:
    def perform(asked: Order) -> Outcome:
        return outcome(asked, "failed" if asked.task.name == "b" else "ok")

    def ends(kind: Literal["probe", "action"]) -> list[str]:
        return run(perform, [[order("h", name, kind=kind) for name in "abc"]])

    assert ends("action") == ["h.a", "h.b"]
    assert ends("probe") == ["h.a", "h.b", "h.c"]


def test_a_lane_goes_on_where_the_task_says_so() -> None:
    def perform(asked: Order) -> Outcome:
        return outcome(asked, "failed")

    lane = [order("h", "a", ignore_errors=True), order("h", "b", ignore_errors=True)]
    assert run(perform, [lane]) == ["h.a", "h.b"]


def test_lanes_of_a_host_run_side_by_side() -> None:
    # Each waits for all the others: they would never get there one after the other.
    together = threading.Barrier(PER_HOST, timeout=20)

    def perform(asked: Order) -> Outcome:
        together.wait()
        return outcome(asked)

    lanes = [[order("h", str(n))] for n in range(PER_HOST)]
    assert len(run(perform, lanes, forks=1)) == PER_HOST


def test_no_more_hosts_at_a_time_than_forks() -> None:
    busy: Counter[str] = Counter()
    most = 0
    lock = threading.Lock()
    second = threading.Event()

    def perform(asked: Order) -> Outcome:
        nonlocal most
        with lock:
            busy[asked.host] += 1
            most = max(most, len(+busy))
            if len(+busy) == 2:
                second.set()
        second.wait(20)
        with lock:
            busy[asked.host] -= 1
        return outcome(asked)

    lanes = [[order(f"h{h}", f"t{t}")] for h in range(9) for t in range(3)]
    assert len(run(perform, lanes, forks=2)) == 27
    assert most == 2


def test_a_throttle_holds_back_its_own_task_only() -> None:
    busy: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()
    free = threading.Barrier(4, timeout=20)

    def perform(asked: Order) -> Outcome:
        name = asked.task.name
        with lock:
            busy[name] += 1
            most[name] = max(most[name], busy[name])
        if name == "free":
            free.wait()  # all four at once, however many of the other wait
        with lock:
            busy[name] -= 1
        return outcome(asked)

    lanes = [[order(f"h{h}", "held", throttle=2)] for h in range(8)]
    lanes += [[order(f"h{h}", "free")] for h in range(4)]
    assert len(run(perform, lanes, forks=8)) == 12
    assert most["held"] <= 2
    assert most["free"] == 4


def test_after_a_cancel_nothing_new_begins() -> None:
    done: list[str] = []

    def perform(asked: Order) -> Outcome:
        done.append(asked.host)
        fleet.cancel()
        return outcome(asked)

    fleet = ThreadFleet(perform, 1)
    wave = Wave(tuple((order(f"h{n}"),) for n in range(50)))
    ended = [o.order.host for o in chain.from_iterable(fleet.run(wave))]
    assert sorted(ended) == sorted(done)
    # At most what other threads had taken before the first one cancelled.
    assert len(done) < 50
    assert list(fleet.run(wave)) == []
    fleet.revive()
    assert next(iter(fleet.run(wave)))[0].order.host == "h0"


def test_what_outcomes_make_possible_begins_at_once_and_before_new_hosts() -> None:
    done: list[str] = []

    def perform(asked: Order) -> Outcome:
        done.append(f"{asked.host}.{asked.task.name}")
        return outcome(asked)

    def heed(ended: list[Outcome]) -> list[Lane]:
        return [(order(one.order.host, "b"),) for one in ended if one.order.task.name == "a"]

    wave = Wave(((order("h1", "a"),), (order("h2", "a"),)))
    for _ in ThreadFleet(perform, 1).run(wave, heed):
        pass
    assert done == ["h1.a", "h1.b", "h2.a", "h2.b"]


@pytest.mark.parametrize("heeded", [True, False])
def test_who_heeds_outcomes_is_not_waited_for_to_take_note_of_them(heeded: bool) -> None:
    begun = {name: threading.Event() for name in ("a", "b")}

    def perform(asked: Order) -> Outcome:
        begun[asked.task.name].set()
        return outcome(asked)

    wave = Wave(((order("h", "a"),), (order("h2", "b"),)))
    ended = ThreadFleet(perform, 1).run(wave, (lambda _: ()) if heeded else None)
    assert [one.order.task.name for one in next(iter(ended))] == ["a"]
    assert begun["b"].wait(20 if heeded else 0.2) == heeded
    assert len(list(ended)) == 1


def test_who_gives_up_on_the_outcomes_waits_for_what_is_under_way() -> None:
    begun = threading.Event()
    ended: list[str] = []

    def perform(asked: Order) -> Outcome:
        if asked.host == "slow":
            begun.set()
            time.sleep(0.2)
        else:
            begun.wait(20)
        ended.append(asked.host)
        return outcome(asked)

    lanes = ((order("slow"),), (order("quick"),), (order("never"),))
    fleet = ThreadFleet(perform, 2)
    outcomes = fleet.run(Wave(lanes))
    assert [one.order.host for one in next(iter(outcomes))] == ["quick"]
    outcomes.close()  # type: ignore[attr-defined]
    assert ended == ["quick", "slow"]


def test_an_intent_that_cannot_be_recorded_stops_everything() -> None:
    def perform(_: Order) -> Outcome:
        raise JournalError("disk full")

    with pytest.raises(JournalError, match="disk full"):
        run(perform, [[order(f"h{n}")] for n in range(50)])


def test_a_signal_that_wakes_nobody_is_heard_while_work_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As one does that comes just before the run's thread begins to wait. The first of several may
    # come before that.
    monkeypatch.setattr("engine.execution.fleet._SLICE", 0.01)
    heard = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.set())

    def perform(asked: Order) -> Outcome:
        for _ in range(10):
            heard.clear()
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            if not heard.wait(5):
                return outcome(asked, "failed")
        return outcome(asked)

    try:
        wave = Wave(((order("h", "a"),),))
        [ended] = chain.from_iterable(ThreadFleet(perform, 1).run(wave))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.status == "ok"
