"""`command`: run a program with its arguments; no shell reads them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, ClassVar

from engine.contract import Argv, Change, FreeCommand, Identity
from engine.contract.commands import windows_words

if TYPE_CHECKING:
    from engine.contract import Target


class Command(FreeCommand, frozen=True, kw_only=True):
    """Run a program on the host. No shell reads the arguments, so nothing in them needs quoting.

    What it changes is not known to quell, so it is an action: shown and approved before it runs.
    `probe: true` says that it only reads; then it may stand in `investigate`, and an exit status
    that is not in `ok_codes` is a finding. Otherwise such a status is a failure.

    Args:
        argv: the program and its arguments: a list, or one line that is split as the host's
            shell would; on Windows a backslash means itself.
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

    def to_run(self, target: Target) -> Argv:
        """The program with its arguments."""
        args = self._args()
        if isinstance(self.argv, str) and target.platform.family == "windows":
            args = windows_words(self.argv)
        return Argv(args, env=self.env, cwd=self.chdir)

    def change(self) -> Change:
        """The command line, for people."""
        line = self.argv if isinstance(self.argv, str) else shlex.join(self.argv)
        return Change(
            summary=f"run {line}",
            on=(Identity("command", self._args()[0], {"argv": line}),),
            after={"argv": self.argv, "chdir": self.chdir},
        )

    def _args(self) -> tuple[str, ...]:
        return tuple(shlex.split(self.argv) if isinstance(self.argv, str) else self.argv)


EXAMPLE = """
name: Reload the proxy's configuration
command: {argv: [nginx, -s, reload]}
"""
