"""The one exception tree; each class knows the exit code that it ends the program with.

```
QuellError
├── InputError          1   the playbook, inventory or arguments are wrong; nothing contacted
├── HostError           2   one host's failure: caught around one task, kept as data
│   ├── Unreachable     4   no connection; nothing was sent
│   ├── LinkLost        2   the link died under a command or stream: it may have run
│   ├── DeadlineExceeded 2  the time was over
│   │   └── Overdue     2   the time of a command was: the remote side was ended
│   ├── DialRefused     2   the host answers, but what we dialled from it does not
│   ├── BecomeRefused   2   the host does not let us act as the account; nothing was run
│   └── ModuleFailed    2   the module's own word, with what it found
├── ApprovalNeeded      3   stopped before any change, for want of a yes
├── GuardRefused        5   blast radius, protected target, lock, cool-down
├── JournalError        2   the journal cannot be written or read, or was altered
└── Interrupted        99   Ctrl-C or SIGTERM
```

Anything else that reaches the top is our bug, and becomes `Bug` where there may be secrets in it:
exit code 250.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

BUG_EXIT_CODE = 250


class QuellError(Exception):
    """Base of every error that quell raises on purpose."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, with its place.

    Args:
        message: what is wrong, one sentence without a full stop.
        path: the file as the user named it; empty for a command-line argument.
        line: 1-based; 0 where the problem has no line (a missing file).
        column: 1-based, counted in characters.
        source: the text of that line, for the caret.
        hint: what to do, or the near name; empty where there is nothing to say.
    """

    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """`path:line:column: message`, then the source line with a caret, then the hint."""
        place = self.path
        if self.line:
            place = f"{place}:{self.line}:{self.column}"
        head = f"{place}: {self.message}" if place else self.message
        if self.hint:
            head = f"{head} — {self.hint}"
        if not self.source:
            return head
        indent = "".join("\t" if c == "\t" else " " for c in self.source[: self.column - 1])
        return f"{head}\n    {self.source}\n    {indent}^"


class InputError(QuellError):
    """What the user gave is wrong. Carries every problem found, not just the first."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *problems: Problem | str) -> None:
        """Keep the problems; a plain string is a problem without a place."""
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class HostError(QuellError):
    """One host failed. Caught around one task on one host, and kept as that task's result.

    Args:
        message: what happened, for the person on call.
        found: what was learnt before it failed, part of the task's result.
    """

    def __init__(self, message: str, found: Mapping[str, object] | None = None) -> None:
        """Keep the message and what was found."""
        super().__init__(message)
        self.message = message
        self.found: dict[str, object] = dict(found or {})


class Unreachable(HostError):
    """The host could not be reached or would not let us in; nothing was sent to it.

    Args:
        message: why, for the person on call.
        lasting: another attempt would fail likewise, or do harm: a wrong password, for one.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        """Keep both."""
        super().__init__(message)
        self.lasting = lasting


class LinkLost(HostError):
    """The link died under a command or a stream: whether it took effect is not known."""


class DeadlineExceeded(HostError):
    """The task's time was over."""


class Overdue(DeadlineExceeded):
    """A command's time was over, and it was ended with all that it began.

    Args:
        seconds: that it had.
        found: its output so far.
        gone: whether all of it is known to have ended.
    """

    def __init__(self, seconds: float, found: Mapping[str, object], *, gone: bool) -> None:
        """Say so."""
        outcome = "it was ended" if gone else "whether it has ended is not known"
        super().__init__(f"not done within {round(seconds, 2):g} s; {outcome}", found)
        self.gone = gone


class DialRefused(HostError):
    """The host was reached, but the address dialled from it refused: closed port, no such name."""


class BecomeRefused(HostError):
    """We may not act as the account that was asked for, or cannot; nothing was run."""


class ModuleFailed(HostError):
    """A module says that it failed, and why."""


class ApprovalNeeded(QuellError):
    """Changes are predicted and nobody has said yes; nothing was changed.

    Args:
        message: what waits.
        person: `--yes` would not do: a person must answer.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, person: bool = False) -> None:
        """Keep both."""
        super().__init__(message)
        self.person = person


class GuardRefused(QuellError):
    """A guard forbids it: blast radius, protected target, lock, cool-down.

    Raised by the engine's guards, and by a module that sees that its target must never be hit.

    Args:
        message: what is refused, by whom and until when.
        guard: which one: `protected`, `hold`, `cancel`…
    """

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, guard: str = "protected") -> None:
        """Keep the guard's name."""
        super().__init__(message)
        self.guard = guard


class JournalError(QuellError):
    """The journal cannot be opened, written or read, or its hash chain does not hold."""


class Bug(Exception):
    """Our own mistake, as a traceback without the secrets that were in it."""


class Interrupted(QuellError):
    """The person or the system asked the run to stop."""

    exit_code: ClassVar[int] = 99
