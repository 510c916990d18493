"""`disk_usage`: how full the host's filesystems are."""

from __future__ import annotations

from typing import Annotated, ClassVar

from engine.contract import Meta, ModuleFailed, Probe, Struct, Target, amount, count
from engine.contract.filesystems import Filesystem, filesystems

KEPT = 100
"""Filesystems that are told."""


class Disks(Struct, frozen=True, kw_only=True):
    """How full they are.

    Args:
        percent: of the fullest.
        inodes_percent: of the one with the fewest inodes left.
        available: bytes left on the fullest.
        filesystems: all of them, the fullest first; those of `paths` in their order.
    """

    percent: float
    inodes_percent: float
    available: int
    filesystems: list[Filesystem]


class DiskUsage(Probe[Disks], frozen=True, kw_only=True):
    """See how full the host's filesystems are, in bytes and in inodes.

    Without `paths` these are all that are on the host itself and can fill up: not those of the
    network, whose server might not answer, not those of containers, and not what is read-only by
    nature. Without `expect` it is a finding when one is nearly full, or has nearly no inode left.

    Args:
        paths: only the filesystems that these files or directories are on.
        max_percent: so full one may be, in bytes and in inodes.

    **Source:** df(1) in the form of POSIX, proc_pid_mounts(5); Windows' Win32_Volume.
    """

    primary: ClassVar[str] = "paths"

    paths: str | list[str] | None = None
    max_percent: Annotated[float, Meta(gt=0, le=100)] = 90

    def observe(self, target: Target) -> Disks:
        """Ask df, or Windows."""
        paths = (self.paths,) if isinstance(self.paths, str) else tuple(self.paths or ())
        found = filesystems(target, paths)
        if not found:
            raise ModuleFailed("the host has no filesystem that could fill up")
        by_bytes = sorted(found, key=lambda each: -each.percent)
        return Disks(
            percent=by_bytes[0].percent,
            inodes_percent=max(each.inodes_percent for each in found),
            available=by_bytes[0].available,
            filesystems=(found if paths else by_bytes)[:KEPT],
        )

    def finding(self, seen: Disks) -> str | None:
        """Nearly full, or nearly no inode left."""
        full = [each for each in seen.filesystems if each.percent >= self.max_percent]
        crowded = [each for each in seen.filesystems if each.inodes_percent >= self.max_percent]
        told = [_full(each) for each in full]
        told += [_crowded(each) for each in crowded]
        return f"{'; '.join(told)}, expected less than {self.max_percent:g} %" if told else None

    def summary(self, seen: Disks) -> str:
        """`/var is 41 % full (23.1 GiB left), 2 others less full`."""
        fullest = max(seen.filesystems, key=lambda each: each.percent)
        more = len(seen.filesystems) - 1
        return _full(fullest) + (f", {count(more, 'other')} less full" if more else "")


def _crowded(usage: Filesystem) -> str:
    return f"{usage.mount} has {usage.inodes_percent:g} % of its inodes in use"


def _full(usage: Filesystem) -> str:
    return f"{usage.mount} is {usage.percent:g} % full ({amount(usage.available)} left)"


EXAMPLE = """
name: There is room for the database
disk_usage: {paths: /var/lib/postgresql, max_percent: 85}
"""
