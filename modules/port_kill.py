"""`port_kill`: end what listens on a TCP port."""

from __future__ import annotations

import socket
from contextlib import closing
from itertools import chain
from typing import Any, ClassVar

import msgspec

from engine.contract import (
    Action,
    Change,
    DialRefused,
    Duration,
    GuardRefused,
    Identity,
    ModuleFailed,
    Port,
    Script,
    Struct,
    Target,
    docker_client,
    end_windows_processes,
    seconds,
    to_plain,
    windows_listeners,
)

PROTECTED = frozenset(
    {
        *("sshd", "sshd-session", "sshd-auth", "dropbear", "systemd", "init", "launchd"),
        *("sshd.exe", "sshd-session.exe", "sshd-auth.exe", "services.exe", "lsass.exe"),
        *("wininit.exe", "winlogon.exe", "csrss.exe", "smss.exe", "registry"),
    }
)
PUBLISHERS = frozenset(
    {"docker-proxy", "dockerd", "dockerd.exe", "com.docker.backend.exe", "wslrelay.exe"}
)
"""They hold a port in a container's name."""
AFTER_KILL = 5.0
"""Seconds that the kernel gets to end a process after KILL."""
COMMAND_LIMIT = 300

# $1 port, $2 the port in hexadecimal. ss only narrows down where to look: a process may call
# itself anything, so what counts is the socket's inode among its descriptors. Names of files and
# arguments are others' to choose too: -q and tr take the newlines out of them.
_LOOK_LINUX = """LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -i ":$2 [0-9A-F]*:0000 0A ")
[ -n "$sockets" ] || exit 0
printf '%s\\n' "$sockets" | sed 's/^/socket /'
inodes=$(printf '%s\\n' "$sockets" |
  while read -r sl at peer st queue timer retry uid out inode more; do printf '|%s' "$inode"; done)
# busybox knows no -q and always does so
if ls -q / >/dev/null 2>&1; then quietly=-q; else quietly=; fi
owners() {
  ls -ln $quietly "$@" /proc/self/fd 2>/dev/null |
  grep -E "^/proc/[^/]*/fd:$|^l[^>]*> socket:\\[(${inodes#|})\\]$" |
  while read -r line; do
    case $line in
      /proc/*) pid=${line#/proc/}; pid=${pid%%/*} ;;
      *) inode=${line##*\\[}; printf 'owner %s %s\\n' "$pid" "${inode%]}" ;;
    esac
  done | grep -E '^owner [0-9]+ ' | sort -u
}
directories=$(ss -Hltnp "sport = :$1" 2>/dev/null | tr ',' '\\n' |
  sed -n 's|^pid=\\([0-9][0-9]*\\).*|/proc/\\1/fd|p')
pid= owned=
[ -z "$directories" ] || owned=$(owners $directories)
[ -n "$owned" ] || owned=$(owners /proc/[0-9]*/fd)
printf '%s\\n' "$owned"
for pid in $(printf '%s\\n' "$owned" | sed 's/owner \\([0-9]*\\) .*/\\1/' | sort -u); do
  printf 'stat %s\\n' "$(tr '\\n' ' ' <"/proc/$pid/stat")"
  uid=$(sed -n 's/^Uid:[^0-9]*\\([0-9]*\\).*/\\1/p' "/proc/$pid/status")
  printf 'user %s %s %s\\n' "$pid" "$uid" "$(id -un "$uid" 2>/dev/null)"
  printf 'command %s %s\\n' "$pid" "$(tr '\\000\\n' '  ' <"/proc/$pid/cmdline" | cut -c1-300)"
done 2>/dev/null
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  printf 'ancestor %s\\n' "$pid"
  stat=$(tr '\\n' ' ' <"/proc/$pid/stat")
  set -f; set -- ${stat##*) }; pid=$2
done
"""
_LOOK_ELSEWHERE = """LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
command -v lsof >/dev/null || { echo "lsof is not there" >&2; exit 3; }
found=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN -Fpn 2>/dev/null)
printf '%s\\n' "$found" | sed -n 's/^\\([pn]\\)\\(.*\\)/lsof \\1 \\2/p'
netstat -an 2>/dev/null | grep '^tcp.*LISTEN' |
  sed -n "s/^[^ ]* .* \\([^ ]*[.:]$1\\) .*/netstat \\1/p"
for pid in $(printf '%s\\n' "$found" | sed -n 's/^p//p'); do
  start_of "$pid"
  printf 'start %s %s\\n' "$pid" "$start"
  printf 'ps %s\\n' "$(ps -p "$pid" -o pid= -o ppid= -o user= -o command= | tr '\\n' ' ')"
  printf 'comm %s %s\\n' "$pid" "$(ps -p "$pid" -o comm= | tr '\\n' ' ')"
done
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  printf 'ancestor %s\\n' "$pid"
  pid=$(ps -p "$pid" -o ppid= | tr -d ' ')
done
"""
# $1 tenths of a second from TERM to KILL, $2 the same after KILL, then pid and start time of
# each process. Only a process whose start time is still the same is signalled. A zombie has
# ended: it waits for its parent, and nothing can end it further.
_KILL = """LC_ALL=C; export LC_ALL
grace=$1 last=$2; shift 2
same() {
  start_of "$1"
  [ -n "$start" ] && [ "$start" = "$2" ]
}
any() {
  while [ $# -gt 1 ]; do same "$1" "$2" && return; shift 2; done
  return 1
}
signal() {
  name=$1; shift
  while [ $# -gt 1 ]; do
    if same "$1" "$2"; then
      if kill -"$name" "$1" 2>/dev/null; then echo "$name $1"
      elif same "$1" "$2"; then echo "denied $1"
      fi
    fi
    shift 2
  done
}
await() {
  left=$1; shift
  while [ "$left" -gt 0 ] && any "$@"; do
    if sleep 0.1 2>/dev/null; then left=$((left - 1)); else sleep 1; left=$((left - 10)); fi
  done
}
signal TERM "$@"; await "$grace" "$@"
signal KILL "$@"; await "$last" "$@"
while [ $# -gt 1 ]; do same "$1" "$2" && echo "left $1"; shift 2; done
exit 0
"""
_START_LINUX = """start_of() {
  stat=
  { while IFS= read -r line; do stat="$stat $line"; done <"/proc/$1/stat"; } 2>/dev/null
  set -f; set -- ${stat##*) }
  case ${1:-Z} in Z|X) start= ;; *) start=${20} ;; esac
}
"""
_START_ELSEWHERE = """start_of() {
  case $(ps -p "$1" -o state=) in
    ''|Z*) start= ;;
    *) start=$(ps -p "$1" -o lstart= | sed 's/^ *//; s/ *$//') ;;
  esac
}
"""


