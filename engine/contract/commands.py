"""What the modules that run a free command share: how it is run, and how it ended."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field

from engine.connections.base import Argv, Finished, Script
from engine.contract.module import Action, to_plain
from engine.errors import ModuleFailed
from engine.units import cut

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.contract.change import Change
    from engine.contract.target import Target

SUMMARY_WIDTH = 100
"""Characters of a command's output that a one-line summary shows."""

_PRESENCE = """IFS=
for pattern in "$1" "$2"; do
  found=no
  for path in $pattern; do
    if [ -e "$path" ] || [ -L "$path" ]; then found=yes; fi
  done
  echo "$found"
done
"""
_PRESENCE_WINDOWS = """
set found=no
if exist "!1!" set found=yes
echo !found!
set found=no
if exist "!2!" set found=yes
echo !found!
"""
# With an empty IFS an unquoted expansion is matched against file names and is otherwise inert.


class Ran(Struct, frozen=True, kw_only=True):
    """How a command ended.

    Args:
        rc: its exit status; negative: the number of the signal that ended it.
        stdout: what it wrote, bounded by the connection, without the newlines at its end.
        stderr: likewise.
        seconds: how long it took.
    """

    rc: int
    stdout: str
    stderr: str
    seconds: float

    @classmethod
    def of(cls, finished: Finished) -> Ran:
        """The same as a task's result."""
        return cls(
            rc=finished.status,
            stdout=finished.stdout.text.rstrip("\r\n"),
            stderr=finished.stderr.text.rstrip("\r\n"),
            seconds=round(finished.seconds, 6),
        )

    def problem(self, ok_codes: Collection[int]) -> str | None:
        """Why this is not a success, with the last line of what it said; None if it is one."""
        if self.rc in ok_codes:
            return None
        how = f"exit status {self.rc}" if self.rc >= 0 else f"ended by {_signal_name(-self.rc)}"
        said = (self.stderr or self.stdout).rsplit("\n", 1)[-1].strip()
        return f"{how}: {cut(said, SUMMARY_WIDTH)}" if said else how

    @property
    def summary(self) -> str:
        """The first line of its output, and how many follow."""
        lines = self.stdout.splitlines()
        if not lines:
            return f"exit status {self.rc}, no output"
        rest = f" (+{len(lines) - 1} lines)" if len(lines) > 1 else ""
        return cut(lines[0], SUMMARY_WIDTH) + rest


class Presence(Struct, frozen=True, kw_only=True):
    """Whether the paths of `creates` and `removes` exist; None for one that was not given."""

    creates: bool | None
    removes: bool | None

    @property
    def done(self) -> bool:
        """Whether there is nothing left for the command to do."""
        return self.creates is True or self.removes is False


class FreeCommand(Action[Ran | Presence], frozen=True, kw_only=True):
    """Base of modules that run what the playbook's author wrote.

    What it changes is not known to quell, so it is an action unless `probe: true` says that it
    only reads. A module adds what to run, and how to say so.
    """

    observable: ClassVar[bool] = False

    chdir: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    stdin: str = ""
    creates: str | None = None
    removes: str | None = None
    ok_codes: tuple[int, ...] = (0,)
    probe: bool = False

    def to_run(self, target: Target) -> Argv | Script:
        """What is to be run there, with `env` and `chdir`."""
        raise NotImplementedError

    def change(self) -> Change:
        """What running it means, for people and the journal."""
        raise NotImplementedError

    def observe(self, target: Target) -> Ran | Presence:
        """A probe runs it; an action only looks at `creates` and `removes`."""
        if self.probe:
            return self._run(target)
        return _presence(target, creates=self.creates, removes=self.removes, cwd=self.chdir)

    def decide(self, seen: Ran | Presence) -> Change | None:
        """Run it, unless `creates` or `removes` say that it is done."""
        done = isinstance(seen, Presence) and seen.done
        return None if done else self.change()

    def apply(self, target: Target, change: Change) -> Ran:
        """Run it once."""
        ran = self._run(target)
        problem = ran.problem(self.ok_codes)
        if problem:
            raise ModuleFailed(problem, to_plain(ran))
        return ran

    def finding(self, seen: Ran | Presence) -> str | None:
        """An exit status that is not in `ok_codes`."""
        return seen.problem(self.ok_codes) if isinstance(seen, Ran) else None

    def summary(self, seen: Ran | Presence) -> str:
        """The first line of its output."""
        return seen.summary if isinstance(seen, Ran) else ""

    def _run(self, target: Target) -> Ran:
        return Ran.of(target.run(self.to_run(target), stdin=self.stdin.encode()))


def _presence(
    target: Target, *, creates: str | None, removes: str | None, cwd: str | None
) -> Presence:
    """Look whether the paths exist; patterns such as `*.pid` are the host's shell's.

    Args:
        target: the host.
        creates: a path, relative to `cwd`.
        removes: likewise.
        cwd: a directory on the host; None for the account's home.

    Raises:
        ModuleFailed: it could not be seen.
    """
    if creates is None and removes is None:
        return Presence(creates=None, removes=None)
    args = (creates or "", removes or "")
    if target.platform.family == "windows":
        script = Script(_PRESENCE_WINDOWS, args=args, cwd=cwd, executable="cmd")
    else:
        script = Script(_PRESENCE, args=args, cwd=cwd)
    finished = target.run(script)
    answers = finished.stdout.text.split()
    if finished.status or len(answers) != 2:
        raise ModuleFailed(f"cannot look for creates or removes: {finished.stderr.text.strip()}")
    return Presence(
        creates=None if creates is None else answers[0] == "yes",
        removes=None if removes is None else answers[1] == "yes",
    )


def windows_words(line: str) -> tuple[str, ...]:
    """The words of a command line, as a program on Windows takes them.

    **Source:** `CommandLineToArgvW`: backslashes are special before a quote only.
    """
    words: list[str] = []
    word: str | None = None
    quoted = False
    for slashes, mark in re.findall(r"(\\*)([^\\]|\Z)", line):
        if mark in {"", " ", "\t", "\r", "\n"} and not quoted:
            if word is not None or slashes:
                words.append((word or "") + slashes)
            word = None
        elif mark == '"':
            word = (word or "") + slashes[: len(slashes) // 2]
            if len(slashes) % 2:
                word += '"'
            else:
                quoted = not quoted
        else:
            word = (word or "") + slashes + mark
    return (*words, word) if word is not None else tuple(words)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
