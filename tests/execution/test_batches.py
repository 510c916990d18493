from __future__ import annotations

import pytest

from engine.execution.batches import Budget, batches

HOSTS = [f"h{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [
        (None, [10]),
        (1, [1] * 10),
        (4, [4, 4, 2]),
        (99, [10]),
        ("30%", [3, 3, 3, 1]),
        ("1%", [1] * 10),
        ([1, "25%", "100%"], [1, 2, 7]),
        ([1, 2], [1, 2, 2, 2, 2, 1]),
    ],
)
def test_hosts_in_batches(serial: int | str | list[int | str] | None, sizes: list[int]) -> None:
    found = batches(HOSTS, serial)
    assert [len(batch) for batch in found] == sizes
    assert [host for batch in found for host in batch] == HOSTS


def test_no_hosts_are_no_batch() -> None:
    assert batches([], 3) == []


@pytest.mark.parametrize(
    ("most", "failed", "said"),
    [
        (None, 10, ""),
        (0, 0, ""),
        (0, 1, "1 of 10 hosts failed; max_fail is 0"),
        (3, 3, ""),
        ("25%", 2, ""),
        ("25%", 3, "3 of 10 hosts failed (30 %); max_fail is 25%"),
        ("100%", 10, ""),
    ],
)
def test_a_budget(most: int | str | None, failed: int, said: str) -> None:
    assert Budget(most, 10).exceeded(failed) == said
