"""When something was, so that no clock that is set can make the time since then seem longer.

**Source:** clock_gettime(2): CLOCK_BOOTTIME counts from the start of the machine, through its sleep
too, and cannot be set. random(4): `boot_id` is another one after each start.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path

from msgspec import Struct

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(Struct, frozen=True):
    """A point in time, by two clocks.

    Args:
        wall: seconds since 1970 by the journal's own clock: the database server's where there is
            one, else this machine's.
        boot: which start of which machine `up` counts from; empty where that cannot be known.
        up: seconds since then.
    """

    wall: float
    boot: str = ""
    up: float = 0.0


def moment(wall: float | None = None) -> Moment:
    """Now; with the journal's clock where that is another one than this machine's."""
    seconds = time.time() if wall is None else wall
    boot = this_start()
    if sys.platform == "linux" and boot:
        return Moment(seconds, boot, time.clock_gettime(time.CLOCK_BOOTTIME))
    return Moment(seconds)


def elapsed(since: Moment, now: Moment) -> float:
    """Seconds between two moments.

    Within one start of one machine by the clock that cannot be set. Otherwise by the wall clock,
    and none where that went backwards: what waits for the time to pass then waits longer.
    """
    if since.boot and since.boot == now.boot:
        return max(0.0, now.up - since.up)
    return max(0.0, now.wall - since.wall)


@cache
def this_start() -> str:
    """Of this machine; empty where that cannot be known."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
