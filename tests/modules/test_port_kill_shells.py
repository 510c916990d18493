"""port_kill's scripts in other shells, with other tools, and with few of them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from engine.contract import GuardRefused, ModuleFailed
from tests.lab.ports import free_port
from tests.modules.fakes import target
from tests.modules.listening import listener
from tests.modules.sequence import act, module
from tests.modules.shells import SHELLS, Shell, tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.lab

TOOLS = ["cat", "cut", "grep", "id", "ls", "sed", "sleep", "sort", "tr"]
KITS = ["with ss", "without ss", "busybox"]


def linux(shell: str, kit: str, directory: Path) -> Shell:
    program = str(shutil.which("busybox")) if kit == "busybox" else ""
    path = tools(directory, [*TOOLS, "ss"] if kit == "with ss" else TOOLS, program)
    return Shell(through=SHELLS[shell], path=path)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kit", KITS)
def test_on_linux(shell: str, kit: str, tmp_path: Path) -> None:
    host = linux(shell, kit, tmp_path)
    port = free_port()
    with listener(port, "deaf") as one, listener(port, address="::1") as two:
        args = {"port": port, "grace": "200ms"}
        outcome = act("port_kill", args, target(host))
        assert one.wait(5) == -signal.SIGKILL
        assert two.wait(5) == -signal.SIGTERM
    seen = {each["pid"]: each for each in outcome.seen["processes"]}
    assert set(seen) == {one.pid, two.pid}
    assert seen[one.pid]["name"] == "python"
    assert outcome.unconfirmed is None
    assert outcome.seen["ancestors"]


@contextlib.contextmanager
def victim_with_open_file(path: Path) -> Iterator[Callable[[], int | None]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open() as file, subprocess.Popen(["sleep", "600"], stdin=file) as victim:
        try:
            yield victim.poll
        finally:
            victim.kill()


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize(
    "name",
    [
        "socket:[{inode}]",
        "0 -> socket:[{inode}]",
        "a\nlrwx------ 1 0 0 64 Nov 23 13:37 3 -> socket:[{inode}]",
        "a\r\nl 3 -> socket:[{inode}]",
    ],
)
def test_names_of_open_files_cannot_lead_to_another_process(
    name: str, kit: str, tmp_path: Path
) -> None:
    (tmp_path / "tools").mkdir()
    host = linux("busybox" if kit == "busybox" else "dash", kit, tmp_path / "tools")
    port = free_port()
    with listener(port) as process:
        link = str(Path(f"/proc/{process.pid}/fd/3").readlink())
        inode = link.removeprefix("socket:[").removesuffix("]")
        with victim_with_open_file(tmp_path / name.format(inode=inode)) as victim:
            outcome = act("port_kill", {"port": port}, target(host))
            assert [each["pid"] for each in outcome.done["ended"]] == [process.pid]
            assert victim() is None


@pytest.mark.parametrize("shell", ["dash", "bash"])  # busybox's would take its own ps
def test_elsewhere_with_lsof_and_ps(shell: str, tmp_path: Path) -> None:
    path = tools(tmp_path, [*TOOLS, "lsof", "netstat", "ps"])
    host = Shell(through=SHELLS[shell], path=path, family="macos")
    port = free_port()
    with listener(port, "deaf") as one, listener(port, address="::1") as two:
        args = {"port": port, "grace": "200ms"}
        outcome = act("port_kill", args, target(host))
        assert one.wait(5) == -signal.SIGKILL
        assert two.wait(5) == -signal.SIGTERM
    assert outcome.seen["addresses"] == [f"127.0.0.1:{port}", f"[::1]:{port}"]
    assert {each["user"] for each in outcome.seen["processes"]} == {"root"}
    assert {each["signal"] for each in outcome.done["ended"]} == {"TERM", "KILL"}
    assert outcome.unconfirmed is None


def test_elsewhere_another_start_time_is_another_process(tmp_path: Path) -> None:
    path = tools(tmp_path, [*TOOLS, "lsof", "netstat", "ps"])
    host = Shell(path=path, family="macos")
    port = free_port()
    with listener(port) as process:
        subject = module("port_kill", {"port": port})
        change = subject.decide(subject.observe(target(host)))  # type: ignore[attr-defined]
        (seen,) = change.on
        other = structs.replace(seen, key={**seen.key, "start": "Mon Nov 23 13:37:00 2020"})
        done = subject.apply(target(host), structs.replace(change, on=(other,)))  # type: ignore[attr-defined]
        assert (done.ended, done.gone) == ([], [process.pid])
        assert process.poll() is None


def test_elsewhere_without_lsof(tmp_path: Path) -> None:
    host = Shell(path=tools(tmp_path, TOOLS), family="macos")
    with pytest.raises(ModuleFailed, match="lsof is not there"):
        act("port_kill", {"port": 80}, target(host))


def test_elsewhere_our_own_ancestors_are_refused(tmp_path: Path) -> None:
    path = tools(tmp_path, [*TOOLS, "lsof", "netstat", "ps"])
    host = Shell(path=path, family="macos")
    with (
        socket.create_server(("127.0.0.1", 0)) as ours,
        pytest.raises(GuardRefused, match="our own connection"),
    ):
        act("port_kill", {"port": ours.getsockname()[1]}, target(host))
