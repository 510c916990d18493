"""`shell`: run text in the host's own shell."""

from __future__ import annotations

import shlex
from typing import ClassVar

from msgspec import field

from engine.contract import (
    Action,
    Change,
    Identity,
    ModuleFailed,
    Presence,
    Ran,
    Script,
    Target,
    presence,
    to_plain,
)


class Shell(Action[Ran | Presence], frozen=True, kw_only=True):
    """Run text in the host's own shell: `sh` on POSIX hosts.

    What it changes is not known to quell, so it is an action: shown and approved before it runs.
    `probe: true` says that it only reads; then it may stand in `investigate`, and an exit status
    that is not in `ok_codes` is a finding. Otherwise such a status is a failure.

    A template inside `script` becomes part of the program: a value with a quote, a `;` or a
    newline in it is run. Give values as `args` (`"$1"`, `"$2"`) or `env` (`"$NAME"`) instead;
    they stay values, whatever they hold.

    Args:
        script: the text; several lines are one script.
        args: values for `"$1"`, `"$2"` and on.
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
    observable: ClassVar[bool] = False

    script: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    chdir: str | None = None
    stdin: str = ""
    creates: str | None = None
    removes: str | None = None
    ok_codes: tuple[int, ...] = (0,)
    probe: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty script.

        Raises:
            ValueError: there is nothing to run.
        """
        if not self.script.strip():
            raise ValueError("script is empty")

    def observe(self, target: Target) -> Ran | Presence:
        """A probe runs it; an action only looks at `creates` and `removes`."""
        if self.probe:
            return self._run(target)
        return presence(target, creates=self.creates, removes=self.removes, cwd=self.chdir)

    def decide(self, seen: Ran | Presence) -> Change | None:
        """Run it, unless `creates` or `removes` say that it is done."""
        if isinstance(seen, Presence) and seen.done:
            return None
        lines = self.script.strip().splitlines()
        more = f" … ({len(lines)} lines)" if len(lines) > 1 else ""
        return Change(
            summary=f"run {lines[0]}{more}",
            on=(
                Identity(
                    "script", lines[0], {"script": self.script, "args": shlex.join(self.args)}
                ),
            ),
            after={"script": self.script, "args": list(self.args), "chdir": self.chdir},
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

    def _run(self, target: Target) -> Ran:
        script = Script(self.script, args=self.args, env=self.env, cwd=self.chdir)
        return Ran.of(target.run(script, stdin=self.stdin.encode()))


EXAMPLE = """
name: Errors in the last 500 lines of the log
shell:
  script: tail -n 500 "$1" | grep -c ERROR
  args: [/var/log/app/app.log]
  ok_codes: [0, 1]
  probe: true
register: errors
"""
