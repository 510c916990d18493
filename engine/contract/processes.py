"""The processes of a host, on every platform in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections.base import Script
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.contract.target import Target

_KERNEL_THREAD = 0x0020_0000
"""**Source:** Linux, include/linux/sched.h, `PF_KTHREAD`, a flag of proc_pid_stat(5) field 9."""

LISTING = 16 * 2**20
"""Bytes of a listing that are read."""

# Each line begins with the file that it is of, which no process can choose. Names and arguments
# they choose themselves: tr takes the newlines out of arguments. Where grep cannot end a line at
# a NUL, as busybox's, each process costs two programs more.
_LINUX = """LC_ALL=C; export LC_ALL; cd /proc || exit
[ -e 1/stat ] || { echo "those of others are hidden (hidepid): needs root (become)" >&2; exit 3; }
echo "clock $(getconf CLK_TCK 2>/dev/null || echo 100)"
read -r up idle <uptime; echo "up $up"
echo "now $(date +%s)"
echo "self $$"
grep -sHE '^(Uid|VmRSS):' [0-9]*/status
for uid in $(sed -n 's/^Uid:[^0-9]*\\([0-9]*\\).*/\\1/p' [0-9]*/status 2>/dev/null | sort -u); do
  echo "user $uid $(id -un "$uid" 2>/dev/null)"
done
if [ "$(printf 'a\\nb\\0c' | grep -az '' 2>/dev/null | tr '\\n\\0' '-+')" = a-b+c+ ]; then
  grep -saHz -m 128 '' [0-9]*/cmdline | tr '\\n\\0' ' \\n' | cut -b 1-512
else
  for file in [0-9]*/cmdline; do
    { printf '%s:%s\\n' "$file" "$(tr '\\000\\n' '  ' <"$file" | cut -c 1-4096)"; } 2>/dev/null
  done
fi
grep -sH '' [0-9]*/stat
exit 0
"""
_ELSEWHERE = """LC_ALL=C; export LC_ALL
echo "now $(date +%s)"
echo "self $$"
ps -axo pid=,ppid=,pgid=,user=,state=,rss=,time=,etime=,command= | cut -c 1-4096 |
  sed 's/^/ps /'
