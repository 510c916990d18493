"""`add_line`: add a line to a file that does not have it, so that each time can be counted."""

from __future__ import annotations

from engine.contract import Action, Argv, Change, Identity, ModuleFailed, Script, Target


class AddLine(Action[str], frozen=True, kw_only=True):
    """Add a line to a file.

    Args:
        path: the file.
        line: what is added.
    """

    path: str
    line: str

    def observe(self, target: Target) -> str:
        """Read the file."""
        return target.run(Argv(("cat", self.path))).stdout.text

    def decide(self, seen: str) -> Change | None:
        """Add the line, unless it is there."""
        if self.line in seen.splitlines():
            return None
        key: dict[str, str | int] = {"path": self.path}
        return Change(summary=f"add {self.line}", on=(Identity("file", self.line, key),))

    def apply(self, target: Target, change: Change) -> None:
        """Add it."""
        script = Script('echo "$1" >>"$2"', args=(self.line, str(change.on[0].key["path"])))
        done = target.run(script)
        if done.status:
            raise ModuleFailed(done.stderr.text)


EXAMPLE = """
add_line: {path: /srv/lines, line: hello}
"""
