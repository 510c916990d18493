"""Text for PowerShell: it obeys an order in a file, so that values are never part of a text."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from engine.connections.shells import variable

if TYPE_CHECKING:
    from engine.connections.base import Script

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


def line(program: str, file: str) -> str:
    """A line for any shell, and for none: PowerShell obeys the order in a file.

    Args:
        program: `powershell.exe` or `pwsh.exe`.
        file: an expression of PowerShell's.
    """
    return f"{program} {_OPTIONS} {_encoded(_RUN.format(file=file))}"


def ending(name: str) -> str:
    """A line that ends the processes with a name in their command line, and what they started.

    Its status says whether they are gone.
    """
    return f"powershell.exe {_OPTIONS} {_encoded(_END.format(name=name))}"


def order_of(script: Script) -> bytes:
    """What the file holds."""
    env = [{"name": variable(name), "value": value} for name, value in script.env.items()]
    return msgspec.json.encode(
        {"text": script.text, "args": script.args, "env": env, "cwd": script.cwd}
    )


def in_units(text: str) -> str:
    """Text for PowerShell, which has more kinds of quotes than one can think of."""
    data = text.encode("utf-16-le")
    units = (str(int.from_bytes(data[at : at + 2], "little")) for at in range(0, len(data), 2))
    return f"-join[char[]]({','.join(units)})"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()
