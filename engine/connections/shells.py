"""The only place where a command becomes text for `sh`; `windows.orders` is that for Windows."""

from __future__ import annotations

import re

from engine.connections.base import Argv, Script
from engine.errors import HostError

# The program arrives on stdin: nothing of it is in a process list, however long it is, and no
# login shell's own quoting rules ever see it. `read` takes no byte beyond its line, so what
# follows is the program's stdin. ${IFS#??} is a newline, which csh would not have in quotes.
_TAKE = (
    "_n=0;_t=;while [ $_n -lt $_c ];do IFS= read -r _l||exit 125;"
    "_t=$_t$_l${IFS#??};_n=$((_n+1));done;"
)
_RUN = 'eval "unset _c _l _m _n _t;$_t"'
READER = f"read -r _c||exit 125;{_TAKE}{_RUN}"
"""For `sh -c`: runs what `program` made of a command, read from stdin."""

MARKED_READER = f'read -r _m _c||exit 125;echo "$_m $$";echo "$_m $$" >&2;{_TAKE}{_RUN}'
"""As `READER`, but says a marker and its own process id on both streams first."""

LOGIN_LINE = f"exec /bin/sh -c '{MARKED_READER}' /bin/sh"
"""The marked reader as a command line for any login shell."""


def bare(marker: str) -> str:
    """A `sh` that takes what it runs from its stdin, and reads more of it at once than it needs.

    Args:
        marker: its argument, by which it is found on its host; one word in every shell.
    """
    return f"exec /bin/sh -s {marker}"


def quote(text: str) -> str:
    """One word for a POSIX shell."""
    return text if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text) else quoted(text)


def quoted(text: str) -> str:
    """The same, in quotes even where it needs none."""
    return "'" + text.replace("'", "'\\''") + "'"


def program(command: Argv | Script) -> str:
    """A command as text for `sh`.

    Raises:
        HostError: it cannot be said to a shell: a NUL byte, a variable's name that is none.
    """
    lines = [f"export {variable(name)}={quote(value)}" for name, value in command.env.items()]
    if command.cwd is not None:
        lines.append(f"cd -- {quote(command.cwd)} || exit 126")
    if isinstance(command, Script) and command.executable is not None:
        reader = command.executable
        command = Argv((reader, "-c", command.text, reader, *command.args))
    words = " ".join(quote(arg) for arg in command.args)
    if isinstance(command, Argv):
        lines.append(f"exec {words}")
    else:
        lines += [f"set -- {words}", command.text]
    text = "\n".join(lines)
    if "\0" in text:
        raise HostError("a command cannot hold a NUL byte")
    return text


def on_stdin(text: str, stdin: bytes, marker: str = "") -> bytes:
    """A program, and after it what it is to read itself, as the readers expect them.

    Args:
        text: from `program`.
        stdin: the program's own.
        marker: for the marked reader.
    """
    count = text.count("\n") + 1
    head = f"{marker} {count}" if marker else f"{count}"
    return f"{head}\n{text}\n".encode("utf-8", "surrogateescape") + stdin


def variable(name: str) -> str:
    """The name, if an environment variable can have it.

    Raises:
        HostError: none can.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise HostError(f"not an environment variable's name: {name!r}")
    return name