class Process(Struct, frozen=True, kw_only=True):
    """A process that listens.

    Args:
        pid: its number.
        start: when it began: clock ticks since boot on Linux, a date elsewhere; empty where a
            Windows host does not tell. With the pid it is the process's identity.
        name: what the kernel calls it.
        user: its account, by name where the host knows one.
        parent: its parent's pid.
        command: its command line, the first 300 characters.
    """

    pid: int
    start: str
    name: str
    user: str
    parent: int
    command: str

    @property
    def identity(self) -> Identity:
        """The pid with the start time."""
        return Identity("process", self.name, {"pid": self.pid, "start": self.start})


class Listeners(Struct, frozen=True, kw_only=True):
    """Who listens on the port.

    Args:
        addresses: that are listened on.
        processes: that hold the sockets.
        hidden: the owners' uids of sockets whose process cannot be seen; -1: not even that.
        ancestors: pids from the shell that looked up to the first process.
        container: that Docker publishes on the port; empty if none is known.
    """

    addresses: list[str]
    processes: list[Process]
    hidden: list[int]
    ancestors: list[int]
    container: str = ""


class Ended(Struct, frozen=True, kw_only=True):
    """Who was ended.

    Args:
        ended: each process, with the last `signal` that it got: TERM or KILL.
        gone: pids of those that had ended by themselves.
    """

    ended: list[dict[str, Any]]
    gone: list[int]


