"""What a container takes of its host, reckoned as `docker stats` does.

**Source:** docker/cli, cli/command/container/stats_helpers.go; kernel, cgroup-v1/memory.rst and
cgroup-v2.rst for `total_inactive_file` and `inactive_file`; Docker Engine API,
`GET /containers/{id}/stats`.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.contract.docker.engine import ask, streamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import docker
    import requests

    from engine.contract.target import Deadline

AT_ONCE = 8
"""Containers whose samples are waited for together; each takes a stream of its own, and a stream
may cost one of the ten sessions that sshd allows on a link."""
PATIENCE = 3
"""Seconds more to wait where the engine could not measure: it says so by a sample of nothing."""
NO_LIMIT = 2**63
"""From here on a figure is the kernel's way to say that there is no limit."""


class Usage(Struct, frozen=True, kw_only=True):
    """What a container takes; None where the engine does not tell, as of one that does not run.

    Args:
        memory_used: bytes, without the files that the kernel may forget at any time.
        memory_limit: bytes; where it has no limit of its own, what the host has.
        memory_percent: of the limit.
        cpu_percent: 100 is one processor; None where it was not measured.
        throttled_percent: of the time slices that it would have used, those that its limit of
            `cpus` cut short; None where it was not measured or has no such limit.
        pids: processes and threads.
        pids_limit: how many they may be; None without a limit.
        received: bytes over all networks since it was started.
        sent: likewise.
        read: bytes from disks since it was started.
        written: likewise.
    """

    memory_used: int | None = None
    memory_limit: int | None = None
    memory_percent: float | None = None
    cpu_percent: float | None = None
    throttled_percent: float | None = None
    pids: int | None = None
    pids_limit: int | None = None
    received: int | None = None
    sent: int | None = None
    read: int | None = None
    written: int | None = None

    @classmethod
    def of(cls, sample: dict[str, Any]) -> Usage:
        """What a sample of the engine's says."""
        used = memory_used(sample)
        if used is None:
            return cls()
        limit = sample["memory_stats"].get("limit") or None
        pids = sample.get("pids_stats", {})
        networks = (sample.get("networks") or {}).values()
        blocks = sample.get("blkio_stats", {}).get("io_service_bytes_recursive") or []
        before, now = sample.get("precpu_stats", {}), sample["cpu_stats"]
        return cls(
            memory_used=used,
            memory_limit=limit,
            memory_percent=_percent(used, limit),
            cpu_percent=_cpu_percent(now, before),
            throttled_percent=_throttled_percent(now, before),
            pids=pids.get("current"),
            pids_limit=_limit(pids),
            received=sum(network["rx_bytes"] for network in networks),
            sent=sum(network["tx_bytes"] for network in networks),
            read=_moved(blocks, "read"),
            written=_moved(blocks, "write"),
        )


def samples(
    client: docker.DockerClient, ids: Sequence[str], deadline: Deadline, *, second: bool = False
) -> dict[str, dict[str, Any]]:
    """A sample of each container; one that was removed has none.

    The engine takes samples of all containers together, once a second, and whoever asks for one
    after the other waits each time: so all are asked for at once, and read as they come.

    Args:
        client: of the engine.
        ids: of the containers.
        deadline: by when they must be there.
        second: the second of two samples, a second later, which brings the first one's figures of
            the processors along.
    """
    taken: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), AT_ONCE):
        with ExitStack() as open_streams:
            streams = {}
            for id_ in ids[start : start + AT_ONCE]:
                if (response := _opened(client, id_)) is not None:
                    open_streams.callback(response.close)
                    streams[id_] = _frames(streamed(response, deadline))
            for id_, frames in streams.items():
                if (found := _measured(frames, 2 if second else 1)) is not None:
                    taken[id_] = found
    return taken


def _measured(frames: Iterator[dict[str, Any]], wanted: int) -> dict[str, Any] | None:
    """The last of so many samples in a row that tell something, or what there is instead."""
    sample, in_a_row = None, 0
    for sample in islice(frames, wanted + PATIENCE):
        told = sample.get("memory_stats") or sample.get("pids_stats")
        in_a_row = in_a_row + 1 if told else 0
        if in_a_row == wanted:
            break
    return sample


def _opened(client: docker.DockerClient, id_: str) -> requests.Response | None:
    import docker.errors

    try:
        return ask(client, "GET", f"/containers/{id_}/stats", params={"stream": 1}, stream=True)
    except docker.errors.NotFound:
        return None


def _frames(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    buffer = b""
    for chunk in chunks:
        *whole, buffer = (buffer + chunk).split(b"\n")
        yield from (json.loads(line) for line in whole if line)


def memory_used(sample: dict[str, Any]) -> int | None:
    """Bytes of memory that the kernel cannot simply take back; None of one that does not run."""
    memory = sample.get("memory_stats") or {}
    if "privateworkingset" in memory:  # a Windows container
        return int(memory["privateworkingset"])
    if "usage" not in memory:
        return None
    figures = memory.get("stats") or {}
    for name in ("total_inactive_file", "inactive_file"):  # cgroup v1, which has both; v2
        if name in figures:
            spare = figures[name] if figures[name] < memory["usage"] else 0
            return int(memory["usage"] - spare)
    return int(memory["usage"])


def _cpu_percent(now: dict[str, Any], before: dict[str, Any]) -> float | None:
    if not before.get("system_cpu_usage") or "system_cpu_usage" not in now:
        return None
    passed = now["system_cpu_usage"] - before["system_cpu_usage"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    processors = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or [0])
    # It uses less than before where it was started again in between.
    return _percent(processors * used, passed) if passed > 0 and used >= 0 else None


def _throttled_percent(now: dict[str, Any], before: dict[str, Any]) -> float | None:
    if not before.get("system_cpu_usage"):
        return None
    first, last = before.get("throttling_data") or {}, now.get("throttling_data") or {}
    periods = last.get("periods", 0) - first.get("periods", 0)
    held_back = last.get("throttled_periods", 0) - first.get("throttled_periods", 0)
    return _percent(held_back, periods) if periods > 0 and held_back >= 0 else None


def _limit(pids: dict[str, Any]) -> int | None:
    limit = pids.get("limit") or 0
    return int(limit) if 0 < limit < NO_LIMIT else None


def _moved(blocks: list[dict[str, Any]], way: str) -> int:
    return sum(block["value"] for block in blocks if block["op"].lower() == way)


def _percent(part: float, whole: float | None) -> float | None:
    return round(100 * part / whole, 2) if whole else None
