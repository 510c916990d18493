"""A run that is ended by kill -9, at one of its events or at any time, in a process of its own."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.cli import session  # noqa: F401  # so that the processes need not import it
from engine.cli.main import main
from engine.events import PROGRESS
from engine.journal.sqlite.recorder import SqliteRecorder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess as Process

    from engine.events import Event

MODULES = Path(__file__).with_name("modules")
When = Literal["before", "after"]
_MARK = "QUELL_CUT"
"""In the environment of what a controller starts, to find it by."""

_BOOK = """\
name: Cut
hosts: all
vars: {lines: LINES}
investigate:
  - {name: Look, shell: {probe: true, script: "echo 7"}, register: looked}
  - {name: Keep, set: {found: "{{ looked.stdout | int }}"}}
severity:
  - {level: P3, when: found == 7, because: it is seven}
mitigate:
  - name: First
    add_line: {path: "{{ lines }}", line: "first {{ inventory_hostname }} {{ found }}"}
    verify:
      - name: It is there
        shell: {probe: true, script: 'grep -q first "$1"', args: ["{{ lines }}"]}
  - name: Each
    loop: [a, b]
    add_line: {path: "{{ lines }}", line: "{{ item }} {{ inventory_hostname }}"}
resolve:
  - name: Over
    shell:
      probe: true
      script: 'grep -q "b $2" "$1"'
      args: ["{{ lines }}", "{{ inventory_hostname }}"]
always:
  - {name: Last, shell: {probe: true, script: "true"}}
"""
_BLIND = """\
name: Cut blind
hosts: all
mitigate:
  - name: Each
    loop: [a, b, c]
    shell: {script: 'echo "$1" >>"$2"', args: ["{{ item }} {{ inventory_hostname }}", "LINES"]}
"""
_CAREFUL = """\
name: Cut with care
hosts: all
vars: {lines: LINES}
serial: [1, 2]
max_fail: 2
mitigate:
  - {name: Once, run_once: true, add_line: {path: "{{ lines }}", line: "once NAME"}}
  - name: Keep
    add_line: {path: "{{ lines }}", line: "keep NAME"}
    notify: told
    rollback: [{name: Give up, add_line: {path: "{{ lines }}", line: "give-up NAME"}}]
  - name: Careful
    block:
      - name: Begin
        loop: [one, two]
        add_line: {path: "{{ lines }}", line: "begin-{{ item }} NAME"}
        rollback: [{name: Undo, add_line: {path: "{{ lines }}", line: "undo-{{ item }} NAME"}}]
      - name: Bad
        add_line: {path: "{{ lines }}", line: "bad NAME"}
        verify: [{assert: {that: inventory_hostname != "h2"}, within: 10ms}]
      - {name: More, add_line: {path: "{{ lines }}", line: "more NAME"}}
    rescue:
      - {name: Mend, add_line: {path: "{{ lines }}", line: "mend NAME"}}
    always:
      - {name: Clean, add_line: {path: "{{ lines }}", line: "clean NAME"}}
  - name: Worse
    add_line: {path: "{{ lines }}", line: "worse NAME"}
    verify: [{assert: {that: inventory_hostname != "h3"}, within: 10ms}]
  - {name: Good, add_line: {path: "{{ lines }}", line: "good NAME"}}
handlers:
  - {name: told, add_line: {path: "{{ lines }}", line: "told NAME"}}