class PortKill(Action[Listeners], frozen=True, kw_only=True):
    """End the processes that listen on a TCP port: TERM, a grace, KILL.

    Nothing is needed on the host: on Linux the kernel's own tables are read (`ss`, where it is
    there, only makes it faster), elsewhere `lsof`. A process is signalled only if its pid still
    has the start time that was seen. Refused are the first process, sshd, the service manager,
    and what the connection itself runs in; a port that Docker publishes for a container is
    refused too: restart the container. Nothing to do where nothing listens.

    On Windows `netstat` and `tasklist` are asked, in whatever language, and `taskkill /F` ends
    what they find at once: there is no TERM. The start time is PowerShell's; where it does not
    tell one, the change says so, and the process must still hold the port and have its name when
    it is ended. A service's process is refused: stop the service.

    Args:
        port: the TCP port, on any address of the host, IPv4 or IPv6.
        grace: how long a process may take to end by itself before it is killed; not on Windows.

    **Source:** proc_net(5) /proc/net/tcp, proc_pid_stat(5) field 22, ss(8), lsof(8), ps(1);
    Windows commands `netstat -ano`, `tasklist /FO CSV`, `taskkill`; `Win32_Process`.
    """

    primary: ClassVar[str] = "port"

    port: Port
    grace: Duration = "10s"

    def observe(self, target: Target) -> Listeners:
        """Find who listens."""
        seen = self._look(target)
        if seen.hidden:
            raise ModuleFailed(self._why_hidden(target, seen), to_plain(seen))
        if any(process.name in PUBLISHERS for process in seen.processes):
            return msgspec.structs.replace(seen, container=self._container(target))
        return seen

    def decide(self, seen: Listeners) -> Change | None:
        """End all that listen, unless one of them must never be hit."""
        if not seen.processes:
            return None
        for process in seen.processes:
            self._guard(process, seen)
        names = ", ".join(f"{each.name} (pid {each.pid})" for each in seen.processes)
        untold = "" if all(each.start for each in seen.processes) else "; start time not known"
        return Change(
            summary=f"{names} on port {self.port} → ended{untold}",
            on=tuple(process.identity for process in seen.processes),
            before=to_plain(seen.processes),
            after=[],
        )

    def apply(self, target: Target, change: Change) -> Ended:
        """Signal those very processes, and wait for their end."""
        if target.platform.family == "windows":
            return self._end_on_windows(target, change)
        grace = seconds(self.grace)
        if grace + AFTER_KILL >= target.deadline.remaining():
            raise ModuleFailed(f"grace of {grace:g} s does not fit into the task's timeout")
        start_of = _START_LINUX if target.platform.family == "linux" else _START_ELSEWHERE
        pairs = [(str(each.key["pid"]), str(each.key["start"])) for each in change.on]
        waits = (str(round(grace * 10)), str(round(AFTER_KILL * 10)))
        finished = target.run(Script(start_of + _KILL, args=(*waits, *chain.from_iterable(pairs))))
        if finished.status:
            raise ModuleFailed(f"cannot signal: {finished.stderr.text.strip()}")
        said = [line.split() for line in finished.stdout.text.splitlines()]
        signals = {int(pid): word for word, pid in said if word in {"TERM", "KILL"}}
        processes = {each["pid"]: each for each in change.before}
        done = Ended(
            ended=[{**processes[pid], "signal": word} for pid, word in signals.items()],
            gone=[pid for pid in processes if pid not in {int(each) for _, each in said}],
        )
        left = sorted({pid for word, pid in said if word in {"denied", "left"}})
        if left:
            denied = " (we have no right to)" if any(word == "denied" for word, _ in said) else ""
            raise ModuleFailed(f"could not be ended{denied}: pid {', '.join(left)}", to_plain(done))
        return done

    def _end_on_windows(self, target: Target, change: Change) -> Ended:
        outcomes = end_windows_processes(target, self.port, change.on)
        processes = {each["pid"]: each for each in change.before}
        done = Ended(
            ended=[
                {**processes[pid], "signal": "KILL"}
                for pid, outcome in outcomes.items()
                if outcome == "ended"
            ],
            gone=[pid for pid, outcome in outcomes.items() if outcome == "gone"],
        )
        left = [pid for pid in processes if outcomes.get(pid, "") not in {"ended", "gone"}]
        if left:
            why = "; ".join(filter(None, (outcomes.get(pid, "")[5:] for pid in left)))
            pids = ", ".join(str(pid) for pid in left)
            raise ModuleFailed(
                f"could not be ended: pid {pids}{f': {why}' if why else ''}", to_plain(done)
            )
        return done

    def confirm(self, target: Target, change: Change) -> str | None:
        """None of them listens any more; that another one does is for `verify` to judge."""
        left = [each for each in self._look(target).processes if each.identity in change.on]
        names = ", ".join(f"{each.name} (pid {each.pid})" for each in left)
        return f"still listening: {names}" if left else None

    def _look(self, target: Target) -> Listeners:
        family = target.platform.family
        if family == "windows":
            return _on_windows(target, self.port)
        text = _LOOK_LINUX if family == "linux" else _START_ELSEWHERE + _LOOK_ELSEWHERE
        args = (str(self.port), f"{self.port:04X}")
        finished = target.run(Script(text, args=args))
        if finished.status:
            raise ModuleFailed(f"cannot look for listeners: {finished.stderr.text.strip()}")
        return parse(finished.stdout.text)

    def _why_hidden(self, target: Target, seen: Listeners) -> str:
        owners = sorted({"unknown" if uid < 0 else str(uid) for uid in seen.hidden})
        held = f"port {self.port} is held by a process of uid {' and '.join(owners)}"
        if target.platform.uid == 0:
            return f"{held} that is not visible here: in another container, or in the kernel"
        return f"{held} that {target.platform.user} may not look at: needs root (become)"

    def _guard(self, process: Process, seen: Listeners) -> None:
        what = f"port {self.port} is held by {process.name} (pid {process.pid})"
        if process.name in PUBLISHERS:
            whose = f"container {seen.container}" if seen.container else "a container"
            raise GuardRefused(f"{what} for {whose}: use docker_restart")
        if process.pid == 1:
            raise GuardRefused(
                f"{what}, the first process: stop the socket or service unit instead"
            )
        if process.name.lower() in PROTECTED:
            raise GuardRefused(f"{what}, which is never ended")
        if process.name.lower() == "svchost.exe":
            raise GuardRefused(f"{what}, which is a service's: stop the service instead")
        if process.name in {"System", "System Idle Process"}:
            raise GuardRefused(f"{what}, which is Windows itself: `netsh http show servicestate`")
        if process.pid in seen.ancestors:
            raise GuardRefused(f"{what}, which our own connection runs in")

    def _container(self, target: Target) -> str:
        import docker.errors
        import requests

        try:
            with closing(docker_client(target)) as client:
                found = client.api.containers(filters={"publish": str(self.port)})
        except (
            DialRefused,
            ModuleFailed,
            docker.errors.DockerException,
            requests.RequestException,
        ):
            return ""  # the refusal stands without the name
        return ", ".join(sorted(each["Names"][0].lstrip("/") for each in found))


