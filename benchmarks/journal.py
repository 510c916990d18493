"""The journal: how many events it takes a second, and how long a durable one waits."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from typing import TYPE_CHECKING

from benchmarks import document
from benchmarks.programs import ENVIRONMENTS

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.programs import Programs


def tables(programs: Programs, runs: int) -> Generator[str]:
    """One table; medians of so many runs."""
    found = [_run(programs) for _ in range(runs)]
    median = {key: statistics.median(run[key] for run in found) for key in found[0]}
    yield document.lines(
        "",
        "| | |",
        "|---|--:|",
        f"| events a second | {median['events']:,.0f} |",
        f"| durable append, 99th percentile | {median['durable'] * 1000:.1f} ms |",
        f"| a plain file written and synced, 99th percentile | {median['disk'] * 1000:.1f} ms |",
    )


def _run(programs: Programs) -> dict[str, float]:
    # Not below /tmp, which may be in memory: the disk is what is measured.
    with tempfile.TemporaryDirectory(prefix="journal-", dir=ENVIRONMENTS) as directory:
        command = programs.script("journal.py", directory)
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(said)
    return found
