from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.shells import SHELLS, Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.connections.base import OsFamily
    from engine.connections.links import Links
    from engine.contract import Target
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome


def saying(text: str, family: OsFamily = "linux", **args: Any) -> Outcome:
    """What the module makes of what a host says."""
    return probe("disk_usage", args, target(FakeConnection([(0, text, "")], family=family)))


def test_the_filesystem_of_a_path(tmp_path: Path) -> None:
    outcome = probe("disk_usage", {"paths": str(tmp_path), "max_percent": 100}, here())
    (found,) = outcome.seen["filesystems"]
    really = os.statvfs(tmp_path)
    assert found["size"] == pytest.approx(really.f_blocks * really.f_frsize, rel=0.01)
    assert found["available"] == pytest.approx(really.f_bavail * really.f_frsize, rel=0.01)
    assert found["inodes"] == really.f_files
    assert os.path.ismount(found["mount"])
    assert outcome.seen["percent"] == found["percent"]
    assert outcome.finding is None
    assert outcome.summary.startswith(f"{found['mount']} is {found['percent']:g} % full (")


def test_all_filesystems() -> None:
    outcome = probe("disk_usage", {}, here())
    mounts = [each["mount"] for each in outcome.seen["filesystems"]]
    assert "/" in mounts
    assert not {"/proc", "/sys", "/dev"} & set(mounts)
    percents = [each["percent"] for each in outcome.seen["filesystems"]]
    assert percents == sorted(percents, reverse=True)
    assert outcome.seen["percent"] == percents[0]


@pytest.mark.parametrize("path", ["/no/such/path", "-x", "--", "$(id)", "a b"])
def test_a_path_that_does_not_exist_is_named(path: str) -> None:
    with pytest.raises(ModuleFailed) as failed:
        probe("disk_usage", {"paths": ["/", path]}, here())
    assert failed.value.message == f"{path}: no such file or directory"


LINUX = """\
mount /dev/vda1 / ext4 rw,relatime 0 0
mount tmpfs /run tmpfs rw,nosuid,size=1024k 0 0
mount /dev/loop3 /snap/core/123 squashfs ro,nodev,relatime 0 0
mount overlay /var/lib/docker/overlay2/abc/merged overlay rw,lowerdir=/x 0 0
mount /dev/vdb /mnt/my\\040data xfs ro,relatime 0 0
mount udev /dev devtmpfs rw 0 0
size Filesystem     1024-blocks    Used Available Capacity Mounted on
size udev                  1000       0      1000       0% /dev
size /dev/vda1           100000   60000     35000      64% /
size tmpfs                 1024      24      1000       3% /run
size /dev/loop3            5000    5000         0     100% /snap/core/123
size overlay             100000   60000     35000      64% /var/lib/docker/overlay2/abc/merged
size /dev/vdb             20000   19000      1000      95% /mnt/my data
inodes Filesystem      Inodes  IUsed   IFree IUse% Mounted on
inodes udev              1000    400     600   40% /dev
inodes /dev/vda1         1000    930      70   93% /
inodes tmpfs             1000     10     990    1% /run
inodes /dev/loop3         100    100       0  100% /snap/core/123
inodes overlay           1000    930      70   93% /var/lib/docker/overlay2/abc/merged
inodes /dev/vdb             0      0       0     - /mnt/my data
"""


def test_what_cannot_fill_up_is_left_out() -> None:
    outcome = saying(LINUX)
    data, root, run = outcome.seen["filesystems"]
    assert data == {
        "mount": "/mnt/my data",
        "device": "/dev/vdb",
        "type": "xfs",
        "size": 20000 * 1024,
        "used": 19000 * 1024,
        "available": 1000 * 1024,
        "inodes": 0,
        "inodes_used": 0,
        "read_only": True,
        "percent": 95.0,
        "inodes_percent": 0.0,
    }
    assert (root["mount"], root["percent"], root["inodes_percent"]) == ("/", 63.2, 93.0)
    assert (run["mount"], run["type"], run["read_only"]) == ("/run", "tmpfs", False)
    assert (outcome.seen["percent"], outcome.seen["inodes_percent"]) == (95.0, 93.0)
    assert outcome.seen["available"] == 1000 * 1024
    assert outcome.summary == "/mnt/my data is 95 % full (1.0 MiB left), 2 others less full"


