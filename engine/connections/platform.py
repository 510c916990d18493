"""What a host is, asked in one line that every common shell understands."""

from __future__ import annotations

import re

from engine.connections.base import OsFamily, Platform

BEFORE = "echo QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:%USERNAME%:$HOME ; "
"""For the host's own shell, whichever it is, before a line that is a Unix's.

cmd fills in `%OS%`; PowerShell fills in `$HOME` as a Unix's shell does, with a drive's letter.
"""

AFTER = " ; echo QUELL2 ; gc env:PROCESSOR_ARCHITECTURE,env:USERNAME"
"""For behind it, where only PowerShell arrives. tcsh would not even begin a line with `$env:`."""


POSIX = "uname -sm; id -u; id -un; echo QUELL3:"
"""For any shell of a Unix."""

PROBE = BEFORE + POSIX
"""Both, for the host's own shell."""


def asking(line: str) -> str:
    """A line that is a Unix's, for a host's own shell that is to say first what it is."""
    return f"{BEFORE}{line}{AFTER}"


def read(output: str) -> Platform | None:
    """The platform of a probe's output; None where that says nothing.

    Lines before it, from a login shell's start-up files, do no harm.
    """
    windows = windows_of(output)
    if windows is not None:
        return windows
    posix = re.search(r"^(\S+) (\S+)\r?\n(\d+)\r?\n(\S+)\r?\n(?=QUELL3:)", output, re.MULTILINE)
    if posix is None:
        return None
    families: dict[str, OsFamily] = {"Linux": "linux", "Darwin": "macos"}
    family = families.get(posix[1], "posix")
    return Platform(family, "sh", posix[2], posix[4], int(posix[3]))


def windows_of(output: str) -> Platform | None:
    """The platform, if it is Windows."""
    cmd = re.search(r"QUELL1:Windows_NT:([^:\s]*):([^:\r\n]*)", output)
    if cmd:
        return Platform("windows", "cmd", cmd[1], cmd[2], None)
    if re.search(r"QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:%USERNAME%:[A-Za-z]:", output):
        said = re.search(r"QUELL2\r?\n(\S*)\r?\n([^\r\n]*)", output)
        machine, user = (said[1], said[2]) if said else ("", "")
        return Platform("windows", "powershell", machine, user, None)
    return None
