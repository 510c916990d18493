from __future__ import annotations

import subprocess
import sys

import pytest

from engine.typed import convert, from_json

TWO_THREADS = """
import threading
import time

from msgspec import Struct

from engine.typed import {how}

begun = threading.Event()


def slow():  # msgspec collects what it knows of Inner, and another thread gets its turn
    begun.set()
    time.sleep(0.2)
    return int


class Inner(Struct):
    number: "slow()"


class Outer(Struct):
    inner: Inner
    number: int


found = []
work = lambda: found.append({call})
threads = [threading.Thread(target=work) for _ in range(2)]
threads[0].start()
begun.wait()
threads[1].start()
for thread in threads:
    thread.join()
assert found == [Outer(inner=Inner(number=1), number=2)] * 2, found
"""
CALLS = {
    "convert": "convert({'inner': {'number': 1}, 'number': 2}, Outer)",
    "from_json": """from_json('{"inner": {"number": 1}, "number": 2}', Outer)""",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", CALLS)
def test_two_threads_that_meet_a_type_at_once(how: str) -> None:
    """In a process of its own: what is wrong here ends the process by a signal."""
    script = TWO_THREADS.format(how=how, call=CALLS[how])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_not_strict_takes_text_for_numbers() -> None:
    assert convert("7", int, strict=False) == 7


def test_any_json_stays_what_it_is() -> None:
    assert from_json('{"a": [1, null]}', object) == {"a": [1, None]}
