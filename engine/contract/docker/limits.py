"""What a container may take of its host, and what becomes of it when it ends."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

CPU_PERIOD = 100_000
"""Microseconds: the kernel's, where a container has none of its own."""
UNLIMITED = -1
"""As Docker says it of swap and of processes."""


class Limits(Struct, frozen=True, kw_only=True):
    """A container's limits; None where it has none.

    Args:
        memory: bytes.
        memory_swap: bytes of memory and swap together; -1 without a limit of the swap.
        memory_reservation: bytes that it is pressed down to when the host is short of them.
        cpus: how many processors' time; 1.5 is one and a half.
        pids_limit: processes and threads.
        restart_policy: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`.
    """

    memory: int | None
    memory_swap: int | None
    memory_reservation: int | None
    cpus: float | None
    pids_limit: int | None
    restart_policy: str

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Limits:
        """The limits in the engine's own description of a container."""
        host = raw["HostConfig"]
        pids = host.get("PidsLimit") or 0
        return cls(
            memory=host["Memory"] or None,
            memory_swap=host["MemorySwap"] or None,
            memory_reservation=host["MemoryReservation"] or None,
            cpus=_cpus(host),
            pids_limit=pids if pids > 0 else None,
            restart_policy=_restart_policy(host["RestartPolicy"]),
        )


def _cpus(host: dict[str, Any]) -> float | None:
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / 1e9
    if host.get("CpuQuota", 0) > 0:
        return float(host["CpuQuota"]) / (host.get("CpuPeriod") or CPU_PERIOD)
    return None


def _restart_policy(policy: dict[str, Any]) -> str:
    tries = policy.get("MaximumRetryCount")
    return f"{policy['Name'] or 'no'}:{tries}" if tries else policy["Name"] or "no"