ps -axo pid=,comm= | sed 's/^/comm /'
"""
_WINDOWS = """
$now = Get-Date
$all = @(Get-CimInstance Win32_Process | Where-Object { $_.ProcessId -ne $PID } | ForEach-Object {
  $age = 0
  if ($_.CreationDate) { $age = ($now - $_.CreationDate).TotalSeconds }
  @{ pid = [int64]$_.ProcessId; parent = [int64]$_.ParentProcessId; name = [string]$_.Name
     user = ''; state = ''; memory = [int64]$_.WorkingSetSize; age = [double]$age
     cpu_time = [double](($_.KernelModeTime + $_.UserModeTime) / 10000000)
     started = [double]([DateTimeOffset]$now).ToUnixTimeSeconds() - $age
     command = [string]$_.CommandLine }
})
ConvertTo-Json -InputObject $all -Depth 2 -Compress
"""


class RunningProcess(Struct, frozen=True, kw_only=True):
    """A process as it was seen.

    Args:
        pid: its number.
        parent: its parent's.
        name: what the system calls it; on Linux the first 15 bytes of that.
        user: its account, by name where the host knows one; empty where it does not tell.
        state: a letter, as ps tells it: `R`, `S`, `D`, `Z`…; empty on Windows.
        memory: bytes of it that are in memory.
        cpu_time: seconds of processor time that it has used.
        age: seconds since it was started.
        started: when that was, seconds since 1970 by the host's clock.
        command: its command line, the first 4096 characters, of each argument the first 500;
            secrets and all.
    """

    pid: int
    parent: int
    name: str
    user: str
    state: str
    memory: int
    cpu_time: float
    age: float
    started: float
    command: str


def running(target: Target) -> list[RunningProcess]:
    """The host's processes, without kernel threads and those that looked.

    Raises:
        ModuleFailed: they cannot be seen.
    """
    family = target.platform.family
    if family == "windows":
        return ask_powershell(target, _WINDOWS, list[RunningProcess], keep=LISTING)
    text = _LINUX if family == "linux" else _ELSEWHERE
    finished = target.run(Script(text), keep=LISTING)
    if finished.status or finished.stdout.omitted:
        why = finished.stderr.text.strip() or "the host has more processes than can be read"
        raise ModuleFailed(f"cannot list processes: {why}")
    said = finished.stdout.head.decode("utf-8", "replace")
    with understood():
        return list(read_linux(said) if family == "linux" else read_ps(said))


def read_linux(said: str) -> Iterator[RunningProcess]:
    """The processes of what the script for Linux said."""
    files: dict[str, dict[str, str]] = {}
    own: dict[str, str] = {}
    for line in said.split("\n"):
        path, colon, rest = line.partition(":")
        pid, slash, file = path.partition("/")
        if colon and slash and pid.isdigit():
            process = files.setdefault(pid, {})
            key = f"{file} {rest.partition(':')[0]}" if file == "status" else file
            # A name may have newlines in it, and each argument comes by itself.
            process[key] = f"{process[key]}\n{rest}" if key in process else rest
        else:
            word, _, value = line.rpartition(" ")
            own[word] = value
    alive = {pid: each for pid, each in files.items() if "stat" in each}
    ours = _after_name(alive[own["self"]]["stat"])[2]
    for pid, each in alive.items():
        fields = _after_name(each["stat"])
        if fields[2] != ours and not int(fields[6]) & _KERNEL_THREAD:
            yield _of_linux(int(pid), each, own)


def _of_linux(pid: int, files: dict[str, str], own: dict[str, str]) -> RunningProcess:
    fields = _after_name(files["stat"])
    tick = float(own["clock"])
    age = max(0.0, float(own["up"]) - int(fields[19]) / tick)
    words = files.get("status Uid", "").split()
    resident = files.get("status VmRSS", "").split()
    uid = words[1] if len(words) > 1 else ""
    return RunningProcess(
        pid=pid,
        parent=int(fields[1]),
        name=files["stat"].partition(" (")[2].rpartition(")")[0],
        user=own.get(f"user {uid}") or uid,
        state=fields[0],
        memory=int(resident[1]) * 1024 if len(resident) > 1 else 0,
        cpu_time=(int(fields[11]) + int(fields[12])) / tick,
        age=round(age, 3),
        started=round(float(own["now"]) - age, 3),
        command=files.get("cmdline", "").replace("\n", " ").strip()[:4096],
    )


def _after_name(stat: str) -> list[str]:
    """The fields from the state on: the name before may hold spaces and brackets."""
    return stat.rpartition(")")[2].split()


def read_ps(said: str) -> Iterator[RunningProcess]:
    """The processes of what ps said."""
    own: dict[str, str] = {}
    names: dict[str, str] = {}
    rows: list[list[str]] = []
    for line in said.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "ps":
            rows.append(rest.split(None, 8))
        elif word == "comm":
            pid, _, name = rest.strip().partition(" ")
            names[pid] = name.strip().rpartition("/")[2]
        elif line:
            own[word] = rest
    ours = {row[2] for row in rows if row[0] == own["self"]}
    for pid, parent, group, user, state, resident, used, age, *command in rows:
        if group not in ours:
            yield RunningProcess(
                pid=int(pid),
                parent=int(parent),
                name=names.get(pid, ""),
                user=user,
                state=state[:1],
                memory=int(resident) * 1024,
                cpu_time=_clock(used),
                age=_clock(age),
                started=float(own["now"]) - _clock(age),
                command="".join(command).strip(),
            )


def _clock(text: str) -> float:
    """`1-02:03:04.5`, as ps tells a length of time, in seconds."""
    days, _, clock = text.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + (int(days) * 86400 if days else 0)