""".replace("NAME", "{{ inventory_hostname }}")
_EVERY = ("begin-one", "begin-two", "bad", "keep", "clean", "worse")


@dataclass(frozen=True)
class Book:
    """A playbook whose actions leave lines in a file, each once.

    Args:
        text: of it.
        hosts: of its inventory.
        lines: what the file holds once the run is over.
        code: the run's exit code.
    """

    text: str
    hosts: tuple[str, ...]
    lines: frozenset[str]
    code: int = 0


def _lines(**said: Sequence[str]) -> frozenset[str]:
    return frozenset(f"{what} {host}" for host, each in said.items() for what in each)


PLAIN = Book(
    _BOOK, ("h1", "h2"), frozenset({"first h1 7", "first h2 7"}) | _lines(h1="ab", h2="ab")
)
BLIND = Book(_BLIND, ("h1", "h2"), _lines(h1="abc", h2="abc"))
"""Nothing can tell afterwards whether an action was done."""
CAREFUL = Book(
    _CAREFUL,
    ("h1", "h2", "h3"),
    _lines(
        h1=[*_EVERY, "once", "more", "good", "told"],
        h2=[*_EVERY, "once", "undo-one", "undo-two", "mend", "good", "told"],
        h3=[*_EVERY, "more", "undo-one", "undo-two", "give-up"],
    ),
    code=2,
)
"""One host fails and is rescued, another one fails and is taken back."""


class Cut:
    """A playbook in a directory, and its journal.

    Args:
        directory: an empty one.
        journal: the URL of its journal; a file there unless said.
        book: the playbook.
    """

    def __init__(self, directory: Path, journal: str | None = None, book: Book = PLAIN) -> None:
        self.journal = journal or str(directory / "journal.db")
        self.lines = directory / "lines"
        self.lines.touch()
        self._said = directory / "said"
        self.book, self.inventory = directory / "book.yml", directory / "inventory.yml"
        self.book.write_text(book.text.replace("LINES", str(self.lines)))
        hosts = ", ".join(f"{host}: " for host in book.hosts)
        self.inventory.write_text(
            f"all: {{vars: {{ansible_connection: local}}, hosts: {{{hosts}}}}}\n"
        )
        # What is killed again and again does not help; and many runs share a journal.
        policy = directory / "policy.yml"
        policy.write_text("breaker: {after: 1000000}\n")
        self._run = ["run", str(self.book), "-i", str(self.inventory), "-M", str(MODULES)]
        self._run += ["--policy", str(policy)]

    def warm_up(self) -> None:
        """Have the processes' common start behind us."""
        self._command(["--version"], None, "after")

    def run(self, event: int | None = None, when: When = "after") -> int:
        """Begin a run; cut at the event of that number, if any.

        Returns:
            The exit code; below zero if it was cut.
        """
        return self._command([*self._run, "--yes"], event, when)

    def resume(
        self, event: int | None = None, when: When = "after", options: Sequence[str] = ()
    ) -> int:
        """Go on with it, likewise, with these further options."""
        return self._command(["resume", "--yes", *options], event, when)

    def begin(self, *, anew: bool) -> Process:
        """Begin a run, or go on with it, and leave it to the caller to end it: see `end`.

        What it acknowledges is in `said`, as JSON Lines.
        """
        argv = self._run if anew else ["resume"]
        return self._start([*argv, "--yes", "--json"], None, "after")

    def end(self, process: Process) -> int:
        """Wait until a process has ended, and all that it started."""
        process.join()
        assert process.exitcode is not None
        code = process.exitcode
        process.close()
        while _any_left(str(self._said)):
            time.sleep(0.01)
        return code

    def said(self) -> str:
        """What the last command said."""
        return self._said.read_text()

    def _command(self, argv: list[str], event: int | None, when: When) -> int:
        return self.end(self._start(argv, event, when))

    def _start(self, argv: list[str], event: int | None, when: When) -> Process:
        self._said.write_text("")  # a process that is killed at once has said nothing
        arguments = ([*argv, "--journal", self.journal], str(self._said), event, when)
        process = _context().Process(target=command, args=arguments)
        process.start()
        return process


def command(argv: list[str], said: str, event: int | None, when: When) -> None:
    """Run quell in this process, which ends itself by SIGKILL at its event of that number."""
    os.environ[_MARK] = said
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if event is not None:
        _cut_at(event, when)
    main(argv)


def _any_left(said: str) -> bool:
    """Whether a command lives on that a killed controller had started on this machine."""
    mark = f"{_MARK}={said}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in file.read_bytes().split(b"\0"):
                return True
    return False


def _cut_at(number: int, when: When) -> None:
    numbers = itertools.count()
    tell_all = SqliteRecorder.tell_all

    def cut(recorder: SqliteRecorder, events: Sequence[Event]) -> None:
        for event in events:  # one by one, so that it can be cut between any two of them
            cuts = not isinstance(event, PROGRESS) and next(numbers) == number
            if cuts and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            tell_all(recorder, [event])
            if cuts:
                os.kill(os.getpid(), signal.SIGKILL)

    SqliteRecorder.tell_all = cut  # type: ignore[assignment,method-assign]


def _context() -> ForkServerContext:
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload([__name__])
    return chosen
