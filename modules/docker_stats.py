"""`docker_stats`: what containers take of memory, processors, networks and disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import asdict

from engine.contract import Probe, Struct, Target, amount, count
from engine.contract.docker import (
    SOCKET,
    Container,
    ContainerName,
    Usage,
    docker_engine,
    find,
    inspect,
    samples,
)

if TYPE_CHECKING:
    import docker

NEARLY_FULL = 90.0
"""Percent of a limit from which on it is a finding."""


class One(Usage, frozen=True, kw_only=True):
    """One container, and what it takes.

    Args:
        name: its name.
        id: all 64 characters.
        condition: how it is, for people.
        runs: whether it does; the figures of one that does not are None.
    """

    name: str
    id: str
    condition: str
    runs: bool


class Stats(Struct, frozen=True, kw_only=True):
    """What they take.

    Args:
        memory_percent: of its limit, of the one that is nearest to it: of one container simply
            its own. None where none runs.
        cpu_percent: likewise of the busiest; None unless measured.
        containers: each by its name, in alphabetical order.
    """

    memory_percent: float | None
    cpu_percent: float | None
    containers: dict[str, One]


class DockerStats(Probe[Stats], frozen=True, kw_only=True):
    """Measure containers as `docker stats` does: memory, processes, networks, disks, processors.

    The engine measures once a second, so that a look takes a second at most, or one for every
    eight of many containers; the share of the processors takes a second more, and is measured
    where it is asked for. Memory is told without the files that the kernel may forget at any
    time, and the limit of a container that has none is the host's memory. Without `expect` a
    finding is a container that uses 90 % or more of its memory or of its processes, that the
    engine could not measure for three seconds, or that does not run.

    Args:
        container: one name, several, or, if not given, all that run; a name may also be at least
            12 characters of an id.
        cpu: measure the processors too, over a second.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `GET /containers/{id}/stats`; docker/cli, stats_helpers.go for
    what is used; moby, daemon/stats/collector.go for when it is measured.
    """

    primary: ClassVar[str] = "container"

    container: ContainerName | list[ContainerName] | None = None
    cpu: bool = False
    socket: str = SOCKET

    def observe(self, target: Target) -> Stats:
        """Take a sample of each, or two."""
        with docker_engine(target, self.socket) as client:
            chosen = self._chosen(client)
            ids = [each.id for each in chosen if not each.ended]
            taken = samples(client, ids, target.deadline, second=self.cpu)
        if self.container is None:  # one that has gone since is none of all that run
            chosen = [each for each in chosen if each.id in taken]
        return _stats([_one(each, taken.get(each.id)) for each in chosen])

    def finding(self, seen: Stats) -> str | None:
        """Which are nearly full, or do not run."""
        found = [said for one in seen.containers.values() for said in _findings(one)]
        return "; ".join(found) or None

    def summary(self, seen: Stats) -> str:
        """`478 MiB of 512 MiB (93 %)`, with the name of the fullest where there are several."""
        measured = [one for one in seen.containers.values() if one.memory_used is not None]
        if not measured:
            return ", ".join(one.condition for one in seen.containers.values()) or "none runs"
        fullest = max(measured, key=lambda one: one.memory_percent or 0)
        if len(seen.containers) == 1:
            return _shown(fullest)
        return f"{count(len(measured), 'container')}, the fullest {fullest.name}: {_shown(fullest)}"

    def _chosen(self, client: docker.DockerClient) -> list[Container]:
        if self.container is None:
            running = [inspect(client, each["Id"]) for each in client.api.containers()]
            return [each for each in running if each is not None]
        names = self.container if isinstance(self.container, list) else [self.container]
        return [Container.of(find(client, name)) for name in names]


def _one(seen: Container, sample: dict[str, Any] | None) -> One:
    usage = Usage.of(sample) if sample else Usage()
    return One(
        **asdict(usage),
        name=seen.name,
        id=seen.id,
        condition=seen.condition,
        runs=seen.state == "running",
    )


def _stats(containers: list[One]) -> Stats:
    return Stats(
        memory_percent=_highest([one.memory_percent for one in containers]),
        cpu_percent=_highest([one.cpu_percent for one in containers]),
        containers={one.name: one for one in sorted(containers, key=lambda one: one.name)},
    )


def _highest(figures: list[float | None]) -> float | None:
    return max((figure for figure in figures if figure is not None), default=None)


def _findings(one: One) -> list[str]:
    found = [] if one.runs else [f"{one.name} does not run: {one.condition}"]
    if one.runs and one.memory_used is None and one.pids is None:
        found.append(f"{one.name} runs, but the engine could not measure it")
    if one.memory_percent is not None and one.memory_percent >= NEARLY_FULL:
        found.append(f"{one.name} uses {one.memory_percent:.0f} % of its memory")
    if one.pids and one.pids_limit and 100 * one.pids >= NEARLY_FULL * one.pids_limit:
        found.append(f"{one.name} has {one.pids} of {one.pids_limit} processes")
    return found


def _shown(one: One) -> str:
    said = amount(one.memory_used or 0)
    if one.memory_limit and one.memory_percent is not None:
        said += f" of {amount(one.memory_limit)} ({one.memory_percent:.0f} %)"
    return said if one.cpu_percent is None else f"{said}, {one.cpu_percent:.0f} % of a processor"


EXAMPLE = """
name: Memory in use
docker_stats: backend
register: memory
expect: result.memory_percent < 90
"""
