"""The platform probe's answers, as each system gives them."""

from __future__ import annotations

import pytest

from engine.connections.base import Platform
from engine.connections.platform import read

ASKED = "QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:%USERNAME%:"
LINUX = f"{ASKED}/root\nLinux x86_64\n0\nroot\nQUELL3:\n"
MACOS = f"{ASKED}/Users/ops\nDarwin arm64\n501\nops\nQUELL3:\n"
BSD = f"{ASKED}/home/ops\nFreeBSD amd64\n1001\nops\nQUELL3:\n"
CMD = "QUELL1:Windows_NT:AMD64:Dr. Who:$HOME ; exec /bin/sh -c 'read -r _m _c\r\n"
POWERSHELL = f"{ASKED}C:\\Users\\ops\r\nQUELL2\r\nARM64\r\nops\r\n"
POWERSHELL_CUT = f"{ASKED}C:\\Users\\ops\r\n"


@pytest.mark.parametrize(
    ("output", "platform"),
    [
        (LINUX, Platform("linux", "sh", "x86_64", "root", 0)),
        ("Last login: today\nwelcome\n" + LINUX, Platform("linux", "sh", "x86_64", "root", 0)),
        (MACOS, Platform("macos", "sh", "arm64", "ops", 501)),
        (BSD, Platform("posix", "sh", "amd64", "ops", 1001)),
        (CMD, Platform("windows", "cmd", "AMD64", "Dr. Who", None)),
        (POWERSHELL, Platform("windows", "powershell", "ARM64", "ops", None)),
        (POWERSHELL_CUT, Platform("windows", "powershell", "", "", None)),
        ("This account is currently not available.\n", None),
        ("", None),
    ],
)
def test_each_system_is_told_by_its_answer(output: str, platform: Platform | None) -> None:
    assert read(output) == platform
