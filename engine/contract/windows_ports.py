"""Who listens on a TCP port of a Windows host, and how they are ended."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from engine.connections.base import Argv, Script
from engine.contract.masking import masked
from engine.contract.port_holders import COMMAND_LIMIT, Listeners, PortHolder
from engine.errors import HostError, ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.contract.change import Identity
    from engine.contract.target import Target

# A line for each pid, and one for each process above us. What PowerShell may not see of a process
# is left out: without a start time the process is told by its name and its port.
_DETAILS = r"""
foreach ($id in $args) {
  $process = Get-CimInstance Win32_Process -Filter "ProcessId=$([int]$id)"
  if ($process) {
    $start = if ($process.CreationDate) { $process.CreationDate.ToFileTimeUtc() } else { '-' }
    $line = "$($process.CommandLine)" -replace '[\r\n]', ' '
    "process $($process.ProcessId) $($process.ParentProcessId) $start $line"
  }
}
$id = $PID
foreach ($step in 1..32) {
  if (-not $id) { break }
  "ancestor $id"
  $id = (Get-CimInstance Win32_Process -Filter "ProcessId=$id").ParentProcessId
}
"""
# Its start time is looked at again in the same command that ends it.
_END = r"""
for ($at = 0; $at -lt $args.Count; $at += 2) {
  $id = [int]$args[$at]
  $process = Get-CimInstance Win32_Process -Filter "ProcessId=$id"
  if (-not $process -or "$($process.CreationDate.ToFileTimeUtc())" -ne $args[$at + 1]) {
    "gone $id"
    continue
  }
  $said = taskkill.exe /F /PID $id 2>&1 | Out-String
  Wait-Process -Id $id -Timeout 5 -ErrorAction SilentlyContinue
  if (Get-Process -Id $id -ErrorAction SilentlyContinue) {
    "left $id $($said -replace '\s+', ' ')"
  } else { "ended $id" }
}
"""
# Where no start time is known: it must still hold the port and have the name, and taskkill itself
# looks at the name once more. The numbers are the text's, since cmd gives a pipe no `!values!`.
_END_BY_NAME = """
netstat -ano | findstr /R /C:":{port}  *[^ ]*:0  *.* {pid}$" >nul
if errorlevel 1 (
  echo gone {pid}
  exit /b 0
)
taskkill /F /FI "PID eq {pid}" /FI "IMAGENAME eq !1!" >nul
ping -n 2 127.0.0.1 >nul
netstat -ano | findstr /R /C:":{port}  *[^ ]*:0  *.* {pid}$" >nul
if errorlevel 1 (echo ended {pid}) else echo left {pid}
exit /b 0
"""
_DETAIL = re.compile(
    r"process (?P<pid>\d+) (?P<parent>\d+) (?P<start>\d+|-) ?(?P<command>.*)", re.DOTALL
)


def windows_listeners(target: Target, port: int) -> Listeners:
    """Who listens on a port of a Windows host.

    Raises:
        ModuleFailed: it cannot be seen.
    """
    found = listening(_said(target, "netstat", "-ano"), port)
    if not found:
        return Listeners(addresses=[], processes=[], hidden=[], ancestors=[])
    names = names_of(_said(target, "tasklist", "/FO", "CSV", "/NH"))
    pids = sorted({pid for _, pid in found})
    known, ancestors = _details(target, pids)
    return Listeners(
        addresses=sorted({address for address, _ in found}),
        processes=[_holder(pid, names.get(pid, "a process"), known.get(pid)) for pid in pids],
        hidden=[],
        ancestors=ancestors,
    )


def end_windows_processes(
    target: Target, port: int, processes: Sequence[Identity]
) -> dict[int, str]:
    """End those very processes, by force: Windows has no other way for a service's.

    Args:
        target: the host.
        port: that they listen on.
        processes: each with `pid` and `start` as its key.

    Returns:
        What became of each, by its pid: `ended`, `gone` before we came, or `left` and why.

    Raises:
        ModuleFailed: nothing could be tried.
    """
    outcomes: dict[int, str] = {}
    dated = [each for each in processes if each.key["start"]]
    if dated:
        pairs = [str(each.key[word]) for each in dated for word in ("pid", "start")]
        outcomes |= _outcomes(target, Script(_END, tuple(pairs), executable="powershell"))
    for each in processes:
        if not each.key["start"]:
            text = _END_BY_NAME.format(port=port, pid=int(each.key["pid"]))
            outcomes |= _outcomes(target, Script(text, (each.name,), executable="cmd"))
    return outcomes


def listening(text: str, port: int) -> list[tuple[str, int]]:
    """Addresses on a port that are listened on, with the pid, of what `netstat -ano` says.

    Its headings and states are in the host's language; what listens has no other end.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or not words[0].upper().startswith("TCP") or not words[-1].isdecimal():
            continue
        if words[2] in {"0.0.0.0:0", "[::]:0"} and words[1].rpartition(":")[2] == str(port):
            found.append((words[1], int(words[-1])))
    return found


def names_of(text: str) -> dict[int, str]:
    """Images' names by pid, of what `tasklist /FO CSV /NH` says."""
    rows = csv.reader(line for line in text.splitlines() if line.startswith('"'))
    return {int(row[1]): row[0] for row in rows if len(row) > 1 and row[1].isdecimal()}


def _said(target: Target, *argv: str) -> str:
    finished = target.run(Argv(argv))
    if finished.status:
        why = finished.stderr.text.strip() or finished.stdout.text.strip()
        raise ModuleFailed(f"cannot look for listeners: {argv[0]}: {why}")
    return finished.stdout.text


def _details(target: Target, pids: list[int]) -> tuple[dict[int, re.Match[str]], list[int]]:
    """What only PowerShell tells of processes and of those above us; nothing where it fails."""
    script = Script(_DETAILS, tuple(str(pid) for pid in pids), executable="powershell")
    try:
        text = target.run(script).stdout.text
    except HostError:
        target.deadline.remaining()
        text = ""
    # Not splitlines(): it takes characters that a command line may hold for ends of lines.
    found = [_DETAIL.fullmatch(line.rstrip("\r")) for line in text.split("\n")]
    known = {int(detail["pid"]): detail for detail in found if detail}
    return known, [int(pid) for pid in re.findall(r"(?m)^ancestor (\d+)\r?$", text)]


def _holder(pid: int, name: str, detail: re.Match[str] | None) -> PortHolder:
    return PortHolder(
        pid=pid,
        start=detail["start"].strip("-") if detail else "",
        name=name,
        user="",
        parent=int(detail["parent"]) if detail else 0,
        command=masked(detail["command"], COMMAND_LIMIT) if detail else "",
    )


def _outcomes(target: Target, script: Script) -> dict[int, str]:
    finished = target.run(script)
    if finished.status:
        raise ModuleFailed(f"cannot end it: {finished.stderr.text.strip()}")
    found = re.findall(r"(?m)^(ended|gone|left) (\d+)(.*)$", finished.stdout.text)
    return {int(pid): f"{word} {why.strip()}".strip() for word, pid, why in found}
