"""`make bench`: measure, print, and write the page."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import document, fleet, journal, programs, scale, startup, trips
from benchmarks.measure import Case, ContenderFailed, measure
from tests.lab.many import ManyHosts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PAGE = programs.ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a part needs.

    Args:
        programs: which are measured.
        directory: of the part's own.
        hosts: how many.
        runs: how often each is timed.
        latency: milliseconds of round trip to the hosts.
    """

    programs: programs.Programs
    directory: Path
    hosts: tuple[int, ...]
    runs: int
    latency: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the page: its heading, and what measures its tables one by one."""

    about: str
    tables: Callable[[Setting], Generator[str]]


def _compared(cases: Generator[Case], runs: int) -> Generator[str]:
    with contextlib.closing(cases):
        for case in cases:
            yield document.table(case, measure(case, runs))


def _startup(setting: Setting) -> Generator[str]:
    return _compared(startup.cases(setting.programs, setting.directory), setting.runs)


def _fleet(setting: Setting) -> Generator[str]:
    for latency in setting.latency:
        with ManyHosts(max(setting.hosts), latency / 1000) as many:
            away = f", {latency} ms away" if latency else ""
            cases = fleet.cases(setting.programs, many, setting.hosts, away)
            yield from _compared(cases, setting.runs)


def _modules(setting: Setting) -> Generator[str]:
    with ManyHosts(fleet.MOST) as many:
        yield from _compared(fleet.modules(setting.programs, many), setting.runs)


def _trips(setting: Setting) -> Generator[str]:
    return trips.tables(setting.programs, setting.directory, setting.runs)


def _scale(setting: Setting) -> Generator[str]:
    return _compared(scale.cases(setting.programs, setting.directory), setting.runs)


def _journal(setting: Setting) -> Generator[str]:
    return journal.tables(setting.programs, setting.runs)


PARTS = {
    "startup": Part("Start-up", _startup),
    "fleet": Part("Over SSH", _fleet),
    "modules": Part("Over SSH, Ansible's own modules", _modules),
    "trips": Part("Round trips", _trips),
    "scale": Part("Large inputs", _scale),
    "journal": Part("Journal", _journal),
}


def main() -> int:
    """Measure the parts that were asked for.

    Returns:
        0; 1 when a contender failed; 130 when interrupted.
    """
    options = _options()
    # So that what runs is ended in order when we are told to stop, not only on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        installed = programs.install()
        for name in options.parts:
            with tempfile.TemporaryDirectory(prefix="quell-bench-") as directory:
                setting = Setting(
                    installed, Path(directory), options.hosts, options.runs, options.latency
                )
                text = _measure(name, setting)
            document.write(options.page, name, text)
    except ContenderFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"\nwritten to {options.page}")
    return 0


def _measure(name: str, setting: Setting) -> str:
    part = PARTS[name]
    text = document.section(name, part.about, setting.programs.versions, setting.runs)
    print(f"\n{text}", end="", flush=True)
    with contextlib.closing(part.tables(setting)) as tables:
        for table in tables:
            print(table, end="", flush=True)
            text += table
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["all", *PARTS], default="all", metavar="PART",
        help=f"{', '.join(PARTS)}, or all",
    )  # fmt: skip
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each (default 5)")
    parser.add_argument(
        "--hosts",
        type=_counts,
        default="1,10,50,100,500",
        help="numbers of hosts (default 1,10,50,100,500)",
    )
    parser.add_argument(
        "--latency", type=_numbers, default="0,20",
        help="milliseconds of round trip to the hosts (default 0,20)",
    )  # fmt: skip
    parser.add_argument(
        "--page", type=Path, default=PAGE, help="where to write (default docs/benchmarks.md)"
    )
    options = parser.parse_args()
    options.parts = list(PARTS) if "all" in options.parts else options.parts
    return options


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _counts(text: str) -> tuple[int, ...]:
    counts = _numbers(text)
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("one host at least")
    return counts


if __name__ == "__main__":
    sys.exit(main())
