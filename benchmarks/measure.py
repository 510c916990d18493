"""Runs commands in turn and says what each cost."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WATCH = Path(__file__).parent / "scripts" / "watch.py"

_SHARE = 8
"""In each round, no contender runs for less than this part of the time of the slowest."""


class ContenderFailed(Exception):
    """A contender did not do its work; the message has the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work.

    Args:
        name: as the table says it.
        argv: the command.
        env: variables beside the harness's own.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """The same work, done by each contender; the first is what the others are compared with."""

    title: str
    contenders: tuple[Contender, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost: seconds of wall time and of CPU, and bytes at the peak."""

    wall: float
    cpu: float
    memory: int


def measure(case: Case, runs: int) -> dict[str, Cost]:
    """Each contender's medians.

    They run in turn, each round in another order, so that what else the machine does hits all
    alike, and nobody always comes after the heaviest. A first round warms caches and is where
    memory is looked at; it is not timed. One run says little beside one that takes a hundred times
    as long, and comes to caches that the long one has filled: who is quick runs several times a
    round.

    Args:
        case: the work and who does it.
        runs: timed rounds.

    Raises:
        ContenderFailed: one of them ended with another status than 0.
    """
    first = {each.name: _cost(each, memory=True) for each in case.contenders}
    least = max(cost.wall for cost in first.values()) / _SHARE
    costs: dict[str, list[Cost]] = {each.name: [] for each in case.contenders}
    order = list(case.contenders)
    for turn in range(runs):
        Random(turn).shuffle(order)  # noqa: S311  # the same orders each time
        for contender in order:
            costs[contender.name] += _costs(contender, least)
    return {
        name: Cost(
            wall=statistics.median(cost.wall for cost in rounds),
            cpu=statistics.median(cost.cpu for cost in rounds),
            memory=first[name].memory,
        )
        for name, rounds in costs.items()
    }


def _costs(contender: Contender, least: float) -> Iterator[Cost]:
    """Run it once, and again until that has taken so many seconds."""
    taken = 0.0
    while taken <= least:
        cost = _cost(contender, memory=False)
        taken += cost.wall
        yield cost


def _cost(contender: Contender, *, memory: bool) -> Cost:
    with tempfile.TemporaryDirectory(prefix="quell-bench-") as directory:
        result, output = Path(directory, "result"), Path(directory, "output")
        options = ["--memory"] if memory else []
        with output.open("wb") as said:
            watch = subprocess.Popen(
                [sys.executable, "-SI", str(WATCH), *options, str(result), *contender.argv],
                env={**os.environ, **contender.env},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
            try:
                watch.wait()
            finally:
                # It ends what it started before it ends itself.
                watch.terminate()
                watch.wait()
        cost = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {"status": -1}
        if cost.pop("status") != 0:
            tail = output.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ContenderFailed(f"{contender.name} failed: {' '.join(contender.argv)}\n{tail}")
        return Cost(**cost)
