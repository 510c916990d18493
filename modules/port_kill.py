"""`port_kill`: end what listens on a TCP port."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

from engine.contract import (
    Action,
    Change,
    Duration,
    GuardRefused,
    Identity,
    ModuleFailed,
    Port,
    Script,
    Struct,
    Target,
    seconds,
    to_plain,
)
from engine.contract.listeners import listeners, start_of, why_hidden
from engine.contract.port_holders import PUBLISHERS, Listeners, PortHolder
from engine.contract.windows_ports import end_windows_processes

PROTECTED = frozenset(
    {
        *("sshd", "sshd-session", "sshd-auth", "dropbear", "systemd", "init", "launchd"),
        *("sshd.exe", "sshd-session.exe", "sshd-auth.exe", "services.exe", "lsass.exe"),
        *("wininit.exe", "winlogon.exe", "csrss.exe", "smss.exe", "registry"),
    }
)
AFTER_KILL = 5.0
"""Seconds that the kernel gets to end a process after KILL."""

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
        seen = listeners(target, self.port)
        if seen.hidden:
            raise ModuleFailed(why_hidden(target, self.port, seen), to_plain(seen))
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
            on=tuple(self._identity(process) for process in seen.processes),
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
        pairs = [(str(each.key["pid"]), str(each.key["start"])) for each in change.on]
        waits = (str(round(grace * 10)), str(round(AFTER_KILL * 10)))
        finished = target.run(
            Script(start_of(target.platform) + _KILL, args=(*waits, *chain.from_iterable(pairs)))
        )
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
        processes = listeners(target, self.port).processes
        left = [each for each in processes if self._identity(each) in change.on]
        names = ", ".join(f"{each.name} (pid {each.pid})" for each in left)
        return f"still listening: {names}" if left else None

    def _identity(self, process: PortHolder) -> Identity:
        """The process's own, and the port, which may be one that a policy protects."""
        own = process.identity
        return Identity(own.kind, own.name, {**own.key, "port": self.port})

    def _guard(self, process: PortHolder, seen: Listeners) -> None:
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


EXAMPLE = """
name: End whatever holds the service's port
port_kill: {port: 8080, grace: 5s}
"""
