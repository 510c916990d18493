"""A host whose disk is full: what fails says so, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Connection, Script
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


# Asked for before the connection: some of its shells see what was mounted when they began.
@pytest.fixture
def full(lab: Lab) -> Iterator[str]:
    """A directory with room for 64 KiB."""
    path = "/srv/full"
    script = 'mkdir "$1" && mount -t tmpfs -o size=64k tmpfs "$1"'
    lab.h1.exec(["sh", "-c", script, "sh", path], check=True)
    yield path
    lab.h1.exec(["sh", "-c", 'umount "$1" && rmdir "$1"', "sh", path], check=True)


@pytest.fixture
def _no_room(full: str, lab: Lab) -> Iterator[None]:
    """Nothing more can be written where temporary files go."""
    script = 'cat /dev/zero >"$1/fill" 2>/dev/null; for d in /tmp /var/tmp; do {} $d; done'
    lab.h1.exec(["sh", "-c", script.format('mount --bind "$1"'), "sh", full], check=True)
    yield
    lab.h1.exec(["sh", "-c", script.format("umount"), "sh", full], check=True)


def test_a_file_that_does_not_fit_leaves_the_old_one_and_nothing_beside_it(
    full: str, host: Connection, lab: Lab
) -> None:
    path = f"{full}/file"
    host.put(b"old", path, 0o600, timeout=20)
    with pytest.raises(HostError, match=f"^put {path}: .*No space left on device$"):
        host.put(bytes(1_000_000), path, 0o600, timeout=20)
    assert lab.h1.exec(["ls", "-A", full], check=True).stdout == "file\n"
    assert host.get(path, 10, timeout=20) == b"old"


def test_a_command_says_it_itself(full: str, host: Connection) -> None:
    finished = host.run(Argv(("cp", "/bin/bash", f"{full}/copy")), timeout=20)
    assert finished.status == 1
    assert "No space left on device" in finished.stderr.text


@pytest.mark.usefixtures("_no_room")
def test_where_nothing_can_be_written_commands_run_all_the_same(host: Connection) -> None:
    finished = host.run(Script("cat <<end; pwd\nhere\nend\n", cwd="/"), timeout=20)
    assert (finished.status, finished.stdout.text) == (0, "here\n/\n")
    given = host.run(Argv(("cat",)), stdin=b"given", timeout=20)
    assert (given.status, given.stdout.text) == (0, "given")
