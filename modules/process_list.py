"""`process_list`: which processes run, and what they use."""

from __future__ import annotations

from typing import Annotated, Literal

from engine.contract import (
    Duration,
    Meta,
    Pattern,
    Probe,
    Struct,
    Target,
    amount,
    contains,
    count,
    duration,
    seconds,
)
from engine.contract.masking import masked
from engine.contract.processes import RunningProcess, running

COMMAND_LIMIT = 300
"""Characters of a command line that are shown."""
LINUX_NAME = 15
"""Bytes of a process's name that Linux keeps."""


class Process(Struct, frozen=True, kw_only=True):
    """A process.

    Args:
        pid: its number.
        parent: its parent's.
        name: what the system calls it.
        user: its account; empty where the host does not tell.
        state: as ps tells it: `R`, `S`, `D`, `Z`…; empty on Windows.
        cpu: per cent of one processor, since it was started or in the time of `over`.
        memory: bytes of it that are in memory.
        age: seconds since it was started.
        started: when that was, seconds since 1970 by the host's clock.
        command: its command line, the first 300 characters; passwords are masked.
    """

    pid: int
    parent: int
    name: str
    user: str
    state: str
    cpu: float
    memory: int
    age: float
    started: float
    command: str


class Processes(Struct, frozen=True, kw_only=True):
    """The processes that match.

    Args:
        count: how many they are.
        cpu: per cent of one processor, of all of them.
        memory: bytes, of all of them; what they share is counted for each.
        processes: the first of them, in the order that was asked for.
    """

    count: int
    cpu: float
    memory: int
    processes: list[Process]


class ProcessList(Probe[Processes], frozen=True, kw_only=True):
    """List the host's processes that match, with what they use.

    All that is given must fit. Without `expect` it is a finding when too few or too many match;
    where something is to match, none is too few. Kernel threads, and what looked, are left out.
    Passwords in command lines are masked.

    Args:
        name: the process's name, or that of its program's file.
        pattern: an RE2 pattern for its command line, of which 4096 bytes are seen.
        user: its account. Windows hosts do not tell it.
        min: how many must match at least; 1 unless given, if something is to match.
        max: how many may match at most.
        over: measure the use of the processor for so long, not since each was started.
        sort: what comes first: the most memory, the most processor, or the newest.
        show: how many are told one by one.

    **Source:** proc_pid_stat(5), proc_pid_status(5), ps(1); Windows' Win32_Process.
    """

    name: Annotated[str, Meta(min_length=1)] | None = None
    pattern: Pattern | None = None
    user: Annotated[str, Meta(min_length=1)] | None = None
    min: Annotated[int, Meta(ge=0)] | None = None
    max: Annotated[int, Meta(ge=0)] | None = None
    over: Duration | None = None
    sort: Literal["memory", "cpu", "newest"] = "memory"
    show: Annotated[int, Meta(ge=0, le=200)] = 20

    def __post_init__(self) -> None:
        """Refuse a pattern that RE2 cannot read, and bounds that nothing is between.

        Raises:
            ValueError: the arguments do not go together.
        """
        if self.pattern is not None:
            contains("", self.pattern)
        if self.max is not None and self._least() > self.max:
            raise ValueError(f"min {self._least()} is more than max {self.max}")

    def observe(self, target: Target) -> Processes:
        """List them, twice where their use is to be measured in between."""
        first = running(target)
        matching = [each for each in first if self._fits(each, target)]
        if self.over is None:
            found = [_process(each, each.cpu_time, each.age) for each in matching]
        else:
            target.pause(seconds(self.over))
            found = self._in_between(first, running(target), target)
        found.sort(key=self._order)
        return Processes(
            count=len(found),
            cpu=round(sum(each.cpu for each in found), 1),
            memory=sum(each.memory for each in found),
            processes=found[: self.show],
        )

    def finding(self, seen: Processes) -> str | None:
        """Too few, or too many."""
        if seen.count < self._least():
            return f"{self._counted(seen)}, expected at least {self._least()}"
        if self.max is not None and seen.count > self.max:
            return f"{self._counted(seen)}, expected at most {self.max}"
        return None

    def summary(self, seen: Processes) -> str:
        """`3 processes nginx, 0.4 % CPU, 45 MiB`."""
        if not seen.count:
            return self._counted(seen)
        told = f"{self._counted(seen)}, {seen.cpu:g} % CPU, {amount(seen.memory)}"
        if not seen.processes or self._is_narrow():
            return told
        first = seen.processes[0]
        what = {
            "memory": amount(first.memory),
            "cpu": f"{first.cpu:g} % CPU",
            "newest": f"{duration(first.age)} old",
        }[self.sort]
        return f"{told} · {first.name} (pid {first.pid}) {what}"

    def _is_narrow(self) -> bool:
        return any(each is not None for each in (self.name, self.pattern, self.user))

    def _least(self) -> int:
        return self.min if self.min is not None else int(self._is_narrow() and self.max != 0)

    def _counted(self, seen: Processes) -> str:
        words = [self.name, self.pattern and repr(self.pattern), self.user and f"of {self.user}"]
        number = count(seen.count, "process") if seen.count else "no process"
        return " ".join([number, *(word for word in words if word)])

    def _fits(self, process: RunningProcess, target: Target) -> bool:
        return (
            (self.name is None or _is_called(process, self.name, target.platform.family))
            and (self.pattern is None or contains(process.command, self.pattern))
            and (self.user is None or process.user == self.user)
        )

    def _in_between(
        self, first: list[RunningProcess], second: list[RunningProcess], target: Target
    ) -> list[Process]:
        before = {each.pid: each for each in first}
        found = []
        for each in second:
            if not self._fits(each, target):
                continue
            earlier = before.get(each.pid)
            if earlier is None or each.age < earlier.age:  # it is a new one
                found.append(_process(each, each.cpu_time, each.age))
            else:
                used = each.cpu_time - earlier.cpu_time
                found.append(_process(each, used, each.age - earlier.age))
        return found

    def _order(self, process: Process) -> tuple[float, int]:
        first = {"memory": -process.memory, "cpu": -process.cpu, "newest": process.age}
        return first[self.sort], process.pid


def _process(seen: RunningProcess, used: float, within: float) -> Process:
    return Process(
        pid=seen.pid,
        parent=seen.parent,
        name=seen.name,
        user=seen.user,
        state=seen.state,
        cpu=round(100 * used / within, 1) if within > 0 else 0.0,
        memory=seen.memory,
        age=seen.age,
        started=seen.started,
        command=masked(seen.command, COMMAND_LIMIT),
    )


def _is_called(process: RunningProcess, name: str, family: str) -> bool:
    """Whether that is its name, or its program file's."""
    file = process.command.partition(" ")[0].rpartition("/")[2]
    if family == "windows":
        wanted = name.lower().removesuffix(".exe")
        return process.name.lower().removesuffix(".exe") == wanted
    cut = len(name.encode()) > LINUX_NAME and name.encode().startswith(process.name.encode())
    return name in {process.name, file} or (cut and name in process.command)


EXAMPLE = """
name: The workers run
process_list: {pattern: "celery.* worker", user: app, min: 4}
register: workers
"""
