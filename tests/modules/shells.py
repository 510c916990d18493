"""This machine through other shells, with other tools, and with few of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.connections.base import Argv, Finished, Output, Script
from engine.errors import DeadlineExceeded
from tests.modules.fakes import FakeConnection

if TYPE_CHECKING:
    from pathlib import Path

    from engine.connections.base import Become, Listener

SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}


@dataclass
class Shell(FakeConnection):
    """This machine through a shell of our choice, with the tools of our choice."""

    through: tuple[str, ...] = ("dash",)
    path: str = ""

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        del become, listener
        shell = [str(shutil.which(self.through[0])), *self.through[1:]]
        text = command.text if isinstance(command, Script) else 'exec "$@"'
        how = ["-c", text, "sh"] if stdin else ["-s", "--"]
        try:
            done = subprocess.run(
                [*shell, *how, *command.args],
                input=stdin or text.encode(),
                env={"PATH": self.path},
                capture_output=True,
                timeout=timeout,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as late:
            raise DeadlineExceeded("it was ended") from late
        out, err = (Output(text[:keep], size=len(text)) for text in (done.stdout, done.stderr))
        return Finished(done.returncode, out, err, 0)


def tools(directory: Path, names: list[str], program: str = "") -> str:
    """A PATH with these programs alone; all of them are one `program`, if it is given."""
    for name in names:
        (directory / name).symlink_to(program or str(shutil.which(name)))
    return str(directory)
