from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from engine.contract.processes import running
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.shells import SHELLS, Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome

pytestmark = pytest.mark.slow  # all of it together: each starts programs

OURS = os.getpid()
"""In names that would be found twice where tests run side by side."""
PROGRAM = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
print("ready", flush=True)
if "busy" in sys.argv:
    while True: pass
sys.stdin.read()
"""


@contextlib.contextmanager
def process(name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls itself so."""
    argv = [sys.executable, "-c", PROGRAM, name, *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        try:
            yield started
        finally:
            started.kill()


def look(**args: Any) -> Outcome:
    return probe("process_list", args, here())


def test_a_process_by_its_name() -> None:
    began = time.time()
    with process("backend") as started, process("backend2"):
        outcome = look(name="backend")
    (found,) = outcome.seen["processes"]
    assert (found["pid"], found["parent"], found["name"]) == (started.pid, os.getpid(), "backend")
    assert found["user"] == here().platform.user
    assert found["state"] in {"S", "R"}
    assert 2**20 < found["memory"] < 2**30
    assert 0 <= found["age"] < 60
    assert abs(found["started"] - began) < 60
    assert (outcome.seen["count"], outcome.seen["memory"]) == (1, found["memory"])
    assert outcome.finding is None
    assert outcome.summary.startswith("1 process backend, ")
    assert outcome.summary.endswith(" MiB")


def test_a_name_that_linux_cuts_is_told_by_the_command_line() -> None:
    with process("a-very-long-name-1") as first, process("a-very-long-name-2"):
        (found,) = look(name="a-very-long-name-1").seen["processes"]
        assert found["pid"] == first.pid
        assert look(name="a-very-long-nam").seen["count"] == 2


def test_a_process_by_its_programs_file() -> None:
    with process("x" * 15, "marked"):
        file = os.path.basename(sys.executable)  # noqa: PTH119 - as it is in the command line
        assert look(name=file, pattern="x{15} marked").seen["count"] == 1


@pytest.mark.parametrize(
    ("arguments", "pattern", "number"),
    [
        (("worker", "--queue=mail"), "worker --queue=mail$", 1),
        (("worker", "new\nline", "last"), "worker new line last$", 1),
        (("worker", "\xff"), "worker", 1),
        (("worker", "x" * 100_000), "worker x{400}", 1),
        (("worker", "\n1/cmdline:forged"), "worker  1/cmdline:forged", 1),
        (("worker", *"abc" * 1000), "a b c a b c", 1),
    ],
)
def test_a_process_by_its_command_line(
    arguments: tuple[str, ...], pattern: str, number: int
) -> None:
    name = f"celery{OURS}"
    with process(name, *arguments):
        outcome = look(name=name, pattern=pattern)
    assert outcome.seen["count"] == number
    assert all(len(each["command"]) <= 300 for each in outcome.seen["processes"])


@pytest.mark.parametrize("name", ["a b", "a) S 1 1", "a\nb", "(((", "a\n1/stat:1 (x) S 1"])
def test_a_name_can_be_anything(name: str) -> None:
    with process(name, f"marked{OURS}") as started:
        (found,) = look(pattern=f"marked{OURS}$").seen["processes"]
    assert (found["pid"], found["name"]) == (started.pid, name[:15])
    assert found["parent"] == os.getpid()


def test_secrets_in_command_lines_are_not_told() -> None:
    with process("api", "--password=sesame", "--port", "80"):
        (found,) = look(name="api").seen["processes"]
        assert look(name="api", pattern="sesame").seen["count"] == 1
    assert "sesame" not in found["command"]
    assert found["command"].endswith("api --password=*** --port 80") or "…" in found["command"]


def test_what_looks_is_left_out() -> None:
    for name in ("grep", "cut", "sed", "sh"):
        seen = look(name=name, min=0).seen["processes"]
        assert [each for each in seen if each["parent"] == os.getpid()] == []


def test_all_processes_but_the_kernels() -> None:
    outcome = look()
    assert outcome.seen["count"] > 1
    seen = {each.pid for each in running(here())}
    assert {1, os.getpid()} <= seen
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    kernels = {pid for pid in pids if int(_fields(pid)[6]) & 0x200000}  # PF_KTHREAD
    assert not kernels & seen
    assert outcome.finding is None
    memories = [each["memory"] for each in outcome.seen["processes"]]
    assert memories == sorted(memories, reverse=True)
    assert len(memories) <= 20
    assert " · " in outcome.summary


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on; of one that has ended, as if it were a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ["Z", *"0" * 20]
    return stat.rpartition(")")[2].split()


def test_hidden_processes_are_a_failure_and_not_none() -> None:
    said = "those of others are hidden (hidepid): needs root (become)"
    with pytest.raises(ModuleFailed, match="cannot list processes: those of others are hidden"):
        probe("process_list", {"name": "x"}, target(FakeConnection([(3, "", f"{said}\n")])))


def stat(
    pid: int,
    name: str,
    parent: int,
    group: int,
    *,
    flags: int = 0,
    used: int = 150,
    began: int = 10000,
) -> str:
    """A line of /proc/PID/stat; the kernel did 50 ticks for it more than it has used itself."""
    fields = f"S {parent} {group} 900 0 -1 {flags} 0 0 0 0 {used} 50 7 7 20 0 1 0 {began} 4096 1"
    return f"{pid}/stat:{pid} ({name}) {fields}".replace("\n", f"\n{pid}/stat:") + "\n"


LINUX = (
    "clock 100\nup 300.50\nnow 1795600000\nself 902\n"
    "1/status:Uid:\t0\t0\t0\t0\n1/status:VmRSS:\t    2048 kB\n"
    "412/status:Uid:\t1001\t1000\t0\t0\n903/status:Uid:\t0\t0\t0\t0\n"
    "user 0 root\nuser 1001 alice\nuser 4711 \n"
    "1/cmdline:/sbin/init\n412/cmdline:app\n412/cmdline:--token\n412/cmdline:abc\n"
    + stat(1, "init", 0, 1)
    + stat(2, "kthreadd", 0, 0, flags=0x208040)
    + stat(3, "(a)\n4/stat:4 (b", 1, 3)
    + stat(412, "app", 1, 412)
    + stat(902, "sh", 901, 902)
    + stat(903, "grep", 902, 902)
)


def test_linux_is_asked_through_proc() -> None:
    host = target(FakeConnection([(0, LINUX, "")]))
    outcome = probe("process_list", {}, host)
    found = {each["pid"]: each for each in outcome.seen["processes"]}
    assert set(found) == {1, 3, 412}
    assert found[412] == {
        "pid": 412,
        "parent": 1,
        "name": "app",
        "user": "alice",
        "state": "S",
        "cpu": 1.0,
        "memory": 0,
        "age": 200.5,
        "started": 1795599799.5,
        "command": "app --token ***",
    }
    assert (found[1]["memory"], found[1]["user"]) == (2 * 2**20, "root")
    assert (found[3]["name"], found[3]["user"]) == ("(a)\n4/stat:4 (b", "")


PS = """\
now 1795600000
self 902
ps     1     0     1 root             Ss     9536   0:12.34 10-03:04:05 /sbin/launchd
ps   412     1   412 alice     S    524288   1:02:03 02:03:04 /Applications/A B.app/a --token=abc
ps   413     1   412 alice            Z         0   0:00.00 00:05
ps   901   900   901 root             S      1024   0:00.00 00:01 sh -c ps
ps   902   901   902 root             S      1024   0:00.00 00:01 sh
ps   903   902   902 root             R      1024   0:00.00 00:00 ps -axo
comm     1 /sbin/launchd
comm   412 /Applications/A B.app/a
comm   413 (a)
comm   901 sh
comm   902 sh
comm   903 ps
"""


def test_other_unixes_are_asked_through_ps() -> None:
    host = target(FakeConnection([(0, PS, "")], family="macos"))
    outcome = probe("process_list", {"user": "alice"}, host)
    first, second = outcome.seen["processes"]
    assert first == {
        "pid": 412,
        "parent": 1,
        "name": "a",
        "user": "alice",
        "state": "S",
        "cpu": 50.4,
        "memory": 512 * 2**20,
        "age": 7384,
        "started": 1795592616,
        "command": "/Applications/A B.app/a --token=***",
    }
    assert (second["state"], second["command"]) == ("Z", "")
    everyone = probe("process_list", {"sort": "newest"}, host).seen["processes"]
    assert [each["pid"] for each in everyone] == [901, 413, 412, 1]
    assert everyone[-1]["age"] == 10 * 86400 + 3 * 3600 + 4 * 60 + 5


@pytest.mark.parametrize(
    ("args", "pids", "summary"),
    [
        ({}, [412, 1], "a (pid 412) 512 MiB"),
        ({"sort": "cpu"}, [412, 1], "a (pid 412) 50.4 % CPU"),
        ({"sort": "newest"}, [901, 413], "sh (pid 901) 1.0 s old"),
    ],
)
def test_the_order_and_how_many_are_told(
    args: dict[str, Any], pids: list[int], summary: str
) -> None:
    host = target(FakeConnection([(0, PS, "")], family="macos"))
    outcome = probe("process_list", {**args, "show": 2}, host)
    assert [each["pid"] for each in outcome.seen["processes"]] == pids
    assert outcome.summary == f"4 processes, 50.4 % CPU, 522 MiB · {summary}"
    none = probe("process_list", {**args, "show": 0}, host)
    assert (none.seen["processes"], none.seen["count"]) == ([], outcome.seen["count"])
    assert " · " not in none.summary


def test_the_processor_may_be_measured_over_a_while() -> None:
    """Ten seconds: one process worked for five of them, one is new, and one has its pid anew."""
    later = (
        LINUX.replace("up 300.50", "up 310.50")
        .replace(stat(412, "app", 1, 412), stat(412, "app", 1, 412, used=650))
        .replace(stat(1, "init", 0, 1), stat(1, "init", 0, 1, began=30850))
    ) + stat(500, "new", 1, 500, used=100, began=30650)
    host = FakeConnection([(0, LINUX, ""), (0, later, "")])
    outcome = probe("process_list", {"over": "10ms", "sort": "cpu"}, target(host))
    used = {each["pid"]: each["cpu"] for each in outcome.seen["processes"]}
    assert used == {1: 100.0, 412: 50.0, 500: 37.5, 3: 0.0}
    assert list(used) == [1, 412, 500, 3]


@pytest.mark.parametrize(
    ("args", "finding"),
    [
        ({"user": "alice"}, None),
        ({"user": "alice", "min": 2}, None),
        ({"user": "alice", "max": 2}, None),
        ({"user": "alice", "min": 3}, "2 processes of alice, expected at least 3"),
        ({"user": "alice", "max": 1}, "2 processes of alice, expected at most 1"),
        ({"user": "alice", "max": 0}, "2 processes of alice, expected at most 0"),
        ({"name": "sh", "pattern": "no"}, "no process sh 'no', expected at least 1"),
        ({"name": "x", "user": "bob"}, "no process x of bob, expected at least 1"),
        ({"name": "x", "min": 0}, None),
        ({"name": "x", "max": 0}, None),
        ({}, None),
    ],
)
def test_too_few_or_too_many_is_a_finding(args: dict[str, Any], finding: str | None) -> None:
    host = FakeConnection([(0, PS, "")], family="macos")
    assert probe("process_list", args, target(host)).finding == finding


WINDOWS = (
    '[{"name":"java.exe","pid":4711,"command":"\\"C:\\\\Java\\\\java.exe\\" -jar a.jar",'
    '"parent":812,"user":"","state":"","memory":536870912,"age":100.5,"cpu_time":50.25,'
    '"started":1795600000.5},{"name":"System","pid":4,"command":"","parent":0,"user":"",'
    '"state":"","memory":147456,"age":0,"cpu_time":812.5,"started":1795600000}]\r\n'
)


@pytest.mark.parametrize("name", ["java.exe", "java", "JAVA"])
def test_a_windows_host_is_asked_through_powershell(name: str) -> None:
    host = FakeConnection([(0, WINDOWS, "")], family="windows")
    outcome = probe("process_list", {"name": name}, target(host))
    (found,) = outcome.seen["processes"]
    assert (found["pid"], found["cpu"], found["memory"]) == (4711, 50, 512 * 2**20)
    assert outcome.summary == f"1 process {name}, 50 % CPU, 512 MiB"
    text, given = script_of(host.commands[0])
    assert "Get-CimInstance Win32_Process" in text
    assert given == {}


@pytest.mark.parametrize(
    "args",
    [
        {"name": ""},
        {"pattern": "("},
        {"min": -1},
        {"name": "x", "min": 3, "max": 2},
        {"sort": "name"},
        {"show": 1000},
        {"over": "soon"},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("process_list", args)


TOOLS = ["cut", "date", "grep", "id", "sed", "sort", "tr"]


@pytest.mark.lab
@pytest.mark.parametrize("kit", ["usual", "busybox"])
@pytest.mark.parametrize("shell", SHELLS)
def test_in_other_shells_with_few_tools(shell: str, kit: str, tmp_path: Path) -> None:
    program = "/bin/busybox" if kit == "busybox" else ""
    host = Shell(through=SHELLS[shell], path=tools(tmp_path, TOOLS, program))
    with process("backend", "--queue=mail", "two words") as started:
        outcome = probe("process_list", {"pattern": "--queue=mail two words$"}, target(host))
        (found,) = outcome.seen["processes"]
    assert (found["pid"], found["name"]) == (started.pid, "backend")
    assert found["memory"] > 2**20


@pytest.mark.lab
def test_the_processes_of_another_machine(lab: Lab, links: Links) -> None:
    there = target(links.get("h1"))
    outcome = probe("process_list", {"name": "sshd"}, there)
    assert outcome.seen["count"] >= 1
    assert outcome.finding is None
    assert probe("process_list", {"name": "grep", "max": 0}, there).finding is None
    server = probe("process_list", {"pattern": "-f /srv/ssh/config-22 .*listener"}, there)
    (found,) = server.seen["processes"]
    assert str(found["pid"]) in lab.h1.exec(["pgrep", "-x", "sshd"]).stdout.split()
