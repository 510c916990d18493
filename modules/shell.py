"""`shell`: run text in the host's own shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, ClassVar

from engine.contract import Change, FreeCommand, Identity, Program, Script

if TYPE_CHECKING:
    from engine.contract import Target


class Shell(FreeCommand, frozen=True, kw_only=True):
    """Run text in the host's own shell: `sh` on POSIX hosts, cmd or PowerShell on Windows ones.

    What it changes is not known to quell, so it is an action: shown and approved before it runs.
    `probe: true` says that it only reads; then it may stand in `investigate`, and an exit status
    that is not in `ok_codes` is a finding. Otherwise such a status is a failure.

    A template inside `script` becomes part of the program: a value with a quote, a `;` or a
    newline in it is run. Give values as `args` (`"$1"`, `"$2"`) or `env` (`"$NAME"`) instead;
    they stay values, whatever they hold. On a Windows host they are `!1!` and `!NAME!` in cmd,
    where the text is a batch file with delayed expansion, and `$args[0]` and `$env:NAME` in
    PowerShell; `%NAME%` is run as text by cmd.

    Args:
        script: the text; several lines are one script.
        args: values for `"$1"`, `"$2"` and on.
        executable: what reads the text instead: a shell that takes `-c`, such as `/bin/bash`; on a
            Windows host `cmd`, `powershell` or `pwsh`.
        env: variables set for it alone.
        chdir: the directory it runs in; the account's home unless given.
        stdin: text given to it.
        creates: a path, or a pattern such as `/run/app/*.pid`: if it exists, nothing is run.
        removes: likewise: if it does not exist, nothing is run.
        ok_codes: the exit statuses that mean success; `grep` without a match has 1.
        probe: whether it only reads.

    **Source:** Ansible's `ansible.builtin.shell`, whose argument names these are; sh(1).
    """

    primary: ClassVar[str] = "script"

    script: Program
    args: tuple[str, ...] = ()
    executable: str | None = None

    def __post_init__(self) -> None:
        """Refuse an empty script.

        Raises:
            ValueError: there is nothing to run.
        """
        if not self.script.strip():
            raise ValueError("script is empty")

    def to_run(self, target: Target) -> Script:
        """The text with its values."""
        del target
        return Script(
            self.script,
            args=self.args,
            env=self.env,
            cwd=self.chdir,
            executable=self.executable,
        )

    def change(self) -> Change:
        """The command line, for people."""
        lines = self.script.strip().splitlines()
        more = f" … ({len(lines)} lines)" if len(lines) > 1 else ""
        values = f" with {shlex.join(self.args)}" if self.args else ""
        return Change(
            summary=f"run {lines[0]}{more}{values}",
            on=(
                Identity(
                    "script", lines[0], {"script": self.script, "args": shlex.join(self.args)}
                ),
            ),
            after={"script": self.script, "args": list(self.args), "chdir": self.chdir},
        )


EXAMPLE = """
name: Errors in the last 500 lines of the log
shell:
  script: tail -n 500 "$1" | grep -c ERROR
  args: [/var/log/app/app.log]
  ok_codes: [0, 1]
  probe: true
register: errors
"""
