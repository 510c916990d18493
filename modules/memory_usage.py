"""`memory_usage`: how much memory the host has left."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec.structs import replace

from engine.contract import Meta, ModuleFailed, Probe, Script, Struct, Target, amount, percent
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell

Percent = Annotated[float, Meta(gt=0, le=100)]

_POSIX = """LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
if [ -r /proc/meminfo ]; then
  cat /proc/meminfo
  [ ! -r /proc/pressure/memory ] || cat /proc/pressure/memory 2>/dev/null
  grep '^oom_kill ' /proc/vmstat 2>/dev/null
elif command -v vm_stat >/dev/null; then
  echo "hw.memsize: $(sysctl -n hw.memsize)"
  echo "vm.swapusage: $(sysctl -n vm.swapusage)"
  vm_stat
else
  echo "this system has neither /proc/meminfo nor vm_stat" >&2; exit 3
fi
exit 0
"""
_WINDOWS = """
$system = Get-CimInstance Win32_OperatingSystem
$total = 0; $used = 0
Get-CimInstance Win32_PageFileUsage | ForEach-Object {
  $total += [int64]$_.AllocatedBaseSize; $used += [int64]$_.CurrentUsage
}
@{ total = [int64]$system.TotalVisibleMemorySize * 1024
   available = [int64]$system.FreePhysicalMemory * 1024
   swap_total = $total * 1MB; swap_used = $used * 1MB } | ConvertTo-Json -Compress
"""
_LINE = re.compile(r"^([\w.() -]+):\s+(\d+)(?: kB)?\.?$", re.MULTILINE)
_STALLS = re.compile(r"^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) ", re.MULTILINE)
_SWAP = re.compile(r"^vm\.swapusage: total = ([\d.]+)M +used = ([\d.]+)M ", re.MULTILINE)
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_PAGE = re.compile(r"page size of (\d+) bytes")


class Stall(Struct, frozen=True, kw_only=True):
    """Per cent of the time that was lost waiting for memory.

    Args:
        avg10: of the last 10 seconds.
        avg60: of the last minute.
        avg300: of the last five minutes.
    """

    avg10: float
    avg60: float
    avg300: float


class Memory(Struct, frozen=True, kw_only=True):
    """What the host has left.

    Args:
        total: bytes of memory.
        available: bytes that programs can have without swapping, caches given up.
        swap_total: bytes of swap or page files.
        swap_used: bytes of them in use.
        used: bytes that are not available.
        percent: of all memory.
        swap_percent: of all swap; 0 where there is none.
        some: time in which some task waited for memory; None where the kernel does not tell.
        full: time in which all that had work to do waited.
        oom_kills: processes that the kernel ended for want of memory since it was started; None
            where it does not tell.
    """

    total: int
    available: int
    swap_total: int
    swap_used: int
    used: int = 0
    percent: float = 0
    swap_percent: float = 0
    some: Stall | None = None
    full: Stall | None = None
    oom_kills: int | None = None


class MemoryUsage(Probe[Memory], frozen=True, kw_only=True):
    """See how much memory the host has left, and whether its programs wait for it.

    Without `expect` it is a finding when memory is nearly used up, or much time is lost waiting
    for it. A container's own limit is another thing.

    Args:
        max_percent: so much of the memory may be in use.
        max_swap_percent: so much of the swap; any unless given.
        max_stall: so many per cent of the last minute all programs may have waited for memory.

    **Source:** proc_meminfo(5), Linux' "PSI - Pressure Stall Information"; macOS' vm_stat(1);
    Windows' Win32_OperatingSystem.
    """

    max_percent: Percent = 90
    max_swap_percent: Percent | None = None
    max_stall: Percent = 10

    def observe(self, target: Target) -> Memory:
        """Ask the kernel."""
        if target.platform.family == "windows":
            return _measured(ask_powershell(target, _WINDOWS, Memory))
        finished = target.run(Script(_POSIX))
        if finished.status:
            raise ModuleFailed(finished.stderr.text.strip() or "the kernel cannot be asked")
        with understood():
            return _measured(read(finished.stdout.text))

    def finding(self, seen: Memory) -> str | None:
        """Memory or swap nearly used up, or much time lost waiting for it."""
        told = []
        if seen.percent >= self.max_percent:
            told.append(f"{_used(seen)}, expected less than {self.max_percent:g} %")
        if self.max_swap_percent is not None and seen.swap_percent >= self.max_swap_percent:
            told.append(f"{_swap(seen)}, expected less than {self.max_swap_percent:g} %")
        if seen.full is not None and seen.full.avg60 >= self.max_stall:
            told.append(f"programs waited for memory {seen.full.avg60:g} % of the last minute")
        return "; ".join(told) or None

    def summary(self, seen: Memory) -> str:
        """`478 MiB of 512 MiB in use (93.4 %), swap 12 % of 2.0 GiB`."""
        return f"{_used(seen)}, {_swap(seen)}"


def read(said: str) -> Memory:
    """What the script said."""
    figures = {name: int(number) for name, number in _LINE.findall(said)}
    if "MemTotal" in figures:
        return _linux(figures, said)
    if "hw.memsize" in figures:
        return _macos(figures, said)
    raise ModuleFailed(f"the kernel says nothing of memory: {said[-200:]!r}")


def _linux(figures: dict[str, int], said: str) -> Memory:
    kib = {name: number * 1024 for name, number in figures.items()}
    caches = sum(kib.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    stalls = {
        kind: Stall(avg10=float(avg10), avg60=float(avg60), avg300=float(avg300))
        for kind, avg10, avg60, avg300 in _STALLS.findall(said)
    }
    kills = _KILLS.search(said)
    return Memory(
        total=kib["MemTotal"],
        available=kib.get("MemAvailable", caches),  # kernels before 3.14 do not tell
        swap_total=kib.get("SwapTotal", 0),
        swap_used=kib.get("SwapTotal", 0) - kib.get("SwapFree", 0),
        some=stalls.get("some"),
        full=stalls.get("full"),
        oom_kills=int(kills[1]) if kills else None,
    )


def _macos(figures: dict[str, int], said: str) -> Memory:
    page, swap = _PAGE.search(said), _SWAP.search(said)
    if page is None:
        raise ModuleFailed("vm_stat does not tell the size of a page")
    free = ("Pages free", "Pages inactive", "Pages speculative")
    total, used = (float(swap[1]), float(swap[2])) if swap else (0.0, 0.0)
    return Memory(
        total=figures["hw.memsize"],
        available=sum(figures.get(name, 0) for name in free) * int(page[1]),
        swap_total=round(total * 2**20),
        swap_used=round(used * 2**20),
    )


def _measured(seen: Memory) -> Memory:
    used = seen.total - seen.available
    return replace(
        seen,
        used=used,
        percent=percent(used, seen.total),
        swap_percent=percent(seen.swap_used, seen.swap_total),
    )


def _used(seen: Memory) -> str:
    return f"{amount(seen.used)} of {amount(seen.total)} in use ({seen.percent:g} %)"


def _swap(seen: Memory) -> str:
    if not seen.swap_total:
        return "no swap"
    return f"swap {seen.swap_percent:g} % of {amount(seen.swap_total)}"


EXAMPLE = """
name: The host has memory left
memory_usage: {max_percent: 85}
register: memory
"""
