"""`command`: run a program with its arguments; no shell reads them."""

from __future__ import annotations

import shlex
from typing import ClassVar

from engine.contract import Argv, Change, FreeCommand, Identity


class Command(FreeCommand, frozen=True, kw_only=True):
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

    argv: str | list[str]

    def __post_init__(self) -> None:
        """Refuse an empty command and unbalanced quotes.

        Raises:
            ValueError: there is no program to run.
        """
        if not self._args():
            raise ValueError("argv names no program")

    def to_run(self) -> Argv:
        """The program with its arguments."""
        return Argv(self._args(), env=self.env, cwd=self.chdir)

    def change(self) -> Change:
        """The command line, for people."""
        line = shlex.join(self._args())
        return Change(
            summary=f"run {line}",
            on=(Identity("command", self._args()[0], {"argv": line}),),
            after={"argv": list(self._args()), "chdir": self.chdir},
        )

    def _args(self) -> tuple[str, ...]:
        return tuple(shlex.split(self.argv) if isinstance(self.argv, str) else self.argv)


EXAMPLE = """
name: Reload the proxy's configuration
command: {argv: [nginx, -s, reload]}
"""
