"""`docker_logs`: look through a container's log."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from engine.contract import (
    DeadlineExceeded,
    Meta,
    ModuleFailed,
    Moment,
    Pattern,
    Probe,
    Struct,
    Target,
    contains,
    count,
    to_plain,
    when,
)
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    Line,
    docker_engine,
    engine_time,
    find,
    read_log,
)
from engine.contract.tally import Hits, Kind, Tally, in_short, quoted

TAIL = 1000
"""Lines that are looked through where nothing says how far back."""


class Log(Struct, frozen=True, kw_only=True):
    """What is in the log.

    Args:
        container: its name.
        id: all 64 characters.
        looked: lines that were looked through.
        matches: how many of them match, each counted once; all where there is no pattern.
        first: when the first of those was written; None without one.
        last: when the last was.
        counts: the matches of each named pattern.
        commonest: the five commonest kinds of those lines.
        lines: the last of them, as many as `keep` says.
    """

    container: str
    id: str
    looked: int
    matches: int
    first: str | None
    last: str | None
    counts: dict[str, Hits]
    commonest: list[Kind]
    lines: list[Line]


class DockerLogs(Probe[Log], frozen=True, kw_only=True):
    """Look through a container's log for a pattern, and count what matches.

    The log is read as it comes and never held, however long it is. Without `expect` a finding is
    a log in which a line matches; without a pattern nothing is, and the last lines are shown.
    How far back is looked is for `tail` and `since` to say; if neither does, it is the last 1000
    lines.

    Args:
        container: its name, or at least 12 characters of its id.
        pattern: an RE2 pattern, or several, each with a name of its own to be counted by.
        exclude: an RE2 pattern; lines that match it count for nothing.
        tail: only so many lines, the last ones of both streams.
        since: only what was written after that: a length of time before now by the engine's
            clock, or a time; one without an offset is UTC.
        until: only what was written before that.
        stream: only what the container wrote on this one; with a terminal all is `stdout`.
        keep: how many of the lines that match are in the result, the last ones.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `GET /containers/{id}/logs`.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName
    pattern: Pattern | dict[str, Pattern] | None = None
    exclude: Pattern | None = None
    tail: Annotated[int, Meta(ge=1)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    stream: Literal["both", "stdout", "stderr"] = "both"
    keep: Annotated[int, Meta(ge=0, le=1000)] = 20
    socket: str = SOCKET

    def __post_init__(self) -> None:
        """Refuse a pattern that RE2 cannot read, and a time that is none.

        Raises:
            ValueError: an argument is not what it should be.
        """
        for pattern in (*self._patterns().values(), self.exclude or ""):
            contains("", pattern)
        for given in (self.since, self.until):
            if given is not None:
                when(given, now=0.0)

    def observe(self, target: Target) -> Log:
        """Read the log and count.

        Raises:
            ModuleFailed: it cannot be read, or not in the time that there is.
        """
        with docker_engine(target, self.socket) as client:
            raw = find(client, self.container)
            timed = self.since is not None or self.until is not None
            params = self._params(engine_time(client) if timed else 0.0)
            tally: Tally[Line] = Tally(self._patterns(), self.exclude, self.keep)
            try:
                for line in read_log(client, raw, target.deadline, params):
                    tally.add(line)
            except DeadlineExceeded as error:
                read = count(tally.looked, "line")
                raise ModuleFailed(
                    f"{error.message}: {read} read, and there is more; narrow it with tail or "
                    "since, or give the task a longer timeout",
                    to_plain(_log(tally, Container.of(raw))),
                ) from error
            return _log(tally, Container.of(raw))

    def finding(self, seen: Log) -> str | None:
        """That there are lines that match."""
        if self.pattern is None or not seen.matches:
            return None
        match = "matches" if seen.matches == 1 else "match"
        last = f", last at {seen.last[:19]}Z" if seen.last else ""
        return f"{count(seen.matches, 'line')} {match}{last}"

    def summary(self, seen: Log) -> str:
        """`14 of 500 lines: "fatal error: out of memory" × 9 …`, or by the patterns' names."""
        looked = count(seen.looked, "line")
        if self.pattern is None:
            last = seen.lines[-1].text if seen.lines else ""
            return f"{looked}: {quoted(last)}" if last else looked
        if not seen.matches:
            return f"none of {looked}"
        said = in_short(seen.matches, seen.counts, seen.commonest)
        return f"{seen.matches} of {looked}: {said}"

    def _patterns(self) -> dict[str, str]:
        if self.pattern is None:
            return {}
        return self.pattern if isinstance(self.pattern, dict) else {"": self.pattern}

    def _params(self, now: float) -> dict[str, str | int]:
        params: dict[str, str | int] = {
            "stdout": int(self.stream != "stderr"),
            "stderr": int(self.stream != "stdout"),
        }
        if self.tail is not None:
            params["tail"] = self.tail
        elif self.since is None and self.until is None:
            params["tail"] = TAIL
        given = {"since": self.since, "until": self.until}
        at = {name: when(time, now) for name, time in given.items() if time is not None}
        if len(at) == 2 and at["since"] >= at["until"]:
            raise ModuleFailed(f"until ({self.until}) is not after since ({self.since})")
        return params | {name: f"{time:.6f}" for name, time in at.items()}


def _log(tally: Tally[Line], container: Container) -> Log:
    return Log(
        container=container.name,
        id=container.id,
        looked=tally.looked,
        matches=tally.all.count,
        first=tally.all.first,
        last=tally.all.last,
        counts=tally.counts,
        commonest=tally.commonest,
        lines=tally.lines,
    )


EXAMPLE = """
name: Errors in the log
docker_logs:
  container: backend
  since: 15m
  pattern: {crash: "(?i)panic|fatal", database: "(?i)connection (refused|reset)"}
register: log
"""
