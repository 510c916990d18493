"""Who writes: the person, the machine and the process, told to whom they stand in the way of."""

from __future__ import annotations

import getpass
import os
import socket
from functools import cache
from pathlib import Path

from msgspec import Struct

from engine.journal.clock import this_start


class Writer(Struct, frozen=True):
    """A process that writes a run.

    Args:
        who: the user that started it.
        controller: the machine it runs on.
        pid: its number there.
        machine: what that number is unique in, this start of that machine; empty: not known.
    """

    who: str
    controller: str
    pid: int
    machine: str = ""

    def __str__(self) -> str:
        """`ann on ops1 (process 4711)`."""
        return f"{self.who} on {self.controller} (process {self.pid})"

    def is_gone(self) -> bool:
        """Whether it certainly lives no more: it was on this machine, and is not there."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def this_process() -> Writer:
    """The process that we are."""
    return Writer(getpass.getuser(), socket.gethostname(), os.getpid(), _machine())


@cache
def _machine() -> str:
    # A pid says nothing in another namespace of the same machine, as in a container.
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{this_start()} {namespace}" if this_start() else ""