def test_what_is_named_is_told_in_its_order() -> None:
    outcome = saying(LINUX, paths=["/dev", "/"])
    assert len(outcome.seen["filesystems"]) == 6
    assert outcome.seen["filesystems"][0]["mount"] == "/dev"


@pytest.mark.parametrize(
    ("max_percent", "finding"),
    [
        (99, None),
        (93.1, "/mnt/my data is 95 % full (1.0 MiB left), expected less than 93.1 %"),
        (
            93,
            "/mnt/my data is 95 % full (1.0 MiB left); / has 93 % of its inodes in use, "
            "expected less than 93 %",
        ),
        (95, "/mnt/my data is 95 % full (1.0 MiB left), expected less than 95 %"),
        (
            90,
            "/mnt/my data is 95 % full (1.0 MiB left); / has 93 % of its inodes in use, "
            "expected less than 90 %",
        ),
    ],
)
def test_nearly_full_is_a_finding(max_percent: float, finding: str | None) -> None:
    assert saying(LINUX, max_percent=max_percent).finding == finding


MACOS = """\
mount /dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
mount devfs on /dev (devfs, local, nobrowse)
mount /dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse, protect)
mount map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
mount /dev/disk4s1 on /Volumes/My App 1.2 (hfs, local, nodev, nosuid, read-only, noowners)
both Filesystem     1024-blocks      Used Available Capacity iused      ifree %iused  Mounted on
both /dev/disk3s1s1   482797652  15249656 100000000    14%   404167 1000000000    0%   /
both devfs                  205       205         0   100%      710          0  100%   /dev
both /dev/disk3s5     482797652 300000000 100000000    75%  3000000 1000000000    0%   /System/Volumes/Data
both map auto_home            0         0         0   100%        0          0     -   /System/Volumes/Data/home
both /dev/disk4s1        100000    100000         0   100%      100          0  100%   /Volumes/My App 1.2
"""  # noqa: E501 - as df tells it


def test_macos() -> None:
    data, root = saying(MACOS, "macos").seen["filesystems"]
    assert (data["mount"], data["type"], data["percent"]) == ("/System/Volumes/Data", "apfs", 75.0)
    assert (data["inodes_used"], data["inodes"]) == (3_000_000, 1_003_000_000)
    assert (root["mount"], root["read_only"]) == ("/", True)
    assert root["used"] == 15249656 * 1024
    (*_, image) = saying(MACOS, "macos", paths="/Volumes/My App 1.2").seen["filesystems"]
    assert (image["mount"], image["type"], image["percent"]) == ("/Volumes/My App 1.2", "hfs", 100)


def test_a_host_without_any_disk_is_a_failure() -> None:
    with pytest.raises(ModuleFailed, match="no filesystem that could fill up"):
        saying("mount udev /dev devtmpfs rw 0 0\nsize udev 10 0 10 0% /dev\n")


def test_a_host_that_says_nothing_of_use_is_a_failure() -> None:
    with pytest.raises(ModuleFailed, match="df says nothing of use: 'df: what"):
        saying("df: what?\n")


WINDOWS = (
    '[{"read_only":false,"mount":"C:\\\\","device":"\\\\\\\\?\\\\Volume{1}\\\\","type":"NTFS",'
    '"size":1000000,"used":950000,"available":50000,"inodes":0,"inodes_used":0},'
    '{"read_only":false,"mount":"C:\\\\data\\\\","device":"\\\\\\\\?\\\\Volume{2}\\\\",'
    '"type":"ReFS","size":1000000,"used":100000,"available":900000,"inodes":0,"inodes_used":0},'
    '{"read_only":false,"mount":"\\\\\\\\?\\\\Volume{3}\\\\","device":"\\\\\\\\?\\\\Volume{3}\\\\",'
    '"type":"NTFS","size":1000,"used":999,"available":1,"inodes":0,"inodes_used":0}]\r\n'
)


