"""Who listens on a TCP port of a host: what the modules about ports share."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from engine.connections.base import Script
from engine.contract.clients import docker_client
from engine.contract.hearing import understood
from engine.contract.masking import masked
from engine.contract.port_holders import COMMAND_LIMIT, PUBLISHERS, Listeners, PortHolder
from engine.contract.windows_ports import windows_listeners
from engine.errors import DialRefused, ModuleFailed

if TYPE_CHECKING:
    from engine.connections.base import Platform
    from engine.contract.target import Target

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


def start_of(platform: Platform) -> str:
    """A function for `sh`: `start_of PID` puts into `start` when that process began.

    It puts nothing there once the process has ended.
    """
    return _START_LINUX if platform.family == "linux" else _START_ELSEWHERE


def listeners(target: Target, port: int) -> Listeners:
    """Who listens on a port, on any of the host's addresses.

    Raises:
        ModuleFailed: it cannot be seen.
    """
    windows = target.platform.family == "windows"
    seen = windows_listeners(target, port) if windows else _unix_listeners(target, port)
    if any(process.name in PUBLISHERS for process in seen.processes):
        return msgspec.structs.replace(seen, container=_published(target, port))
    return seen


def _unix_listeners(target: Target, port: int) -> Listeners:
    linux = target.platform.family == "linux"
    text = _LOOK_LINUX if linux else _START_ELSEWHERE + _LOOK_ELSEWHERE
    finished = target.run(Script(text, args=(str(port), f"{port:04X}")))
    if finished.status:
        raise ModuleFailed(f"cannot look for listeners: {finished.stderr.text.strip()}")
    with understood():
        return parse(finished.stdout.text)


def why_hidden(target: Target, port: int, seen: Listeners) -> str:
    """Whose processes hold the port that cannot be seen, and what would help."""
    owners = sorted({"unknown" if uid < 0 else str(uid) for uid in seen.hidden})
    held = f"port {port} is held by a process of uid {' and '.join(owners)}"
    if target.platform.uid == 0:
        return f"{held} that is not visible here: in another container, or in the kernel"
    return f"{held} that {target.platform.user} may not look at: needs root (become)"


def _published(target: Target, port: int) -> str:
    """Names of the containers that Docker publishes on the port; empty if it does not say."""
    import docker.errors
    import requests

    try:
        with closing(docker_client(target)) as client:
            found = client.api.containers(filters={"publish": str(port)})
    except (DialRefused, ModuleFailed, docker.errors.DockerException, requests.RequestException):
        return ""
    return ", ".join(sorted(each["Names"][0].lstrip("/") for each in found))


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


def _process_of_stat(row: str, users: dict[str, str], commands: dict[str, str]) -> PortHolder:
    # The name may hold spaces and brackets: what counts comes after the last one.
    head, _, tail = row.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()
    return PortHolder(
        pid=int(pid),
        start=fields[19],
        name=name,
        user=users.get(pid, ""),
        parent=int(fields[1]),
        command=masked(commands.get(pid, "").strip(), COMMAND_LIMIT),
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


def _process_of_ps(row: str, starts: dict[str, str], names: dict[str, str]) -> PortHolder:
    pid, parent, user, *command = row.split(maxsplit=3)
    return PortHolder(
        pid=int(pid),
        start=starts[pid],
        name=names[pid].strip().rpartition("/")[2],
        user=user,
        parent=int(parent),
        command=masked("".join(command).strip(), COMMAND_LIMIT),
    )


def _address(local: str) -> str:
    """`0100007F:1F90` → `127.0.0.1:8080`: words of 32 bits in the machine's byte order."""
    address, _, port = local.partition(":")
    words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
    packed = b"".join(words)
    if len(packed) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"
