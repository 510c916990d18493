"""The command as its users run it: a process of its own, in a home of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect

from engine.events import Intent, RunEnded, TaskEnded
from engine.journal import open_journal

if TYPE_CHECKING:
    from engine.events import Event
    from tests.lab.lab import Host

PROGRAM = str(Path(sys.executable).with_name("quell"))
ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LOCAL = ROOT / "inventory" / "local.yml"


@dataclass(frozen=True)
class Ended:
    """How the command ended, and all it said."""

    code: int
    stdout: str
    stderr: str


class Quell:
    """Runs the command.

    Args:
        home: an empty directory; it is the command's HOME too.
        journal: the URL of the journal that it shares with others; below `home` unless said.
    """

    def __init__(self, home: Path, journal: str | None = None) -> None:
        self.home = home
        self._shared = journal
        self.journal = home / "state" / "quell" / "journal.db"
        self._children: list[subprocess.Popen[str] | pexpect.spawn[str]] = []

    def __call__(
        self,
        *arguments: str | Path,
        inside: Host | None = None,
        stdin: str = "",
        timeout: float = 60,
        **variables: str,
    ) -> Ended:
        """Run it to its end.

        Args:
            arguments: after the program's name.
            inside: the host to run it in; here unless given.
            stdin: given to it; it has no terminal.
            timeout: seconds.
            variables: of its environment, beside the few that it always has.
        """
        argv = [PROGRAM, *map(str, arguments)]
        env = self.environment(**variables)
        if inside is not None:
            argv = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), *argv]
            done = inside.exec(argv, stdin=stdin, timeout=timeout)
        else:
            done = subprocess.run(
                argv, env=env, input=stdin, capture_output=True, text=True, timeout=timeout,
                check=False,
            )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        """Run it, in a session of its own and without a terminal; the fixture ends it."""
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._children.append(process)
        return process

    def at_terminal(
        self, *arguments: str | Path, columns: int = 160, **variables: str
    ) -> pexpect.spawn[str]:
        """Run it on a terminal of its own; the fixture ends it."""
        child = pexpect.spawn(
            PROGRAM,
            [str(argument) for argument in arguments],
            env=self.environment(**{"TERM": "xterm-256color", **variables}),
            encoding="utf-8",
            dimensions=(50, columns),
            timeout=30,
        )
        self._children.append(child)
        return child

    def environment(self, **variables: str) -> dict[str, str]:
        """What it has of variables: nobody's agent, no settings of ours."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            **({"QUELL_JOURNAL": self._shared} if self._shared else {}),
            **variables,
        }

    def events(self, run: str = "last") -> list[Event]:
        """What the journal has of a run; nothing while there is none."""
        if not self._shared and not self.journal.exists():
            return []
        with open_journal(self._shared or str(self.journal)) as journal:
            return journal.events(journal.find(run)) if journal.runs(1) else []

    def run_id(self) -> str:
        """The id of the last run."""
        with open_journal(self._shared or str(self.journal)) as journal:
            return journal.find("last")

    def ended(self) -> RunEnded:
        """The last word of the last run."""
        last = self.events()[-1]
        assert isinstance(last, RunEnded)
        return last

    def close(self) -> None:
        """End what a test has left running."""
        for child in self._children:
            if isinstance(child, subprocess.Popen):
                child.kill()
                child.communicate()
            else:
                child.close(force=True)


def finish(child: pexpect.spawn[str]) -> tuple[int, str]:
    """Wait for its end: the exit code, and the text since the last match, without its colours."""
    child.expect(pexpect.EOF)
    rest = child.before
    child.close()
    assert isinstance(rest, str)
    assert child.exitstatus is not None, f"ended by signal {child.signalstatus}: {rest}"
    return child.exitstatus, _ESCAPES.sub("", rest)


def results(events: list[Event], task: str) -> list[TaskEnded]:
    """How a task of that name ended, each time; not the second look for the severity."""
    ended = [event for event in events if isinstance(event, TaskEnded)]
    return [event for event in ended if event.name == task and event.phase != "severity"]


def intents(events: list[Event]) -> list[Intent]:
    """What was about to be sent."""
    return [event for event in events if isinstance(event, Intent)]
