"""The only place where a command becomes text for cmd or PowerShell.

What may go through cmd's hands is escaped there. What may not, or must not stand on a command
line for others to read, goes into files: a batch file that removes itself before it begins, or
an order that PowerShell reads and removes.

**Source:** `CommandLineToArgvW` for how a program splits its command line; `cmd /?`; CVE-2024-24576
for what a batch file makes of its arguments. OpenSSH for Windows runs `"cmd.exe" /c "LINE"`, or
PowerShell with `-c`, in the account's home.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import msgspec

from engine.connections.base import Argv, Script
from engine.connections.shells import variable
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.connections.base import ShellType

LONGEST = 8000
"""Characters of a line. cmd takes 8 191, and says no word of what it cuts off."""

_BREAKS = re.compile(r"[\0\r\n\x1a\ud800-\udfff]")
"""cmd takes each of them for an end, of a command or of the whole file; or it is no text."""

_RISKY = re.compile(r'[%!^"<>&|()]')
"""A batch file would run what comes behind one of these."""

_EXIT = "call exit %%errorlevel%%"
"""Looked up when it is called, not when the line is read."""

_PROGRAMS = (".exe", ".com")
_BATCHES = (".bat", ".cmd")
_SHELLS = {"cmd": "cmd.exe", "powershell": "powershell.exe", "pwsh": "pwsh.exe"}
_OPTIONS = "-NoLogo -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand"

# The order is removed before the script begins; its values are never part of the text.
_RUN = """\
$ProgressPreference = 'SilentlyContinue'
$ErrorActionPreference = 'Stop'
try {{
  try {{ [Console]::OutputEncoding = New-Object Text.UTF8Encoding $false }} catch {{ }}
  $file = {file}
  $order = [IO.File]::ReadAllText($file) | ConvertFrom-Json
  Remove-Item -LiteralPath $file
  Set-Location -LiteralPath $env:USERPROFILE
  if ($order.cwd) {{ Set-Location -LiteralPath $order.cwd }}
  foreach ($each in $order.env) {{ [Environment]::SetEnvironmentVariable($each.name, $each.value) }}
}} catch {{ [Console]::Error.WriteLine($_.Exception.Message); exit 126 }}
$ErrorActionPreference = 'Continue'
$global:LASTEXITCODE = 0
$values = @($order.args)
try {{ & ([ScriptBlock]::Create($order.text)) @values }}
catch {{ [Console]::Error.WriteLine($_.Exception.Message); exit 1 }}
exit $LASTEXITCODE
"""

# The name stands in the command line of what is to be ended, and not in this script's own. From
# the top down, not by `taskkill /T`: that ends the children first, and a script whose command was
# ended goes on to its next. A child is younger than its parent; else the pid is another's by now.
_END = """\
$ProgressPreference = 'SilentlyContinue'
foreach ($try in 1..5) {{
  $tree = @(Get-CimInstance Win32_Process -Filter "CommandLine LIKE '%{name}%'")
  if (-not $tree) {{ exit 0 }}
  $all = @(Get-CimInstance Win32_Process)
  for ($at = 0; $at -lt $tree.Count; $at++) {{
    $above = $tree[$at]
    $known = @($tree | ForEach-Object {{ $_.ProcessId }})
    $tree += @($all | Where-Object {{ $_.ParentProcessId -eq $above.ProcessId -and
      $_.CreationDate -ge $above.CreationDate -and $known -notcontains $_.ProcessId }})
  }}
  $tree | ForEach-Object {{ Stop-Process -Id $_.ProcessId -Force -ErrorAction SilentlyContinue }}
  Start-Sleep -Milliseconds 100
}}
exit 1
"""


@dataclass(frozen=True, slots=True)
class Order:
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
        reader = reader_of(command, language)
        if reader == "cmd":
            return _cmd_script(command, name, login)
        file = f"(Join-Path $env:USERPROFILE '{name}.json')"
        data = powershell_order(command, keep_directory=True)
        return Order(_said(name, login, powershell(reader, file)), {f"{name}.json": data})
    values = (*command.args, command.cwd or "")
    if login == "cmd" and not command.env and not re.search("[%!]", "".join(values)):
        return Order(_said(name, login, _enter(command) + _call(command)))
    return _batch(f"{_enter(command)}{_call(command)}&{_EXIT}", command, name, login)


def reader_of(script: Script, language: str) -> str:
    """What reads a script: `cmd`, `powershell` or `pwsh`.

    Raises:
        HostError: it is to be another.
    """
    if script.executable is None:
        return language
    known = PureWindowsPath(script.executable.lower()).name.removesuffix(".exe")
    if known not in _SHELLS:
        raise HostError(
            f"a Windows host has cmd, powershell and pwsh to read a script, "
            f"and not {script.executable!r}"
        )
    return known


def end(name: str, login: ShellType) -> str:
    """A line that ends a command's processes, and all that those started.

    Its status says whether they are gone.
    """
    line = f"powershell.exe {_OPTIONS} {_encoded(_END.format(name=name))}"
    return line if login == "cmd" else f"{line};exit $LASTEXITCODE"


def dial_docker(pipe: str) -> str:
    """A line that joins its stdin and stdout to a Docker engine's pipe.

    Args:
        pipe: its name, of letters, digits, `_`, `.` and `-`.
    """
    return f"docker -H npipe:////./pipe/{pipe} system dial-stdio"


def powershell(reader: str, file: str) -> str:
    """A line for any shell, and for none: PowerShell obeys the order in a file.

    Args:
        reader: `powershell` or `pwsh`.
        file: an expression of PowerShell's.
    """
    return f"{_SHELLS[reader]} {_OPTIONS} {_encoded(_RUN.format(file=file))}"


def powershell_order(script: Script, *, keep_directory: bool) -> bytes:
    """What the file holds.

    Args:
        script: in PowerShell.
        keep_directory: False where it is started in the right one.
    """
    env = [{"name": variable(name), "value": value} for name, value in script.env.items()]
    cwd = script.cwd if keep_directory else None
    return msgspec.json.encode({"text": script.text, "args": script.args, "env": env, "cwd": cwd})


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


def _is_risky(command: Argv) -> bool:
    return any(_RISKY.search(text) for text in command.args[1:])


def _cmd_script(script: Script, name: str, login: ShellType) -> Order:
    file = f"{name}-script.cmd"
    values = "".join(_set(str(number), value) for number, value in enumerate(script.args, 1))
    # Not called but gone over to: its end is the end of it all, its status the status.
    run = f'{values}{_enter(script)}"%~dp0{file}"'
    return _batch(run, script, name, login, {file: batch_text(script)})


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
    values = "".join(_set(variable(each), value) for each, value in command.env.items())
    said: dict[str, str] = {}
    texts = {file: _in_ascii(text, said) for file, text in (more or {}).items()}
    line = _in_ascii(_bounded(f'@del "%~f0"&{values}{run}'), said)
    files = {f"{name}.cmd": f"{line}\r\n", **texts}
    cmd = f"cmd /d /q /e:on /v:off /c {name}.cmd"
    if login == "cmd":
        sets = "".join(f"set {variable}={text}&" for text, variable in said.items())
        body = f'{sets}cd /d "%USERPROFILE%"&{cmd}'
    else:
        sets = "".join(f"$env:{variable}={_in_units(text)};" for text, variable in said.items())
        body = f"{sets}Set-Location -LiteralPath $env:USERPROFILE;{cmd}"
    encoded = {file: text.encode("ascii") for file, text in files.items()}
    return Order(_said(name, login, body), encoded, tuple(more or ()))


def _in_ascii(text: str, said: dict[str, str]) -> str:
    """A batch file's text, with variables for what is not ASCII.

    How cmd reads such a file depends on a code page, which may not have the characters at all.

    Args:
        text: none of what cmd takes for special is in what is replaced.
        said: the variables; more are added.
    """

    def named(found: re.Match[str]) -> str:
        return f"%{said.setdefault(found[0], f'QUELL_U{len(said)}')}%"

    return re.sub(r"[^\x00-\x7f]+", named, text)


def _in_units(text: str) -> str:
    """Text for PowerShell, which has more kinds of quotes than one can think of."""
    data = text.encode("utf-16-le")
    units = (str(int.from_bytes(data[at : at + 2], "little")) for at in range(0, len(data), 2))
    return f"-join[char[]]({','.join(units)})"


def _said(name: str, login: ShellType, body: str) -> str:
    """The line, with the name said first: what came before is a start-up file's noise."""
    if login == "cmd":
        return _bounded(f"echo {name} 0&echo {name} 0 >&2&{body}")
    said = f"[Console]::Out.WriteLine('{name} 0');[Console]::Error.WriteLine('{name} 0')"
    return f"{said};{body};exit $LASTEXITCODE"


