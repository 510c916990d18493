"""A journal that can no longer be written: nothing more is sent, and the run says why."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.quell import LOCAL, PROGRAM

if TYPE_CHECKING:
    from tests.end_to_end.quell import Quell

pytestmark = pytest.mark.lab
MODULES = Path(__file__).with_name("modules")


def on_small_disk(
    quell: Quell, disk: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run with a mount namespace of its own, in which `disk` holds half a megabyte."""
    disk.mkdir()
    script = 'mount -t tmpfs -o size=512k tmpfs "$1" && shift && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", str(disk), PROGRAM]
    return subprocess.run(
        [*argv, *map(str, arguments)],
        env=quell.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_action_is_sent_whose_intent_cannot_be_kept(quell: Quell, tmp_path: Path) -> None:
    disk, mark = tmp_path / "disk", tmp_path / "mark"
    book = tmp_path / "book.yml"
    book.write_text(f"""\
name: Full
hosts: app
mitigate:
  - {{name: Fill, fill_disk: {{full: {disk}, mark: {mark}}}}}
""")
    journal = disk / "journal.db"
    done = on_small_disk(
        quell, disk, "run", book, "-i", LOCAL, "-M", MODULES, "--yes", "--journal", journal
    )
    assert Path(f"{mark}.seen").exists()
    assert not mark.exists()
    assert done.returncode == 2, done.stderr
    said = done.stderr.splitlines()[-1]
    assert said.startswith(
        f"journal {journal}: the disk is full (database or disk is full); nothing more was sent."
    )
    assert "quell resume 20" in said
    assert "Traceback" not in done.stderr


def test_nothing_is_contacted_where_the_journal_cannot_be_made(
    quell: Quell, tmp_path: Path
) -> None:
    book = tmp_path / "book.yml"
    book.write_text(f"""\
name: Nothing
hosts: app
investigate:
  - {{name: Look, shell: {{probe: true, script: 'touch "$1"', args: [{tmp_path}/seen]}}}}
""")
    ended = quell("run", book, "-i", LOCAL, "--journal", "/proc/journal.db")
    assert ended.code == 2
    assert ended.stderr == "journal /proc/journal.db: No such file or directory\n"
    assert not (tmp_path / "seen").exists()
