from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.shells import SHELLS, Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from engine.connections.base import OsFamily
    from engine.connections.links import Links
    from tests.modules.sequence import Outcome


def saying(text: str, family: OsFamily = "linux", **args: Any) -> Outcome:
    """What the module makes of what a host says."""
    return probe("memory_usage", args, target(FakeConnection([(0, text, "")], family=family)))


def test_this_machine() -> None:
    outcome = probe("memory_usage", {"max_percent": 100}, here())
    total = re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert total is not None
    seen = outcome.seen
    assert seen["total"] == int(total[1]) * 1024
    assert 0 < seen["available"] < seen["total"]
    assert seen["used"] == seen["total"] - seen["available"]
    assert 0 < seen["percent"] < 100
    assert f"({seen['percent']:g} %)" in outcome.summary


LINUX = """\
MemTotal:        1000000 kB
MemFree:           20000 kB
MemAvailable:      50000 kB
Buffers:            1000 kB
Cached:            90000 kB
SwapCached:            0 kB
SwapTotal:       2000000 kB
SwapFree:         500000 kB
HugePages_Total:       0
some avg10=80.00 avg60=41.50 avg300=12.25 total=123456789
full avg10=40.00 avg60=25.50 avg300=6.00 total=12345678
oom_kill 3
"""


def test_linux() -> None:
    outcome = saying(LINUX)
    assert outcome.seen == {
        "total": 1_000_000 * 1024,
        "available": 50_000 * 1024,
        "used": 950_000 * 1024,
        "percent": 95.0,
        "swap_total": 2_000_000 * 1024,
        "swap_used": 1_500_000 * 1024,
        "swap_percent": 75.0,
        "some": {"avg10": 80.0, "avg60": 41.5, "avg300": 12.25},
        "full": {"avg10": 40.0, "avg60": 25.5, "avg300": 6.0},
        "oom_kills": 3,
    }
    assert outcome.summary == "928 MiB of 977 MiB in use (95 %), swap 75 % of 1.9 GiB"


USED = "928 MiB of 977 MiB in use (95 %), expected less than"
SWAP = "swap 75 % of 1.9 GiB, expected less than"
STALL = "programs waited for memory 25.5 % of the last minute"


@pytest.mark.parametrize(
    ("args", "finding"),
    [
        ({}, f"{USED} 90 %; {STALL}"),
        ({"max_percent": 95}, f"{USED} 95 %; {STALL}"),
        ({"max_percent": 96}, STALL),
        ({"max_percent": 96, "max_stall": 26}, None),
        ({"max_percent": 96, "max_stall": 26, "max_swap_percent": 75}, f"{SWAP} 75 %"),
        ({"max_percent": 96, "max_stall": 26, "max_swap_percent": 76}, None),
    ],
)
def test_too_little_left_is_a_finding(args: dict[str, Any], finding: str | None) -> None:
    assert saying(LINUX, **args).finding == finding


def test_an_old_kernel_without_swap() -> None:
    outcome = saying("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 350 kB\n")
    assert (outcome.seen["percent"], outcome.seen["available"]) == (50.0, 500 * 1024)
    assert (outcome.seen["some"], outcome.seen["full"]) == (None, None)
    assert outcome.seen["oom_kills"] is None
    assert outcome.finding is None
    assert outcome.summary.endswith(" in use (50 %), no swap")


MACOS = """\
hw.memsize: 17179869184
vm.swapusage: total = 2048.00M  used = 512.00M  free = 1536.00M  (encrypted)
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            400000.
Pages inactive:                          150000.
Pages speculative:                         2144.
Pages throttled:                              0.
"Translation faults":                1234567890.
Pages purgeable:                           5000.
"""


def test_macos() -> None:
    seen = saying(MACOS, "macos").seen
    assert seen["total"] == 16 * 2**30
    assert seen["available"] == 162144 * 16384
    assert (seen["swap_total"], seen["swap_used"]) == (2 * 2**30, 512 * 2**20)
    assert (seen["percent"], seen["swap_percent"]) == (84.5, 25.0)
    assert seen["full"] is None


def test_windows() -> None:
    answer = (
        '{"available":838860800,"total":8589934592,"swap_used":104857600,"swap_total":1073741824}'
    )
    host = FakeConnection([(0, answer, "")], family="windows")
    outcome = probe("memory_usage", {}, target(host))
    assert outcome.summary == "7.2 GiB of 8.0 GiB in use (90.2 %), swap 9.8 % of 1.0 GiB"
    assert str(outcome.finding).endswith("(90.2 %), expected less than 90 %")
    assert "Win32_OperatingSystem" in script_of(host.commands[0])[0]


def test_a_system_that_does_not_tell_is_a_failure() -> None:
    said = "this system has neither /proc/meminfo nor vm_stat"
    with pytest.raises(ModuleFailed, match=said):
        probe("memory_usage", {}, target(FakeConnection([(3, "", f"{said}\n")], family="posix")))
    with pytest.raises(ModuleFailed, match="the kernel says nothing of memory: 'what"):
        saying("what?\n")


@pytest.mark.parametrize(
    "args", [{"max_percent": 0}, {"max_percent": 101}, {"max_stall": 0}, {"max": 1}]
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("memory_usage", args)


@pytest.mark.lab
@pytest.mark.parametrize("kit", ["usual", "busybox"])
@pytest.mark.parametrize("shell", SHELLS)
def test_in_other_shells_with_few_tools(shell: str, kit: str, tmp_path: Path) -> None:
    program = "/bin/busybox" if kit == "busybox" else ""
    host = Shell(through=SHELLS[shell], path=tools(tmp_path, ["cat", "grep"], program))
    assert probe("memory_usage", {}, target(host)).seen["total"] > 2**20


@pytest.mark.lab
def test_another_machine(links: Links) -> None:
    seen = probe("memory_usage", {}, target(links.get("h1"))).seen
    assert 0 < seen["available"] < seen["total"]
