"""How a run ended, and with which exit code: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.events import PhaseName

CHANGES_PREDICTED = 6


class Course(Struct):
    """What happened on the way, as far as it decides the end.

    Args:
        interrupted: which signal asked to stop; empty where none did.
        halted: why no further host was begun; empty where that did not happen.
        refused: a guard's words.
        waiting: why nobody said yes.
        person: what waits needs a person's yes; `--yes` is not enough.
        open: the phase and the name of each item that a person was to tick, and nobody did.
        not_resolved: what does not hold in `resolve`, or why that was not looked at.
        resolve_held: every task of `resolve` held.
        predicted: changes found in check mode.
        check: nothing was to be changed.
        detailed: check mode tells by its exit code whether there would be changes.
    """

    interrupted: str = ""
    halted: str = ""
    refused: str = ""
    waiting: str = ""
    person: bool = False
    open: list[tuple[PhaseName, str]] = field(default_factory=list)
    not_resolved: list[str] = field(default_factory=list)
    resolve_held: bool = False
    predicted: int = 0
    check: bool = False
    detailed: bool = False


class Ending(Struct, frozen=True):
    """The end of a run: in a word, as an exit code, and what a person must know last."""

    outcome: str
    exit_code: int
    message: str = ""


def ending(course: Course, recap: Mapping[str, Mapping[str, int]], run: str) -> Ending:
    """How it ended, the gravest first; the codes are those of the command line's reference."""
    end = _ending(course, recap, run)
    if not course.open:
        return end
    left = f"open: {', '.join(name for _, name in course.open)}"
    if "quell resume" not in end.message:
        left = f"{left}; to be asked again: quell resume {run}"
    return replace(end, message=f"{end.message}; {left}" if end.message else left)


def _ending(course: Course, recap: Mapping[str, Mapping[str, int]], run: str) -> Ending:
    failed = _hosts_with(recap, "failed")
    unreachable = _hosts_with(recap, "unreachable")
    if course.interrupted:
        message = f"stopped by {course.interrupted}; go on with: quell resume {run}"
        return Ending("interrupted", 99, message)
    if course.refused:
        return Ending("refused", 5, course.refused)
    if course.waiting:
        how = f"Go on with: quell resume {run} --yes"
        if course.person:
            how = f"--yes is not enough. Go on at a terminal with: quell resume {run}"
        message = f"{course.waiting}; nothing was changed. {how}"
        return Ending("waiting for approval", 3, message)
    if failed or course.not_resolved or course.halted:
        word = "not resolved" if course.not_resolved else "failed"
        said = [f"failed on {', '.join(failed)}"] if failed else []
        said += [f"no further host was begun: {course.halted}"] if course.halted else []
        said += course.not_resolved
        said += [f"to be looked at again: quell resume {run}"] if course.not_resolved else []
        return Ending(word, 2, "; ".join(said))
    if unreachable:
        return Ending("unreachable", 4, f"not reached: {', '.join(unreachable)}")
    return _good_end(course)


def _good_end(course: Course) -> Ending:
    if course.check:
        code = CHANGES_PREDICTED if course.detailed and course.predicted else 0
        changes = "1 change" if course.predicted == 1 else f"{course.predicted} changes"
        return Ending("checked", code, f"{changes} would be made; nothing was changed")
    if any(phase == "resolve" for phase, _ in course.open):
        return Ending("waiting for a person", 3)
    return Ending("resolved" if course.resolve_held else "done", 0)


def _hosts_with(recap: Mapping[str, Mapping[str, int]], column: str) -> list[str]:
    return sorted(host for host, counts in recap.items() if counts[column])
