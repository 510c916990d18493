"""The filesystems of a host, on every platform in the same words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from msgspec import Struct
from msgspec.structs import replace

from engine.connections.base import Script
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell
from engine.errors import ModuleFailed
from engine.units import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.contract.target import Target

# Paths are `$@`. Without any, network filesystems are left out where df can do that: a server that
# is dead would hold up the rest.
_START = """LC_ALL=C; export LC_ALL
for path; do
  [ -e "$path" ] || { echo "$path: no such file or directory" >&2; exit 3; }
done
local=
if [ $# -eq 0 ] && df -l / >/dev/null 2>&1; then local=-l; fi
"""
_LINUX = f"""{_START}
sed 's/^/mount /' /proc/self/mounts
df -Pk $local -- "$@" 2>/dev/null | sed 's/^/size /'
df -Pi $local -- "$@" 2>/dev/null | sed 's/^/inodes /'
exit 0
"""
_ELSEWHERE = f"""{_START}
mount | sed 's/^/mount /'
df -ki $local -- "$@" 2>/dev/null | sed 's/^/both /'
exit 0
"""
_WINDOWS = """
$all = @(Get-CimInstance Win32_Volume -Filter 'DriveType=3' |
  Where-Object { $_.Capacity -gt 0 } | ForEach-Object {
  @{ mount = [string]$_.Name; device = [string]$_.DeviceID; type = [string]$_.FileSystem
     size = [int64]$_.Capacity; used = [int64]($_.Capacity - $_.FreeSpace)
     available = [int64]$_.FreeSpace; inodes = 0; inodes_used = 0; read_only = $false }
})
ConvertTo-Json -InputObject $all -Depth 2 -Compress
"""
_FULL_BY_NATURE = frozenset({"squashfs", "iso9660", "udf", "erofs", "cramfs"})
_NO_DISK = frozenset({"devfs", "devtmpfs", "autofs", "procfs", "linprocfs", "fdescfs"})


class Filesystem(Struct, frozen=True, kw_only=True):
    r"""A mounted filesystem, or a Windows volume.

    Args:
        mount: where it is mounted: `/var`, `C:\\`.
        device: what it is on.
        type: `ext4`, `tmpfs`, `NTFS`…; empty where the host does not tell.
        size: bytes.
        used: bytes.
        available: bytes that ordinary accounts may still take.
        inodes: how many there are; 0 where that has no limit.
        inodes_used: how many are taken.
        read_only: whether nothing can be written to it.
        percent: how full it is for ordinary accounts, as df tells it.
        inodes_percent: how many of its inodes are taken.
    """

    mount: str
    device: str
    type: str
    size: int
    used: int
    available: int
    inodes: int
    inodes_used: int
    read_only: bool
    percent: float = 0
    inodes_percent: float = 0

    def measured(self) -> Self:
        """The same with its percentages."""
        return replace(
            self,
            percent=percent(self.used, self.used + self.available),
            inodes_percent=percent(self.inodes_used, self.inodes),
        )


def filesystems(target: Target, paths: tuple[str, ...] = ()) -> list[Filesystem]:
    """The host's filesystems.

    Args:
        target: the host.
        paths: the filesystems of these, in this order. Without any, all that are on this host and
            can fill up: not what is read-only by nature, and not those of containers.

    Raises:
        ModuleFailed: there is no such path, or it cannot be seen.
    """
    family = target.platform.family
    if family == "windows":
        volumes = ask_powershell(target, _WINDOWS, list[Filesystem])
        return [each.measured() for each in _of_paths(volumes, paths)]
    finished = target.run(Script(_LINUX if family == "linux" else _ELSEWHERE, args=paths))
    if finished.status:
        raise ModuleFailed(finished.stderr.text.strip() or "df cannot be run")
    with understood():
        found = [each.measured() for each in read_df(finished.stdout.text)]
    if not found:
        raise ModuleFailed(f"df says nothing of use: {finished.stdout.text[-200:]!r}")
    return found if paths else [each for each in found if _can_fill(each, family)]


def read_df(said: str) -> Iterator[Filesystem]:
    """The filesystems of what a script said."""
    mounts: dict[str, tuple[str, bool]] = {}
    rows: list[_Row] = []
    inodes: dict[str, tuple[int, int]] = {}
    for line in said.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "mount":
            mount, kind, read_only = _mounted(rest)
            mounts[mount] = kind, read_only
        elif row := _row(rest, both=word == "both"):
            if word == "inodes":
                inodes[row.mount] = row.numbers[1], row.numbers[2]
            else:
                rows.append(row)
    for row in rows:
        kind, read_only = mounts.get(row.mount, ("", False))
        taken, left = inodes.get(row.mount, row.inodes)
        yield Filesystem(
            mount=row.mount,
            device=row.device,
            type=kind,
            size=row.numbers[0] * 1024,
            used=row.numbers[1] * 1024,
            available=row.numbers[2] * 1024,
            inodes=taken + left,
            inodes_used=taken,
            read_only=read_only,
        )


class _Row(Struct, frozen=True):
    """A line of df.

    Args:
        device: what it is on.
        numbers: size, used, available.
        inodes: used, available.
        mount: where it is mounted.
    """

    device: str
    numbers: tuple[int, int, int]
    inodes: tuple[int, int]
    mount: str


def _row(line: str, *, both: bool) -> _Row | None:
    """A line of df, whose first and last column may hold spaces; None for its headings."""
    words = line.split()
    for at in range(1, len(words) - 4):
        numbers = [_number(word) for word in words[at : at + 3]]
        if None in numbers or not words[at + 3].endswith(("%", "-")):
            continue
        after = at + 7 if both else at + 4
        taken = [_number(word) or 0 for word in words[at + 4 : at + 6]] if both else [0, 0]
        return _Row(
            " ".join(words[:at]),
            (numbers[0] or 0, numbers[1] or 0, numbers[2] or 0),
            (taken[0], taken[1]),
            line.split(None, after)[-1].strip(),
        )
    return None


def _number(word: str) -> int | None:
    if word == "-":
        return 0
    return int(word) if word.isdigit() else None


def _mounted(line: str) -> tuple[str, str, bool]:
    """Mount point, type and whether it is read-only, of a line of /proc/mounts or mount(8)."""
    device, on, rest = line.partition(" on ")
    if on and rest.endswith(")"):
        mount, _, options = rest[:-1].rpartition(" (")
        words = options.split(", ")
        return mount, words[0], "read-only" in words
    words = line.split(" ")
    if len(words) < 4:
        return device, "", False
    return _unescaped(words[1]), words[2], "ro" in words[3].split(",")


def _unescaped(path: str) -> str:
    """A path with the octal escapes of getmntent(3) undone."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _can_fill(filesystem: Filesystem, family: str) -> bool:
    if not filesystem.size or filesystem.type in _FULL_BY_NATURE | _NO_DISK:
        return False
    if filesystem.mount == "/":
        return True
    return filesystem.type != "overlay" if family == "linux" else not filesystem.read_only


def _of_paths(volumes: list[Filesystem], paths: tuple[str, ...]) -> list[Filesystem]:
    """The Windows volumes that paths are on: the one whose name is the longest beginning."""
    if not paths:
        return [each for each in volumes if ":" in each.mount]
    found = []
    for path in paths:
        wanted = path.replace("/", "\\").lower().rstrip("\\") + "\\"
        holding = [each for each in volumes if wanted.startswith(each.mount.lower())]
        if not holding:
            raise ModuleFailed(f"{path}: no volume of this host holds it")
        found.append(max(holding, key=lambda each: len(each.mount)))
    return found
