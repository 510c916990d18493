"""kill -9 at any event, also of a run that goes on: it comes to the same end, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.events import RunEnded, RunResumed, TaskEnded
from engine.journal import open_journal
from tests.end_to_end.cutting import CAREFUL, PLAIN, Cut

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event
    from tests.end_to_end.cutting import Book, When

pytestmark = pytest.mark.slow
SWEEP = [pytest.mark.sweep, pytest.mark.timeout(3600)]


def events(cut: Cut) -> list[Event]:
    """Of the only run, every record checked."""
    with open_journal(cut.journal) as journal:
        [run] = journal.runs()
        assert journal.missing(run.run) == 0
        return journal.events(run.run)


def ends(story: list[Event]) -> dict[tuple[str, str, str | None], str]:
    """How each task ended, the last time."""
    return {(e.task, e.host, e.item): e.status for e in story if isinstance(e, TaskEnded)}


def whole(directory: Path, book: Book = PLAIN) -> Cut:
    """A run that nobody cuts."""
    directory.mkdir()
    cut = Cut(directory, book=book)
    assert cut.run() == book.code, cut.said()
    assert lines(cut) == sorted(book.lines)
    return cut


def lines(cut: Cut) -> list[str]:
    """What the actions did."""
    return sorted(cut.lines.read_text().splitlines())


@pytest.mark.parametrize(
    ("book", "step"),
    [
        pytest.param(PLAIN, 13, id="plain"),
        pytest.param(CAREFUL, 41, id="careful"),
        pytest.param(PLAIN, 1, marks=SWEEP, id="plain-all"),
        pytest.param(CAREFUL, 1, marks=SWEEP, id="careful-all"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_is_cut_anywhere_comes_to_the_same_end(
    tmp_path: Path, when: When, book: Book, step: int
) -> None:
    told = events(whole(tmp_path / "whole", book))
    for number in range(0, len(told), step):
        directory = tmp_path / str(number)
        directory.mkdir()
        cut = Cut(directory, book=book)
        assert cut.run(number, when) == -9
        if number == 0 and when == "before":
            continue  # then there is no run to go on with
        if number == len(told) - 1 and when == "after":
            continue  # it had ended

        assert cut.resume() == book.code, f"{number}: {cut.said()}"

        assert lines(cut) == sorted(book.lines), number
        story = events(cut)
        assert ends(story) == ends(told), number
        assert isinstance(told[-1], RunEnded)
        assert isinstance(story[-1], RunEnded)
        assert story[-1].outcome == told[-1].outcome


@pytest.mark.parametrize(
    ("book", "event"),
    [pytest.param(PLAIN, 16, id="plain"), pytest.param(CAREFUL, 38, id="careful")],
)
def test_a_run_that_is_cut_again_and_again_comes_to_the_same_end(
    tmp_path: Path, book: Book, event: int
) -> None:
    told = events(whole(tmp_path / "whole", book))
    cut = Cut(tmp_path, book=book)
    assert cut.run(3) == -9
    code, cuts = -9, 0
    while code == -9:
        # Before it gets to an action, it tells what it goes on from, and what it would change.
        code = cut.resume(event + cuts % 3, "before" if cuts % 2 else "after")
        cuts += 1
        assert cuts < len(told)

    assert code == book.code, cut.said()
    assert cuts > 2
    assert lines(cut) == sorted(book.lines)
    assert ends(events(cut)) == ends(told)


@pytest.fixture
def half(tmp_path: Path) -> Cut:
    """A run that was cut when its first action had been done on one host."""
    told = events(whole(tmp_path / "whole"))
    done = next(n for n, e in enumerate(told) if isinstance(e, TaskEnded) and e.intent)
    cut = Cut(tmp_path)
    assert cut.run(done) == -9
    return cut


def test_a_changed_playbook_is_refused_until_told(half: Cut) -> None:
    before = half.lines.read_text()
    new = '  - {name: New, add_line: {path: "{{ lines }}", line: "new {{ inventory_hostname }}"}}\n'
    half.book.write_text(half.book.read_text().replace("mitigate:\n", f"mitigate:\n{new}"))

    assert half.resume() == 1
    assert half.said().startswith(f"{half.book}: has changed since the run began")
    assert half.lines.read_text() == before

    assert half.resume(options=["--changed-files"]) == 0, half.said()
    assert lines(half) == sorted({*PLAIN.lines, "new h1", "new h2"})
    [resumed] = [event for event in events(half) if isinstance(event, RunResumed)]
    assert resumed.changed == [f"{half.book}: has changed since the run began"]
    assert resumed.moved == {
        "mitigate.1": "mitigate.2",
        "mitigate.1.verify.1": "mitigate.2.verify.1",
        "mitigate.2": "mitigate.3",
    }


def test_a_changed_inventory_is_refused_until_told(half: Cut) -> None:
    half.inventory.write_text(half.inventory.read_text().replace("h2: ", "h2: , h3: "))

    assert half.resume() == 1
    assert half.said().startswith(f"{half.inventory}: has changed since the run began")
    assert half.resume(options=["--changed-files"]) == 0, half.said()
    assert {line.split()[1] for line in half.lines.read_text().splitlines()} == {"h1", "h2", "h3"}


def test_files_that_lie_elsewhere_on_this_controller(half: Cut, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    book, inventory = (file.rename(there / file.name) for file in (half.book, half.inventory))

    assert half.resume() == 1
    assert half.said().startswith(f"{half.book}: the run's playbook is not there")
    assert half.resume(options=["--playbook", str(book), "-i", str(inventory)]) == 0, half.said()
    assert lines(half) == sorted(PLAIN.lines)
