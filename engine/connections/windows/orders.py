"""The only place where a command becomes text for a Windows host.

What may go through cmd's hands is escaped there. What may not, or must not stand on a command
line for others to read, goes into files: a batch file that removes itself before it begins, or
an order that PowerShell reads and removes.

**Source:** OpenSSH for Windows runs `"cmd.exe" /c "LINE"`, or PowerShell with `-c`, in the
account's home.
"""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from engine.connections.base import Argv, Script
from engine.connections.shells import variable
from engine.connections.windows import cmd, powershell
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.connections.base import ShellType

_CMD = "cmd.exe /d /q /e:on /v:off"
_EXIT = "call exit %%errorlevel%%"
"""Looked up when it is called, not when the line is read."""

_READERS = {"cmd": "cmd.exe", "powershell": "powershell.exe", "pwsh": "pwsh.exe"}


class Order(Struct, frozen=True):
    """A command as it is sent.

    Args:
        line: for the account's own shell. Both streams begin with the command's name and a 0.
        files: to be put into the account's home before it, by name.
        left: those of them that are still there when the command has ended.
    """

    line: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def order(command: Argv | Script, name: str, login: ShellType, language: ShellType) -> Order:
    """A command for a Windows host.

    Args:
        command: what to run.
        name: unguessable; it stands in the line, and the files are called after it.
        login: the account's own shell, which the line is for.
        language: what a script is written in, if it does not say.

    Raises:
        HostError: it cannot be said to cmd: a newline in an argument, too long a line, an argument
            that a batch file would run.
    """
    if isinstance(command, Script):
        reader = _reader(command, language)
        if reader == "cmd":
            return _cmd_script(command, name, login)
        file = f"(Join-Path $env:USERPROFILE '{name}.json')"
        files = {f"{name}.json": powershell.order_of(command)}
        return Order(_said(name, login, powershell.line(_READERS[reader], file)), files)
    values = (*command.args, command.cwd or "")
    if login == "cmd" and not command.env and not re.search("[%!]", "".join(values)):
        return Order(_said(name, login, cmd.enter(command) + cmd.call(command)))
    return _batch(f"{cmd.enter(command)}{cmd.call(command)}&{_EXIT}", command, name, login)


def end(name: str, login: ShellType) -> str:
    """A line that ends a command's processes, and all that those started.

    Its status says whether they are gone.
    """
    line = powershell.ending(name)
    return line if login == "cmd" else f"{line};exit $LASTEXITCODE"


def dial_docker(pipe: str) -> str:
    """A line that joins its stdin and stdout to a Docker engine's pipe.

    Args:
        pipe: its name, of letters, digits, `_`, `.` and `-`.
    """
    return f"docker -H npipe:////./pipe/{pipe} system dial-stdio"


class Local(Struct, frozen=True):
    """A command as it is started on this machine, if that runs Windows.

    Args:
        argv: a command line, or a program and its arguments.
        files: that are to be there before it, by path.
        env: variables, besides the command's own.
    """

    argv: str | list[str]
    files: Mapping[Path, bytes] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def local(command: Argv | Script, directory: Path, language: str) -> Local:
    """A command for this machine; no shell's line is in between.

    Args:
        command: its directory and its variables are for whoever starts it.
        directory: for files, of nobody else's.
        language: what a script is written in, if it does not say.

    Raises:
        HostError: as `order`.
    """
    if isinstance(command, Argv):
        cmd.check(command)
        return Local(list(command.args))
    reader = _reader(command, language)
    if reader == "cmd":
        said: dict[str, str] = {}
        file = directory / "script.cmd"
        text = cmd.in_ascii(cmd.batch_text(command), said)
        values = {str(number): value for number, value in enumerate(command.args, 1)}
        env = {**values, **{name: part for part, name in said.items()}}
        return Local(f'{_CMD} /s /c ""{file}""', {file: text.encode("ascii")}, env)
    file = directory / "order.json"
    shown = str(file).replace("'", "''")
    return Local(
        powershell.line(_READERS[reader], f"'{shown}'"), {file: powershell.order_of(command)}
    )


def _reader(script: Script, language: str) -> str:
    """What reads a script: `cmd`, `powershell` or `pwsh`.

    Raises:
        HostError: it is to be another.
    """
    if script.executable is None:
        return language
    known = PureWindowsPath(script.executable.lower()).name.removesuffix(".exe")
    if known not in _READERS:
        raise HostError(
            f"a Windows host has cmd, powershell and pwsh to read a script, "
            f"and not {script.executable!r}"
        )
    return known


def _cmd_script(script: Script, name: str, login: ShellType) -> Order:
    file = f"{name}-script.cmd"
    values = "".join(cmd.assign(str(number), value) for number, value in enumerate(script.args, 1))
    # Not called but gone over to: its end is the end of it all, its status the status.
    run = f'{values}{cmd.enter(script)}"%~dp0{file}"'
    return _batch(run, script, name, login, {file: cmd.batch_text(script)})


def _batch(
    run: str,
    command: Argv | Script,
    name: str,
    login: ShellType,
    more: Mapping[str, str] | None = None,
) -> Order:
    """An order whose line is in a batch file: a percent sign has no meaning there if it is twofold.

    The file holds one line, which cmd has read to its end when it removes the file.
    """
    values = "".join(cmd.assign(variable(each), value) for each, value in command.env.items())
    said: dict[str, str] = {}
    texts = {file: cmd.in_ascii(text, said) for file, text in (more or {}).items()}
    line = cmd.in_ascii(cmd.bounded(f'@del "%~f0"&{values}{run}'), said)
    files = {f"{name}.cmd": f"{line}\r\n", **texts}
    started = f"{_CMD} /c {name}.cmd"
    if login == "cmd":
        sets = "".join(f"set {holder}={text}&" for text, holder in said.items())
        body = f'{sets}cd /d "%USERPROFILE%"&{started}'
    else:
        sets = "".join(
            f"$env:{holder}={powershell.in_units(text)};" for text, holder in said.items()
        )
        body = f"{sets}Set-Location -LiteralPath $env:USERPROFILE;{started}"
    encoded = {file: text.encode("ascii") for file, text in files.items()}
    return Order(_said(name, login, body), encoded, tuple(more or ()))


def _said(name: str, login: ShellType, body: str) -> str:
    """The line, with the name said first: what came before is a start-up file's noise."""
    if login == "cmd":
        return cmd.bounded(f"echo {name} 0&echo {name} 0 >&2&{body}")
    said = f"[Console]::Out.WriteLine('{name} 0');[Console]::Error.WriteLine('{name} 0')"
    return f"{said};{body};exit $LASTEXITCODE"
