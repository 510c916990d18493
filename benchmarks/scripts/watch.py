"""Run one command and say what it cost: `watch.py [--memory] RESULT COMMAND…`.

A process of its own, so that what is counted is this command and its descendants alone. It adopts
those that the command leaves behind, such as OpenSSH's shared connections, ends them, and counts
their time too. RESULT receives a JSON object: status, wall and cpu in seconds, memory in bytes.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_EVERY = 0.01
GRACE = 5.0


def main() -> int:
    """Run, count, tidy up."""
    arguments = sys.argv[1:]
    sample = arguments[0] == "--memory"
    result, *command = arguments[1:] if sample else arguments
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        status, wall, memory = _run(command, sample=sample)
    finally:
        _end_children()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {"status": status, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "memory": memory}
    Path(result).write_text(json.dumps(cost), encoding="utf-8")
    return 0


def _run(command: list[str], *, sample: bool) -> tuple[int, float, int]:
    peak = [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_EVERY):
            peak[0] = max(peak[0], _memory(os.getpid()))

    looking = threading.Thread(target=look, daemon=True)
    start = time.perf_counter()
    process = subprocess.Popen(command)
    if sample:
        looking.start()
    status = process.wait()
    wall = time.perf_counter() - start
    over.set()
    return status, wall, peak[0]


def _memory(pid: int) -> int:
    """Bytes that a process's descendants hold, pages they share counted once."""
    total = 0
    for child in _children(pid):
        total += _proportional(child) + _memory(child)
    return total


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _children(pid: int) -> list[int]:
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for line in lists for child in line.split()]


def _end_children() -> None:
    """End and reap all that is left, so that its time is counted and nothing stays behind."""
    late = time.monotonic() + GRACE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            number = signal.SIGKILL if time.monotonic() > late else signal.SIGTERM
            for child in _children(os.getpid()):
                os.kill(child, number)
            time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
