"""The platform probe's answers, as each system gives them."""

from __future__ import annotations

import pytest

from engine.connections.base import Platform
from engine.connections.platform import read

LINUX = "QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%::OS\nLinux x86_64\n0\nroot\nQUELL3:/bin/bash\n"
MACOS = "QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:\nDarwin arm64\n501\nops\nQUELL3:/bin/zsh\n"
BSD = "QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:\nFreeBSD amd64\n1001\nops\nQUELL3:/bin/sh\n"
CMD = "QUELL1:Windows_NT:AMD64:$env:OS ; uname -sm; id -u; id -un; echo QUELL3:$SHELL\r\n"
POWERSHELL = "QUELL1:%OS%:%PROCESSOR_ARCHITECTURE%:Windows_NT\r\nQUELL3:\r\n"


@pytest.mark.parametrize(
    ("output", "platform"),
    [
        (LINUX, Platform("linux", "sh", "x86_64", "root", 0)),
        ("Last login: today\nwelcome\n" + LINUX, Platform("linux", "sh", "x86_64", "root", 0)),
        (MACOS, Platform("macos", "sh", "arm64", "ops", 501)),
        (BSD, Platform("posix", "sh", "amd64", "ops", 1001)),
        (CMD, Platform("windows", "cmd", "AMD64", "", None)),
        (POWERSHELL, Platform("windows", "powershell", "AMD64", "", None)),
        ("This account is currently not available.\n", None),
        ("", None),
    ],
)
def test_each_system_is_told_by_its_answer(output: str, platform: Platform | None) -> None:
    assert read(output) == platform
