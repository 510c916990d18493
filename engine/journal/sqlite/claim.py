"""A run's claim: a small file beside the journal, locked while a process writes the run.

The system drops the lock however the process ends. The file also keeps the chain's head outside
the database: SQLite passes over damage to its write-ahead log without a word, and what stood
behind it would be gone unnoticed.
"""

from __future__ import annotations

import os
import sys
import time
from typing import IO, TYPE_CHECKING

import msgspec

from engine.errors import GuardRefused, JournalError
from engine.journal.chain import Head
from engine.journal.store import Kept

if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 10
_PAUSE = 0.05
"""Seconds between tries: a process that only asks who is alive holds the lock for a moment."""

_FAR = 1 << 30
"""The byte that is locked on Windows, where a locked byte cannot be read."""


class Line(Kept, frozen=True):
    """What a claim says; `pid` is that of the process that wrote it last."""

    pid: int = 0

    def encoded(self) -> bytes:
        """The file's content: always as long, so that one write replaces it whole."""
        durable = self.durable
        return f"{self.pid:>10} {durable.count:>12} {durable.hash.hex()} {self.last:>12}\n".encode()


class Claim:
    """The right to write a run, while it is open."""

    def __init__(self, path: Path, run: str) -> None:
        """Take it.

        Raises:
            GuardRefused: a living process has it.
            JournalError: the file cannot be made or read.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            self._file: IO[bytes] = path.open("r+b", buffering=0)
        except OSError as error:
            raise _broken(path, error) from error
        try:
            self._take(run)
            self._kept = msgspec.structs.replace(kept(path) or Line(), pid=os.getpid())
            self._write()
        except BaseException:
            self._file.close()
            raise

    def note(self, head: Head, *, durable: bool) -> None:
        """Keep the new head.

        Raises:
            JournalError: it cannot be written.
        """
        safe = head if durable else self._kept.durable
        self._kept = msgspec.structs.replace(self._kept, durable=safe, last=head.count)
        self._write()

    def close(self) -> None:
        """Give it back; safe to call twice."""
        self._file.close()

    def _take(self, run: str) -> None:
        for _ in range(_TRIES):
            if _lock(self._file):
                return
            time.sleep(_PAUSE)
        holder = kept(self.path)
        who = f"process {holder.pid}" if holder else "another process"
        raise GuardRefused(f"run {run} is not over: {who} is executing it", guard="lock")

    def _write(self) -> None:
        try:
            self._file.seek(0)
            self._file.write(self._kept.encoded())
        except OSError as error:
            raise _broken(self.path, error) from error


def kept(path: Path) -> Line | None:
    """What a run's claim says; None where there is none, or nothing in it yet.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        content = _steady(path).strip(b"\0")
        if not content:
            return None
        pid, count, digest, last = content.decode("ascii").split()
        found = Line(Head(int(count), bytes.fromhex(digest)), int(last), int(pid))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error
    if found.encoded() != content:
        raise JournalError(f"{path} is damaged")
    return found


def _steady(path: Path) -> bytes:
    # Whoever writes the run may be in the middle of its line.
    content = path.read_bytes()
    while (again := path.read_bytes()) != content:
        content = again
    return content


def held(path: Path) -> bool:
    """Whether a living process has the claim."""
    try:
        with path.open("r+b", buffering=0) as file:
            return not _lock(file, shared=True)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: OSError | ValueError) -> JournalError:
    if isinstance(error, OSError):
        return JournalError(f"{path}: {error.strerror}")
    return JournalError(f"{path} is damaged")


def _lock(file: IO[bytes], *, shared: bool = False) -> bool:
    # Held until the file is closed. Both belong to the open file and not to the process, so a
    # second look from within the same process does not let go of it.
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