def _enter(command: Argv | Script) -> str:
    if command.cwd is None:
        return ""
    if '"' in command.cwd:
        raise HostError(f"not a directory's name on Windows: {command.cwd!r}")
    where = _quoted(_unbroken(command.cwd).replace("%", "%%"))
    return f"cd /d {where}&(if errorlevel 1 exit 126)&"


def _set(name: str, value: str) -> str:
    return f"set {_escaped(_quoted(f'{name}={value}'))}&"


def _quoted(text: str) -> str:
    """For what cmd does itself: it takes all up to the last quote."""
    return f'"{text}"'


def _call(command: Argv) -> str:
    check(command)
    program = command.args[0]
    if not program.strip() or '"' in program:
        raise HostError(f"not a program's name on Windows: {program!r}")
    if _is_risky(command) and PureWindowsPath(program).suffix.lower() not in _PROGRAMS:
        program += ".exe"  # else cmd might find a batch file of that name
    _unbroken(program)
    words = (_escaped(_argument(text)) for text in command.args[1:])
    return " ".join((_quoted(program.replace("%", "%%")), *words))


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


def _bounded(line: str) -> str:
    if len(line) > LONGEST:
        raise HostError(f"a command for cmd can be {LONGEST} characters long, not {len(line)}")
    return line


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()
