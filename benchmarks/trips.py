"""Round trips to a host, counted: the same work near and far differs by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import document, fleet
from benchmarks.measure import Case, Contender, measure
from tests.lab.many import ManyHosts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from benchmarks.programs import Programs

FAR = 0.05
"""Seconds of round trip."""
ONE, MORE = 1, 11
"""Commands of the two runs whose difference is what a command costs."""

Walls = dict[str, dict[int, float]]


def tables(programs: Programs, directory: Path, runs: int) -> Generator[str]:
    """One table: what each way needs until its first command has ended, and for each further."""
    near = _walls(programs, directory / "near", runs, 0.0)
    far = _walls(programs, directory / "far", runs, FAR)
    rows = []
    for name in near:
        first = (far[name][ONE] - near[name][ONE]) / FAR
        further = far[name][MORE] - far[name][ONE] - (near[name][MORE] - near[name][ONE])
        rows.append(f"| {name} | {first:.1f} | {further / FAR / (MORE - ONE):.2f} |")
    head = ("| | to the end of the first command | each further command |", "|---|--:|--:|")
    yield document.lines("", "### Round trips, one host", "", *head, *rows)


def _walls(programs: Programs, directory: Path, runs: int, round_trip: float) -> Walls:
    """Median seconds by contender and number of commands."""
    found: Walls = {}
    with ManyHosts(1, round_trip) as many:
        for commands in (ONE, MORE):
            own = directory / str(commands)
            own.mkdir(parents=True)
            contenders = tuple(_contenders(programs, many, own, commands))
            for name, cost in measure(Case("", contenders), runs).items():
                found.setdefault(name, {})[commands] = cost.wall
    return found


def _contenders(
    programs: Programs, many: ManyHosts, directory: Path, commands: int
) -> Iterator[Contender]:
    yield from fleet.quell(programs, many, directory, many.addresses, commands)
    yield from fleet.paramiko(programs, many, directory, many.addresses, commands)
