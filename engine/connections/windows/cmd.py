"""Text for cmd: programs with their arguments, values, batch files.

**Source:** `CommandLineToArgvW` for how a program splits its command line; `cmd /?`; CVE-2024-24576
for what a batch file makes of its arguments.
"""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from engine.errors import HostError

if TYPE_CHECKING:
    from engine.connections.base import Argv, Script

LONGEST = 8000
"""Characters of a line. cmd takes 8 191, and says no word of what it cuts off."""

_BREAKS = re.compile(r"[\0\r\n\x1a\ud800-\udfff]")
"""cmd takes each of them for an end, of a command or of the whole file; or it is no text."""

_RISKY = re.compile(r'[%!^"<>&|()]')
"""A batch file would run what comes behind one of these."""

_PROGRAMS = (".exe", ".com")
_BATCHES = (".bat", ".cmd")


def call(command: Argv) -> str:
    """A program with its arguments.

    Raises:
        HostError: they cannot be said to cmd.
    """
    check(command)
    program = command.args[0]
    if not program.strip() or '"' in program:
        raise HostError(f"not a program's name on Windows: {program!r}")
    if _is_risky(command) and PureWindowsPath(program).suffix.lower() not in _PROGRAMS:
        program += ".exe"  # else cmd might find a batch file of that name
    _unbroken(program)
    words = (_escaped(_argument(text)) for text in command.args[1:])
    return " ".join((_quoted(program.replace("%", "%%")), *words))


def check(command: Argv) -> None:
    """Refuse to give a batch file what it would run.

    Raises:
        HostError: that is what this is.
    """
    program = command.args[0]
    if PureWindowsPath(program).suffix.lower() in _BATCHES and _is_risky(command):
        raise HostError(
            f"{program} is a batch file, which runs what is behind a special character in its "
            f'arguments (% ! ^ " < > & | parentheses): give them to the program that it starts'
        )


def enter(command: Argv | Script) -> str:
    """What goes before it, for its directory; status 126 if there is none.

    Raises:
        HostError: it cannot be a directory.
    """
    if command.cwd is None:
        return ""
    if '"' in command.cwd:
        raise HostError(f"not a directory's name on Windows: {command.cwd!r}")
    where = _quoted(_unbroken(command.cwd).replace("%", "%%"))
    return f"cd /d {where}&(if errorlevel 1 exit 126)&"


def assign(name: str, value: str) -> str:
    """What goes before a command, for a variable.

    Raises:
        HostError: the value cannot be said to cmd.
    """
    return f"set {_escaped(_quoted(f'{name}={value}'))}&"


def batch_text(script: Script) -> str:
    """A script for cmd as a batch file: its values are `!1!`, `!2!`, `!NAME!`.

    Raises:
        HostError: cmd would cut a line off, or not read it to its end.
    """
    lines = ["@echo off", "setlocal EnableExtensions EnableDelayedExpansion"]
    lines += script.text.replace("\r\n", "\n").split("\n")
    if any(_BREAKS.search(line) or len(line) > LONGEST for line in lines):
        raise HostError(
            f"a script for cmd can hold no control characters and no line of more than "
            f"{LONGEST} characters"
        )
    return "".join(f"{line}\r\n" for line in lines)


def in_ascii(text: str, said: dict[str, str]) -> str:
    """A batch file's text, with variables for what is not ASCII.

    How cmd reads such a file depends on a code page, which may not have the characters at all.

    Args:
        text: none of what cmd takes for special is in what is replaced.
        said: the variables; more are added.
    """

    def named(found: re.Match[str]) -> str:
        return f"%{said.setdefault(found[0], f'QUELL_U{len(said)}')}%"

    return re.sub(r"[^\x00-\x7f]+", named, text)


def bounded(line: str) -> str:
    """The line, if cmd takes all of it.

    Raises:
        HostError: it does not.
    """
    if len(line) > LONGEST:
        raise HostError(f"a command for cmd can be {LONGEST} characters long, not {len(line)}")
    return line


def _is_risky(command: Argv) -> bool:
    return any(_RISKY.search(text) for text in command.args[1:])


def _quoted(text: str) -> str:
    """For what cmd does itself: it takes all up to the last quote."""
    return f'"{text}"'


def _argument(text: str) -> str:
    """One argument as a program splits it from its command line."""
    if text and not re.search(r'[ \t",;=]', text):
        return text
    # A backslash means itself, but before a quote, and so before the closing one.
    text = re.sub(r'(\\*)"', r'\1\1\\"', text)
    return '"' + re.sub(r"(\\+)\Z", r"\1\1", text) + '"'


def _escaped(text: str) -> str:
    """As it is for cmd: nothing in it is special, not even a quote."""
    return re.sub(r'([()!^"<>&|])', r"^\1", _unbroken(text)).replace("%", "%%")


def _unbroken(text: str) -> str:
    if _BREAKS.search(text):
        raise HostError(f"cmd cannot be given a newline or what is no text: {text[:100]!r}")
    return text
