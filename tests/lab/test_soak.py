"""`make soak`, a little of it; and that it would tell of what is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from benchmarks.leaks import Held, left

ROOT = Path(__file__).parents[2]


@pytest.mark.lab
@pytest.mark.sweep  # it is random, and takes half a minute
def test_nothing_is_lost_doubled_or_left_behind() -> None:
    options = ["--minutes", "0.3", "--hosts", "3", "--workers", "6", "--pause", "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stderr == "", done.stdout
    assert done.returncode == 0
    assert done.stdout.endswith("\nnothing was lost, doubled or left behind\n")


@pytest.mark.slow
def test_what_there_is_more_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = Held()
    assert Held().beyond(before) == []
    reading, writing = os.pipe()
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten 7")
    thread.start()
    with tempfile.TemporaryDirectory(prefix="forgotten-") as directory:
        told = Held().beyond(before)
        assert told == [
            "2 descriptors left: pipe:[N]",
            "1 threads left: forgotten N",
            f"1 files left: {Path(directory).name}",
        ]
    over.set()
    thread.join()
    os.close(reading)
    os.close(writing)
    assert Held().beyond(before) == []


@pytest.mark.slow
def test_what_is_gone_soon_is_not_left() -> None:
    looks = iter([["a process"], ["a process"], []])
    assert left(lambda: next(looks), 60) == []


def test_what_stays_is_left() -> None:
    assert left(lambda: ["a process"], 0) == ["a process"]
