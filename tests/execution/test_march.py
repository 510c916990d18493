"""Hosts go through waves of probes, each as far as it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.execution.march import March
from engine.execution.orders import Order
from tests.execution.build import order, outcome, task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.execution.orders import Lane, Outcome
    from engine.language.model import Task


class Notes:
    """What a march said, in order: `a.h1` is remembered of a host, `[a]` is over for all."""

    def __init__(self, *waves: Sequence[str], skipped: Sequence[str] = ()) -> None:
        """Waves of cells such as `a.h1`; some are settled as soon as they are looked at."""
        self.said: list[str] = []
        self.through: list[str] = []
        self._skipped = skipped
        self.march = March(
            [[self._cell(cell) for cell in wave] for wave in waves],
            self._expand,
            lambda outcomes: self.said.extend(map(called, outcomes)),
            lambda ended: self.said.append(f"[{' '.join(sorted(map(last, ended)))}]"),
            self.through.append,
        )

    @staticmethod
    def _cell(cell: str) -> tuple[Task, str]:
        name, host = cell.split(".")
        return task(name), host

    def _expand(self, asked: Task, host: str) -> tuple[list[Lane], list[Outcome]]:
        one = order(host, asked.text.name)
        if called(one) in self._skipped:
            return [], [outcome(one, "skipped")]
        return [(one,)], []


def last(task_id: str) -> str:
    return task_id.rpartition(".")[2]


def called(what: Order | Outcome) -> str:
    of = what if isinstance(what, Order) else what.order
    return f"{of.task.name}.{of.host}"


def sent(lanes: Sequence[Lane]) -> list[str]:
    return [called(one) for lane in lanes for one in lane]


def test_a_host_that_is_ready_goes_on_before_the_others() -> None:
    notes = Notes(["a.h1", "a.h2"], ["b.h1", "b.h2"])
    first = notes.march.begin()
    assert sent(first) == ["a.h1", "a.h2"]
    further = notes.march.heed([outcome(first[1][0])])
    assert sent(further) == ["b.h2"]
    assert notes.said == ["a.h2"]  # what comes of a wave is known before the next one begins


def test_a_host_waits_for_all_of_its_own_wave() -> None:
    notes = Notes(["a.h1", "b.h1"], ["c.h1"])
    first = notes.march.begin()
    assert notes.march.heed([outcome(first[0][0])]) == []
    assert sent(notes.march.heed([outcome(first[1][0])])) == ["c.h1"]


def test_a_wave_is_over_when_the_last_host_has_left_it() -> None:
    notes = Notes(["a.h1", "a.h2"], ["b.h1", "b.h2"])
    first = notes.march.begin()
    for lane in notes.march.heed([outcome(first[0][0])]):
        notes.march.heed([outcome(lane[0])])
    assert notes.said == ["a.h1", "b.h1"]
    notes.march.heed([outcome(first[1][0])])
    assert notes.said == ["a.h1", "b.h1", "a.h2", "[a]"]


def test_waves_are_over_in_the_playbooks_order() -> None:
    notes = Notes(["a.h1"], ["b.h2"])  # no host is in both
    first = notes.march.begin()
    notes.march.heed([outcome(first[1][0])])
    notes.march.heed([outcome(first[0][0])])
    assert notes.said == ["b.h2", "a.h1", "[a]", "[b]"]


def test_what_is_settled_at_once_keeps_nobody() -> None:
    notes = Notes(["a.h1", "a.h2"], ["b.h1"], ["c.h1"], skipped=["a.h1", "b.h1", "a.h2"])
    assert sent(notes.march.begin()) == ["c.h1"]
    assert notes.said == ["a.h1", "b.h1", "a.h2", "[a]", "[b]"]


def test_what_ended_before_the_rest_was_cut_off_is_kept() -> None:
    notes = Notes(["a.h1", "b.h1", "a.h2"], ["c.h1"])
    first = notes.march.begin()
    notes.march.heed([outcome(first[0][0])])
    notes.march.end()
    assert notes.said == ["a.h1", "[a]"]


def test_who_has_left_the_last_wave_is_through_though_others_are_not() -> None:
    notes = Notes(["a.h1", "a.h2"], ["b.h1"])
    first = notes.march.begin()
    notes.march.heed([outcome(first[1][0])])
    assert notes.through == ["h2"]
    [[then]] = notes.march.heed([outcome(first[0][0])])
    assert notes.through == ["h2"]
    notes.march.heed([outcome(then)])
    assert notes.through == ["h2", "h1"]
