"""The services of a host, by whichever manager it has: systemd, launchd or Windows' own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from engine.connections.base import Script
from engine.contract.change import Identity
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell, powershell
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from engine.connections.base import Argv
    from engine.contract.target import Target

ServiceName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_@][A-Za-z0-9_@.:\\$ -]*$",
        title="service's name",
        examples=["nginx"],
    ),
]
"""No pattern of several, and no option."""

_MEANWHILE = 3
_NONE = 4
"""Exit statuses of the scripts."""

# What is asked for in each of two commands must be the same.
_LOOK_SYSTEMD = """LC_ALL=C; export LC_ALL
[ -d /run/systemd/system ] || { echo "the host has no systemd that runs" >&2; exit 1; }
systemctl show --no-pager \\
  -p Id,Names,Description,LoadState,ActiveState,SubState,Result,Type,UnitFileState \\
  -p MainPID,InvocationID,ExecMainStartTimestampMonotonic,ExecMainStatus,NRestarts -- "$1" || exit
echo "Up=$(cut -d ' ' -f 1 /proc/uptime)"
"""
_RESTART_SYSTEMD = """LC_ALL=C; export LC_ALL
of() { systemctl show --no-pager -p "$1" -- "$2" | sed 's/^[^=]*=//'; }
now="$(of InvocationID "$1") $(of ExecMainStartTimestampMonotonic "$1")"
[ "$now" = "$2" ] || exit 3
exec systemctl --no-ask-password restart -- "$1"
"""
_OF_LAUNCHD = """LC_ALL=C; export LC_ALL
pid=$(launchctl print "system/$1" 2>/dev/null | sed -n 's/^[[:space:]]pid = //p')
start=
[ -z "$pid" ] || start=$(ps -p "$pid" -o lstart= | tr -s ' ' | sed 's/^ //; s/ $//')
"""
_LOOK_LAUNCHD = f"""{_OF_LAUNCHD}
launchctl print "system/$1" || {{ [ $? -ne 113 ] || exit 4; exit 1; }}
echo "start=$start"
"""
_RESTART_LAUNCHD = f"""{_OF_LAUNCHD}
[ "$pid $start" = "$2" ] || exit 3
exec launchctl kickstart -k "system/$1"
"""
_LOOK_WINDOWS = """
$all = @(Get-CimInstance Win32_Service | Where-Object { $_.Name -eq $given.name })
if (-not $all) { exit 4 }
$one = $all[0]
$start = ''; $age = -1
if ($one.ProcessId) {
  $made = (Get-CimInstance Win32_Process -Filter "ProcessId=$($one.ProcessId)").CreationDate
  if ($made) {
    $start = $made.ToUniversalTime().ToString('o')
    $age = ((Get-Date) - $made).TotalSeconds
  }
}
@{ name = [string]$one.Name; description = [string]$one.DisplayName; state = [string]$one.State
   startup = [string]$one.StartMode; pid = [int64]$one.ProcessId; start = $start
   age = [double]$age; exit_status = [int64]$one.ExitCode } | ConvertTo-Json -Compress