def test_windows_volumes() -> None:
    host = FakeConnection([(0, WINDOWS, "")], family="windows")
    outcome = probe("disk_usage", {}, target(host))
    assert outcome.summary == "C:\\ is 95 % full (48.8 KiB left), 1 other less full"
    assert "Win32_Volume" in script_of(host.commands[0])[0]


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("C:\\Users", "C:\\"),
        ("c:/data/pg", "C:\\data\\"),
        ("C:\\data", "C:\\data\\"),
        ("C:\\database", "C:\\"),
        ("C:\\", "C:\\"),
    ],
)
def test_the_windows_volume_of_a_path(path: str, mount: str) -> None:
    (found,) = saying(WINDOWS, "windows", paths=path).seen["filesystems"]
    assert found["mount"] == mount


def test_a_windows_path_without_a_volume_is_named() -> None:
    with pytest.raises(ModuleFailed, match=r"E:\\x: no volume of this host holds it"):
        saying(WINDOWS, "windows", paths="E:\\x")


@pytest.mark.parametrize(
    "args", [{"paths": 1}, {"paths": [1]}, {"max_percent": 0}, {"max_percent": 101}, {"path": "/"}]
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("disk_usage", args)


@pytest.mark.lab
@pytest.mark.parametrize("kit", ["usual", "busybox"])
@pytest.mark.parametrize("shell", SHELLS)
def test_in_other_shells_with_few_tools(shell: str, kit: str, tmp_path: Path) -> None:
    program = "/bin/busybox" if kit == "busybox" else ""
    host = target(Shell(through=SHELLS[shell], path=tools(tmp_path, ["df", "sed"], program)))
    named = probe("disk_usage", {"paths": ["/dev", "/"]}, host).seen["filesystems"]
    assert [each["mount"] for each in named] == ["/dev", "/"]
    assert all(each["inodes"] for each in named)
    assert "/" in [each["mount"] for each in probe("disk_usage", {}, host).seen["filesystems"]]


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    """A host with a small disk of 1 MiB and 20 inodes."""
    host = lab.h1
    options = "size=1m,nr_inodes=20,mode=755"
    mount = f'mkdir -p "/srv/small disk" && mount -t tmpfs -o {options} small "/srv/small disk"'
    host.exec(["sh", "-ec", mount], check=True)
    yield host
    host.exec(["umount", "/srv/small disk"], check=True)


@pytest.fixture
def there(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


@pytest.mark.lab
def test_a_disk_that_fills_up(host: Host, there: Target) -> None:
    args = {"paths": "/srv/small disk"}
    assert probe("disk_usage", args, there).finding is None
    host.exec(["dd", "if=/dev/zero", "of=/srv/small disk/log", "bs=1k", "count=960"], check=True)
    outcome = probe("disk_usage", args, there)
    assert outcome.finding == (
        "/srv/small disk is 93.8 % full (64.0 KiB left), expected less than 90 %"
    )
    everything = probe("disk_usage", {}, there)
    assert everything.finding == outcome.finding
    assert everything.seen["filesystems"][0]["mount"] == "/srv/small disk"


@pytest.mark.lab
def test_a_disk_whose_inodes_are_used_up(host: Host, there: Target) -> None:
    host.exec(["sh", "-ec", 'cd "/srv/small disk"; touch $(seq 18)'], check=True)
    outcome = probe("disk_usage", {"paths": "/srv/small disk"}, there)
    assert outcome.finding == (
        "/srv/small disk has 95 % of its inodes in use, expected less than 90 %"
    )


@pytest.mark.lab
def test_an_overlay_is_told_only_if_it_is_named(there: Target) -> None:
    everything = probe("disk_usage", {}, there).seen["filesystems"]
    assert "overlay" not in {each["type"] for each in everything if each["mount"] != "/"}
    (etc,) = probe("disk_usage", {"paths": "/etc/hosts"}, there).seen["filesystems"]
    assert (etc["mount"], etc["type"]) == ("/etc", "overlay")
