"""How many hosts are mitigated at a time, and how many may fail: pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


def batches(
    hosts: Sequence[str], serial: int | str | Sequence[int | str] | None
) -> list[tuple[str, ...]]:
    """The hosts, split as `serial` says; all at once where it says nothing.

    Args:
        hosts: in order.
        serial: a number of hosts, a percentage of all of them, or a list of those: the last one
            holds for the rest.
    """
    if serial is None or not hosts:
        return [tuple(hosts)] if hosts else []
    sizes = [serial] if isinstance(serial, int | str) else list(serial)
    found: list[tuple[str, ...]] = []
    start = 0
    while start < len(hosts):
        said = sizes[min(len(found), len(sizes) - 1)]
        size = max(1, math.floor(number_of(said, len(hosts))))
        found.append(tuple(hosts[start : start + size]))
        start += size
    return found


def number_of(said: int | str, hosts: int) -> float:
    """How many hosts that is: a number, or a percentage of all of them."""
    return float(said[:-1]) / 100 * hosts if isinstance(said, str) else float(said)


class Budget(Struct, frozen=True):
    """How many hosts of a mitigation may fail before it ends everywhere.

    Args:
        most: a number, or a percentage; None: none is said.
        hosts: that the mitigation is for.
    """

    most: int | str | None
    hosts: int

    def exceeded(self, failed: int) -> str:
        """In words, if so many that failed are too many; else nothing."""
        if self.most is None or failed <= number_of(self.most, self.hosts):
            return ""
        share = f" ({100 * failed / self.hosts:.0f} %)" if isinstance(self.most, str) else ""
        return f"{failed} of {self.hosts} hosts failed{share}; max_fail is {self.most}"