"""
_RESTART_WINDOWS = """
$one = Get-CimInstance Win32_Service | Where-Object { $_.Name -eq $given.name }
if (-not $one) { exit 4 }
$start = ''
if ($one.ProcessId) {
  $made = (Get-CimInstance Win32_Process -Filter "ProcessId=$($one.ProcessId)").CreationDate
  if ($made) { $start = $made.ToUniversalTime().ToString('o') }
}
if ("$($one.ProcessId) $start" -ne $given.instance) { exit 3 }
Restart-Service -Name $given.name
"""


class Service(Struct, frozen=True, kw_only=True):
    """A service as it was seen.

    Args:
        name: its full name: `nginx.service`.
        names: all of them, aliases too.
        description: for people.
        active: whether it does its work; for a one-shot, whether it has done it.
        state: in its manager's words: `active (running)`, `failed (failed)`, `Stopped`.
        startup: whether it is started with the host, likewise: `enabled`, `Auto`, `masked`.
        pid: of its main process; 0 for none.
        instance: which start of it this is; no later one has the same.
        age: seconds since its main process was started; None where that is not known.
        restarts: how often its manager started it again by itself; None where that is not known.
        exit_status: of its main process, when that last ended; None where that is not known.
        settling: whether it is on its way to another state.
    """

    name: str
    names: list[str]
    description: str
    active: bool
    state: str
    startup: str
    pid: int
    instance: str
    age: float | None = None
    restarts: int | None = None
    exit_status: int | None = None
    settling: bool = False

    @property
    def identity(self) -> Identity:
        """Its name, with which start of it this is."""
        return Identity("service", self.name, {"instance": self.instance})

    @property
    def aliases(self) -> list[str]:
        """What else it may be called where something is said of services, such as `nginx`."""
        short = [name.removesuffix(".service") for name in self.names]
        return sorted({*self.names, *short} - {self.name})


class _WindowsService(Struct):
    name: str
    description: str
    state: str
    startup: str
    pid: int
    start: str
    age: float
    exit_status: int


def service(target: Target, name: str) -> Service:
    """A service of the host.

    Raises:
        ModuleFailed: there is none of that name, or it cannot be seen.
    """
    family = target.platform.family
    if family == "windows":
        return _windows(target, name)
    script = _LOOK_LAUNCHD if family == "macos" else _LOOK_SYSTEMD
    finished = target.run(Script(script, args=(name,)))
    if finished.status == _NONE:
        raise ModuleFailed(f"there is no service {name}")
    if finished.status:
        why = finished.stderr.text.strip() or f"exit status {finished.status}"
        raise ModuleFailed(f"{name} cannot be looked at: {why}")
    read = read_launchd if family == "macos" else read_systemd
    with understood():
        return read(finished.stdout.text, name)


def restart(target: Target, seen: Identity) -> None:
    """Restart a service, if it was not started since it was seen; one that is stopped is started.

    Raises:
        ModuleFailed: it was started since, or its manager refuses.
    """
    name, instance = seen.name, str(seen.key["instance"])
    command: Script | Argv
    if target.platform.family == "windows":
        command = powershell(_RESTART_WINDOWS, name=name, instance=instance)
    else:
        macos = target.platform.family == "macos"
        command = Script(_RESTART_LAUNCHD if macos else _RESTART_SYSTEMD, args=(name, instance))
    finished = target.run(command)
    if finished.status == _MEANWHILE:
        raise ModuleFailed(f"{name} was started or ended since it was looked at; nothing was done")
    if finished.status:
        why = finished.stderr.text.strip() or f"exit status {finished.status}"
        raise ModuleFailed(f"{name} was not restarted: {why}")


def read_systemd(said: str, name: str) -> Service:
    """The service of what `systemctl show` said, and `Up`, the host's uptime.

    Raises:
        ModuleFailed: there is none of that name.
    """
    of = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    if of["LoadState"] == "not-found" and of["ActiveState"] == "inactive":
        raise ModuleFailed(f"there is no service {name}")
    pid = int(of.get("MainPID") or 0)
    started = int(of.get("ExecMainStartTimestampMonotonic") or 0)
    # Old ones have no InvocationID, and do not count restarts.
    return Service(
        name=of["Id"],
        names=of["Names"].split(),
        description=of["Description"],
        active=of["ActiveState"] in {"active", "reloading"},
        state=f"{of['ActiveState']} ({of['SubState']})",
        startup=of["UnitFileState"],
        pid=pid,
        instance=f"{of.get('InvocationID', '')} {started}",
        age=round(max(0.0, float(of["Up"]) - started / 1e6), 1) if pid and "Up" in of else None,
        restarts=int(of["NRestarts"]) if "NRestarts" in of else None,
        exit_status=int(of["ExecMainStatus"]) if started and not pid else None,
        settling=of["ActiveState"] in {"activating", "deactivating", "reloading"}
        and of["SubState"] != "auto-restart",
    )


def read_launchd(said: str, name: str) -> Service:
    """The service of what `launchctl print` said, and `start`, when its process was started."""
    # Only its own facts are one step in.
    of = dict(re.findall(r"(?m)^(?:\t|    )(\w[\w ]*?) = (.*)$", said))
    start = re.search(r"(?m)^start=(.*)$", said)
    state = of.get("state", "not running")
    ended = of.get("last exit code", "").partition(":")[0]
    return Service(
        name=name,
        names=[name],
        description=of.get("program", ""),
        active=state == "running",
        state=state,
        startup=of.get("type", ""),
        pid=int(of.get("pid", 0)),
        instance=f"{of.get('pid', '')} {start[1] if start else ''}",
        restarts=int(of["runs"]) - 1 if of.get("runs", "0") != "0" else None,
        exit_status=int(ended) if re.fullmatch(r"-?\d+", ended) else None,
        settling=state == "spawn scheduled",
    )


def _windows(target: Target, name: str) -> Service:
    try:
        seen = ask_powershell(target, _LOOK_WINDOWS, _WindowsService, name=name)
    except ModuleFailed as error:
        if error.message.endswith(f"exit status {_NONE}"):
            raise ModuleFailed(f"there is no service {name}") from None
        raise
    return Service(
        name=seen.name,
        names=[seen.name, seen.description],
        description=seen.description,
        active=seen.state == "Running",
        state=seen.state,
        startup=seen.startup,
        pid=seen.pid,
        instance=f"{seen.pid} {seen.start}",
        age=round(seen.age, 1) if seen.age >= 0 else None,
        exit_status=None if seen.pid else seen.exit_status,
        settling=seen.state.endswith("Pending"),
    )