def _on_windows(target: Target, port: int) -> Listeners:
    seen = windows_listeners(target, port)
    processes = [
        Process(
            pid=each.pid,
            start=each.start,
            name=each.name,
            user="",
            parent=each.parent,
            command=each.command[:COMMAND_LIMIT],
        )
        for each in seen.processes
    ]
    return Listeners(
        addresses=seen.addresses, processes=processes, hidden=[], ancestors=seen.ancestors
    )


def parse(text: str) -> Listeners:
    """What one of the looking scripts said."""
    lines: dict[str, list[str]] = {}
    # Not splitlines(): it takes characters that a command line may hold for ends of lines.
    for line in text.split("\n"):
        word, _, rest = line.partition(" ")
        lines.setdefault(word, []).append(rest)
    ancestors = [int(pid) for pid in lines.get("ancestor", [])]
    if "socket" in lines:
        return _parse_linux(lines, ancestors)
    return _parse_elsewhere(lines, ancestors)


def _parse_linux(lines: dict[str, list[str]], ancestors: list[int]) -> Listeners:
    sockets = [row.split() for row in lines["socket"]]
    owners = [owner.split() for owner in lines.get("owner", [])]
    owned = {inode for _, inode in owners}
    users = {}
    for row in lines.get("user", []):
        pid, uid, *name = row.split(" ")
        users[pid] = (name[0] if name else "") or uid
    commands = dict(row.split(" ", 1) for row in lines.get("command", []))
    processes = [_process_of_stat(row, users, commands) for row in lines.get("stat", []) if row]
    return Listeners(
        addresses=sorted({_address(row[1]) for row in sockets}),
        processes=sorted(processes, key=lambda process: process.pid),
        hidden=[int(row[7]) for row in sockets if row[9] not in owned],
        ancestors=ancestors,
    )


def _process_of_stat(row: str, users: dict[str, str], commands: dict[str, str]) -> Process:
    # The name may hold spaces and brackets: what counts comes after the last one.
    head, _, tail = row.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()
    return Process(
        pid=int(pid),
        start=fields[19],
        name=name,
        user=users.get(pid, ""),
        parent=int(fields[1]),
        command=commands.get(pid, "").strip()[:COMMAND_LIMIT],
    )


def _parse_elsewhere(lines: dict[str, list[str]], ancestors: list[int]) -> Listeners:
    starts = dict(row.split(" ", 1) for row in lines.get("start", []))
    names = dict(row.split(" ", 1) for row in lines.get("comm", []))
    processes = [_process_of_ps(row, starts, names) for row in lines.get("ps", []) if row]
    addresses = {row[2:] for row in lines.get("lsof", []) if row.startswith("n ")}
    unseen = [] if processes else lines.get("netstat", [])
    return Listeners(
        addresses=sorted(addresses | set(unseen)),
        processes=sorted(processes, key=lambda process: process.pid),
        hidden=[-1 for _ in unseen],
        ancestors=ancestors,
    )


def _process_of_ps(row: str, starts: dict[str, str], names: dict[str, str]) -> Process:
    pid, parent, user, *command = row.split(maxsplit=3)
    return Process(
        pid=int(pid),
        start=starts[pid],
        name=names[pid].strip().rpartition("/")[2],
        user=user,
        parent=int(parent),
        command="".join(command).strip()[:COMMAND_LIMIT],
    )


def _address(local: str) -> str:
    """`0100007F:1F90` → `127.0.0.1:8080`: words of 32 bits in the machine's byte order."""
    address, _, port = local.partition(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    packed = b"".join(words)
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"


EXAMPLE = """
name: End whatever holds the service's port
port_kill: {port: 8080, grace: 5s}
"""
