"""`leave_mark`: add a line to a file, with waits in which a test can end the controller."""

from __future__ import annotations

import time
from pathlib import Path

from engine.contract import Action, Change, Identity, ModuleFailed, Script, Target


class LeaveMark(Action[int], frozen=True, kw_only=True):
    """Add a line to a file that has none.

    Args:
        path: the file.
        before: a file of the controller; nothing is sent as long as it is there.
        after: likewise; apply does not return once the host has done it.
    """

    path: str
    before: str
    after: str

    def observe(self, target: Target) -> int:
        """Count the lines."""
        return len(_said(target, 'cat "$1" 2>/dev/null; true', self.path).splitlines())

    def decide(self, seen: int) -> Change | None:
        """Add one, unless there is one."""
        if seen:
            return None
        key: dict[str, str | int] = {"path": self.path}
        return Change(summary="leave a mark", on=(Identity("file", "marks", key),))

    def apply(self, target: Target, change: Change) -> None:
        """Do it."""
        _wait_while_there(self.before)
        _said(target, 'echo marked >>"$1"', str(change.on[0].key["path"]))
        _wait_while_there(self.after)


def _wait_while_there(file: str) -> None:
    while Path(file).exists():
        time.sleep(0.05)


def _said(target: Target, script: str, path: str) -> str:
    finished = target.run(Script(script, args=(path,)))
    if finished.status:
        raise ModuleFailed(finished.stderr.text)
    return finished.stdout.text


EXAMPLE = """
leave_mark: {path: /srv/marks, before: /tmp/before, after: /tmp/after}
"""
