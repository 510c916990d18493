"""`command`: run a program with its arguments; no shell reads them."""

from __future__ import annotations

import shlex
from typing import ClassVar

from msgspec import field

from engine.contract import (
    Action,
    Argv,
    Change,
    Identity,
    ModuleFailed,
    Presence,
    Ran,
    Target,
    presence,
    to_plain,
)


class Command(Action[Ran | Presence], frozen=True, kw_only=True):
    """Run a program on the host. No shell reads the arguments, so nothing in them needs quoting.

    What it changes is not known to quell, so it is an action: shown and approved before it runs.
    `probe: true` says that it only reads; then it may stand in `investigate`, and an exit status
    that is not in `ok_codes` is a finding. Otherwise such a status is a failure.

    Args:
        argv: the program and its arguments: a list, or one line that is split as a shell would.
        chdir: the directory it runs in; the account's home unless given.
        env: variables set for it alone.
        stdin: text given to it.
        creates: a path, or a pattern such as `/run/app/*.pid`: if it exists, nothing is run.
        removes: likewise: if it does not exist, nothing is run.
        ok_codes: the exit statuses that mean success.
        probe: whether it only reads.

    **Source:** Ansible's `ansible.builtin.command`, whose argument names these are.
    """

    primary: ClassVar[str] = "argv"
    observable: ClassVar[bool] = False

    argv: str | list[str]
    chdir: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    stdin: str = ""
    creates: str | None = None
    removes: str | None = None
    ok_codes: tuple[int, ...] = (0,)
    probe: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty command and unbalanced quotes.

        Raises:
            ValueError: there is no program to run.
        """
        if not self._args():
            raise ValueError("argv names no program")

    def observe(self, target: Target) -> Ran | Presence:
        """A probe runs it; an action only looks at `creates` and `removes`."""
        if self.probe:
            return self._run(target)
        return presence(target, creates=self.creates, removes=self.removes, cwd=self.chdir)

    def decide(self, seen: Ran | Presence) -> Change | None:
        """Run it, unless `creates` or `removes` say that it is done."""
        if isinstance(seen, Presence) and seen.done:
            return None
        line = shlex.join(self._args())
        return Change(
            summary=f"run {line}",
            on=(Identity("command", self._args()[0], {"argv": line}),),
            after={"argv": list(self._args()), "chdir": self.chdir},
        )

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

    def _args(self) -> tuple[str, ...]:
        return tuple(shlex.split(self.argv) if isinstance(self.argv, str) else self.argv)

    def _run(self, target: Target) -> Ran:
        command = Argv(self._args(), env=self.env, cwd=self.chdir)
        return Ran.of(target.run(command, stdin=self.stdin.encode()))


EXAMPLE = """
name: Reload the proxy's configuration
command: {argv: [nginx, -s, reload]}
"""
