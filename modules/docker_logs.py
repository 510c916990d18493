"""`docker_logs`: look through a container's log."""

from __future__ import annotations

from collections import deque
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
    matcher,
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

TAIL = 1000
"""Lines that are looked through where nothing says how far back."""
TEXT_LIMIT = 1000
"""Characters shown of one line."""
SUMMARY_WIDTH = 100
KINDS_LIMIT = 1000
"""Kinds of lines that are told apart; what comes after so many is not among the commonest."""
COMMONEST = 5

_DIGITS = str.maketrans(dict.fromkeys("123456789", "0"))


class Hits(Struct, frozen=True, kw_only=True):
    """The lines that match one pattern.

    Args:
        count: how many.
        first: when the first was written; None without one.
        last: when the last was.
    """

    count: int
    first: str | None
    last: str | None


class Kind(Struct, frozen=True, kw_only=True):
    """Lines that differ in their numbers only.

    Args:
        count: how many.
        text: the last of them.
    """

    count: int
    text: str


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
            tally = Tally(self._patterns(), self.exclude, self.keep)
            try:
                for line in read_log(client, raw, target.deadline, params):
                    tally.add(line)
            except DeadlineExceeded as error:
                read = count(tally.looked, "line")
                raise ModuleFailed(
                    f"{error.message}: {read} read, and there is more; narrow it with tail or "
                    "since, or give the task a longer timeout",
                    to_plain(tally.log(Container.of(raw))),
                ) from error
            return tally.log(Container.of(raw))

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
            return f"{looked}: {_quoted(last)}" if last else looked
        if not seen.matches:
            return f"none of {looked}"
        return f"{seen.matches} of {looked}: {_counted(seen)}"

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


class Tally:
    """Counts lines as they go by, and keeps few of them."""

    def __init__(self, patterns: dict[str, str], exclude: str | None, keep: int) -> None:
        """Nothing has gone by yet.

        Args:
            patterns: by name; a line matches that matches one of them, or any if there are none.
            exclude: a line that matches this one does not.
            keep: how many lines.
        """
        self.looked = 0
        self._matchers = {name: matcher(pattern) for name, pattern in patterns.items()}
        self._excluded = None if exclude is None else matcher(exclude)
        self._all = _Span()
        self._each = {name: _Span() for name in patterns}
        self._kinds: dict[str, _Span] = {}
        self._kept: deque[Line] = deque(maxlen=keep)

    def add(self, line: Line) -> None:
        """One more line."""
        self.looked += 1
        if self._excluded is not None and self._excluded(line.text):
            return
        names = [name for name, matches in self._matchers.items() if matches(line.text)]
        if self._matchers and not names:
            return
        for name in names:
            self._each[name].add(line)
        self._all.add(line)
        kind = _kind(line.text[:TEXT_LIMIT])
        if kind in self._kinds or len(self._kinds) < KINDS_LIMIT:
            self._kinds.setdefault(kind, _Span()).add(line)
        self._kept.append(Line(line.time, line.stream, _short(line.text, TEXT_LIMIT)))

    def log(self, container: Container) -> Log:
        """What it came to."""
        common = sorted(self._kinds.values(), key=lambda span: -span.count)[:COMMONEST]
        return Log(
            container=container.name,
            id=container.id,
            looked=self.looked,
            matches=self._all.count,
            first=self._all.first,
            last=self._all.last,
            counts={name: span.hits for name, span in self._each.items() if name},
            commonest=[Kind(count=span.count, text=span.text) for span in common],
            lines=list(self._kept),
        )


class _Span:
    """How many lines, from when to when, and how the last one went."""

    __slots__ = ("count", "first", "last", "text")

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None
        self.last: str | None = None
        self.text = ""

    def add(self, line: Line) -> None:
        self.count += 1
        self.first = self.first or line.time
        self.last = line.time or self.last
        self.text = _short(line.text, TEXT_LIMIT)

    @property
    def hits(self) -> Hits:
        return Hits(count=self.count, first=self.first, last=self.last)


def _kind(text: str) -> str:
    """The same for lines that differ in their numbers only."""
    kind = text.translate(_DIGITS)
    while "00" in kind:
        kind = kind.replace("00", "0")
    return kind


def _counted(seen: Log) -> str:
    if seen.counts:
        hits = sorted(seen.counts.items(), key=lambda each: -each[1].count)
        return ", ".join(f"{name} × {each.count}" for name, each in hits if each.count)
    first = seen.commonest[0]
    times = f" × {first.count}" if first.count > 1 else ""
    more = " …" if first.count < seen.matches else ""
    return f"{_quoted(first.text)}{times}{more}"


def _quoted(text: str) -> str:
    return f'"{_short(text.strip(), SUMMARY_WIDTH)}"'


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


EXAMPLE = """
name: Errors in the log
docker_logs:
  container: backend
  since: 15m
  pattern: {crash: "(?i)panic|fatal", database: "(?i)connection (refused|reset)"}
register: log
"""
