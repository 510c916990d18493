"""`log_search`: look through log files on the host."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from engine.contract import (
    Bytes,
    Meta,
    ModuleFailed,
    Moment,
    Pattern,
    Probe,
    Struct,
    Target,
    amount,
    contains,
    count,
    size,
    when,
)
from engine.contract.logfiles import LogFile, find_logs, read_end
from engine.contract.tally import Hits, Kind, Tally, in_short, quoted
from engine.contract.timestamps import Timestamps

TAIL = 1000
"""Lines of each file that are looked through where nothing says how far back."""
LARGEST = 64 * 2**20
"""Bytes of one file that may be asked for."""

Path = Annotated[str, Meta(min_length=1)]


class Line(Struct, frozen=True, kw_only=True):
    """A line that matches.

    Args:
        time: when it was written, RFC 3339 in UTC, or the line before it that tells; None if none
            does.
        file: that it is in.
        text: the line, the first 1000 characters.
    """

    time: str | None
    file: str
    text: str


class Searched(Struct, frozen=True, kw_only=True):
    """A file that was looked through.

    Args:
        path: its name.
        lines: how many of its lines were looked through.
        complete: whether all that was asked for was read; there is more before it otherwise.
    """

    path: str
    lines: int
    complete: bool


class Logs(Struct, frozen=True, kw_only=True):
    """What is in the logs.

    Args:
        files: that were looked through, the least recently written first.
        looked: lines that were looked through.
        matches: how many of them match, each counted once; all where there is no pattern.
        first: when the first of those was written; None where none tells.
        last: when the last was.
        counts: the matches of each named pattern.
        commonest: the five commonest kinds of those lines.
        lines: the last of them, as many as `keep` says.
    """

    files: list[Searched]
    looked: int
    matches: int
    first: str | None
    last: str | None
    counts: dict[str, Hits]
    commonest: list[Kind]
    lines: list[Line]


class LogSearch(Probe[Logs], frozen=True, kw_only=True):
    """Look through the ends of log files on the host for a pattern, and count what matches.

    The ends are read through the link and searched here, so a pattern is never part of a
    command. Without `expect` a finding is a line that matches; without a pattern nothing is, and
    the last lines are shown. How far back is looked is for `tail` and `since` to say; if neither
    does, it is the last 1000 lines of each file. What ends in `.gz` is unpacked.

    Args:
        path: the file, or a pattern for several such as `/var/log/app/*.log`, or a list of these;
            50 files at most.
        pattern: an RE2 pattern, or several, each with a name of its own to be counted by.
        exclude: an RE2 pattern; lines that match it count for nothing.
        tail: only so many lines of each file, the last ones.
        since: only what was written after that: a length of time before now by the host's clock,
            or a time; one without an offset is UTC. A line that does not tell its time is as old
            as the one before it.
        until: only what was written before that.
        max_bytes: so much of each file is read, from its end.
        keep: how many of the lines that match are in the result, the last ones.

    **Source:** tail(1); RFC 3339, RFC 3164 and the logs of Apache, nginx, Go and klog for times.
    """

    primary: ClassVar[str] = "path"

    path: Path | list[Path]
    pattern: Pattern | dict[str, Pattern] | None = None
    exclude: Pattern | None = None
    tail: Annotated[int, Meta(ge=1)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    max_bytes: Bytes = "4m"
    keep: Annotated[int, Meta(ge=0, le=1000)] = 20

    def __post_init__(self) -> None:
        """Refuse a pattern that RE2 cannot read, a time that is none, and no or too much to read.

        Raises:
            ValueError: an argument is not what it should be.
        """
        if not self.path:
            raise ValueError("path is empty")
        for pattern in (*self._patterns().values(), self.exclude or ""):
            contains("", pattern)
        for given in (self.since, self.until):
            if given is not None:
                when(given, now=0.0)
        if not 0 < size(self.max_bytes) <= LARGEST:
            raise ValueError(f"max_bytes must be more than nothing, and {amount(LARGEST)} at most")

    def observe(self, target: Target) -> Logs:
        """Find the files, and read one after the other."""
        patterns = (self.path,) if isinstance(self.path, str) else tuple(self.path)
        found = find_logs(target, patterns)
        between = self._between(found.now)
        tally: Tally[Line] = Tally(self._patterns(), self.exclude, self.keep)
        clock = Timestamps(found.now, found.offset)
        searched = [self._look(target, file, clock, between, tally) for file in found.files]
        return Logs(
            files=searched,
            looked=tally.looked,
            matches=tally.all.count,
            first=tally.all.first,
            last=tally.all.last,
            counts=tally.counts,
            commonest=tally.commonest,
            lines=tally.lines,
        )

    def finding(self, seen: Logs) -> str | None:
        """That there are lines that match."""
        if self.pattern is None or not seen.matches:
            return None
        match = "matches" if seen.matches == 1 else "match"
        last = f", last at {seen.last}" if seen.last else ""
        return f"{count(seen.matches, 'line')} {match}{last}"

    def summary(self, seen: Logs) -> str:
        """`14 of 500 lines: "fatal error: out of memory" × 9 …`, or by the patterns' names."""
        looked = count(seen.looked, "line")
        if len(seen.files) > 1:
            looked += f" in {len(seen.files)} files"
        if self.pattern is None:
            told = f"{looked}: {quoted(seen.lines[-1].text)}" if seen.lines else looked
        elif not seen.matches:
            told = f"none of {looked}"
        else:
            told = f"{seen.matches} of {looked}: "
            told += in_short(seen.matches, seen.counts, seen.commonest)
        cut = [file.path for file in seen.files if not file.complete]
        if not cut:
            return told
        more = f" and {count(len(cut) - 1, 'other')}" if len(cut) > 1 else ""
        return f"{told} · only the last {amount(size(self.max_bytes))} of {cut[0]}{more}"

    def _patterns(self) -> dict[str, str]:
        if self.pattern is None:
            return {}
        return self.pattern if isinstance(self.pattern, dict) else {"": self.pattern}

    def _between(self, now: float) -> tuple[float, float] | None:
        """From when to when is looked; None where neither is said."""
        if self.since is None and self.until is None:
            return None
        since = when(self.since, now) if self.since is not None else -math.inf
        until = when(self.until, now) if self.until is not None else math.inf
        if since >= until:
            raise ModuleFailed(f"until ({self.until}) is not after since ({self.since})")
        return since, until

    def _look(
        self,
        target: Target,
        file: LogFile,
        clock: Timestamps,
        between: tuple[float, float] | None,
        tally: Tally[Line],
    ) -> Searched:
        """Look through one file."""
        if between is not None and 0 < file.changed + 1 < between[0]:  # it is told in seconds
            return Searched(path=file.name, lines=0, complete=True)
        text, whole = read_end(target, file, size(self.max_bytes))
        lines = text.removesuffix("\n").split("\n") if text else []
        most = self.tail or (TAIL if between is None else len(lines))
        enough = len(lines) >= most and (between is None or self.tail is not None)
        times = _times(lines[-most:] if most else [], clock)
        if between is not None:
            earliest = next((at for at, _ in times if at is not None), None)
            if lines and earliest is None:
                raise ModuleFailed(
                    f"{file.name}: no line tells when it was written, so since and until mean "
                    "nothing here; say how far back by tail"
                )
            enough = enough or (earliest is not None and earliest <= between[0])
            times = [each for each in times if _is_between(each[0], between)]
        for at, line in times:
            tally.add(Line(time=_shown(at), file=file.name, text=line))
        return Searched(path=file.name, lines=len(times), complete=whole or enough)


def _times(lines: list[str], clock: Timestamps) -> list[tuple[float | None, str]]:
    """Each line with its time, or that of the one before it."""
    timed = []
    last: float | None = None
    for line in lines:
        at = clock.of(line)
        last = last if at is None else at
        timed.append((last, line.rstrip("\r")))
    return timed


def _is_between(at: float | None, between: tuple[float, float]) -> bool:
    return at is not None and between[0] <= at < between[1]


def _shown(at: float | None) -> str | None:
    if at is None:
        return None
    moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='milliseconds')}Z"


EXAMPLE = """
name: Errors of the proxy
log_search:
  path: /var/log/nginx/error.log
  since: 15m
  pattern: {upstream: "upstream timed out|no live upstreams", crash: "(?i)panic|fatal"}
register: errors
"""
