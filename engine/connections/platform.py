"""What a host is, asked in one line that every common shell understands."""

from __future__ import annotations

import re

from engine.connections.base import OsFamily, Platform

BEFORE = "echo QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:$env:OS ; "
"""For the host's own shell, whichever it is. cmd fills in `%OS%`, PowerShell `$env:OS`."""

POSIX = "uname -sm; id -u; id -un; echo QUELL3:"
"""For any shell of a Unix."""

PROBE = BEFORE + POSIX
"""Both, for the host's own shell."""

PROBE_AGAIN = f"/bin/sh -c '{POSIX}'"
"""For a shell that refuses the first, as tcsh does over `$env`."""


def read(output: str) -> Platform | None:
    """The platform of a probe's output; None where that says nothing.

    Lines before it, from a login shell's start-up files, do no harm.
    """
    windows = re.search(r"QUELL1:(Windows_NT):([^:\s]*):|QUELL1:[^:]*:[^:]*:(Windows_NT)", output)
    if windows:
        cmd = bool(windows[1])
        machine = windows[2] if cmd else "AMD64"
        return Platform("windows", "cmd" if cmd else "powershell", machine, "", None)
    posix = re.search(r"^(\S+) (\S+)\r?\n(\d+)\r?\n(\S+)\r?\n(?=QUELL3:)", output, re.MULTILINE)
    if posix is None:
        return None
    families: dict[str, OsFamily] = {"Linux": "linux", "Darwin": "macos"}
    family = families.get(posix[1], "posix")
    return Platform(family, "sh", posix[2], posix[4], int(posix[3]))
