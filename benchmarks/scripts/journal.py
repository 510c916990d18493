"""What the journal takes: `journal.py DIRECTORY`; prints a JSON object.

- `events`: so many a second, of those that need not be on the disk at once.
- `durable`: seconds of the 99th percentile of an intent, on the disk when it returns.
- `disk`: the same for writing and syncing a plain file, the limit.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.events import Intent, TaskEnded, encode
from engine.journal import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 5_000
DURABLE = 500

ENDED = TaskEnded(
    phase="investigate",
    task="investigate.1",
    name="Memory in use",
    module="command",
    place="playbooks/memory.yml:7",
    host="app1",
    status="ok",
    result={"rc": 0, "stdout": "Mem: 24105 261 23919 8 97 23844", "stderr": "", "seconds": 0.01},
)
INTENT = Intent(
    intent="20261123-1337-k3f9/1",
    phase="mitigate",
    task="mitigate.1",
    name="Restart",
    module="docker_restart",
    host="app1",
    item=None,
    change={"summary": "backend: up 3 d 4 h → restarted", "on": [], "after": None},
)


def main() -> None:
    """Measure the three."""
    directory = Path(sys.argv[1])
    with open_journal(str(directory / "journal.db")) as journal, journal.begin("bench") as recorder:
        start = time.perf_counter()
        for _ in range(EVENTS):
            recorder.tell(ENDED)
        events = EVENTS / (time.perf_counter() - start)
        durable = _p99(lambda: recorder.tell(INTENT))
    line = encode(INTENT)
    with (directory / "plain").open("ab", buffering=0) as plain:

        def append() -> None:
            plain.write(line)
            os.fsync(plain.fileno())

        disk = _p99(append)
    print(json.dumps({"events": events, "durable": durable, "disk": disk}))


def _p99(append: Callable[[], None]) -> float:
    times = []
    for _ in range(DURABLE):
        start = time.perf_counter()
        append()
        times.append(time.perf_counter() - start)
    return statistics.quantiles(times, n=100)[98]


if __name__ == "__main__":
    main()
