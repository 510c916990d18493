"""Samples in the forms that engines send, reckoned as `docker stats` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract.docker import Usage
from modules.docker_stats import DockerStats, One, Stats
from tests.modules.fake_engine import described, fake_engine
from tests.modules.fakes import here
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Docker 20.10 on cgroup v1: the hierarchy's figures have a prefix, and its own come too.
V1: dict[str, Any] = {
    "pids_stats": {"current": 18, "limit": 20},
    "cpu_stats": {
        "cpu_usage": {"total_usage": 3_000_000_000, "percpu_usage": [1, 2]},
        "system_cpu_usage": 8_000_000_000_000,
        "online_cpus": 2,
        "throttling_data": {"periods": 40, "throttled_periods": 33, "throttled_time": 9},
    },
    "precpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
    "memory_stats": {
        "usage": 500 * 2**20,
        "stats": {"inactive_file": 1, "total_inactive_file": 100 * 2**20},
        "limit": 512 * 2**20,
    },
    "networks": {
        "eth0": {"rx_bytes": 100, "tx_bytes": 7},
        "eth1": {"rx_bytes": 50, "tx_bytes": 1},
    },
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "minor": 0, "op": "Read", "value": 4096},
            {"major": 8, "minor": 16, "op": "Read", "value": 1024},
            {"major": 8, "minor": 0, "op": "Write", "value": 8192},
            {"major": 8, "minor": 0, "op": "Total", "value": 12288},
        ]
    },
}
# Docker 24 on cgroup v2: no prefix, small letters, and a pids limit of 2**64 - 1 for none.
V2: dict[str, Any] = {
    "pids_stats": {"current": 3, "limit": 18446744073709551615},
    "cpu_stats": {
        "cpu_usage": {"total_usage": 5_500_000_000},
        "system_cpu_usage": 1_010_000_000_000,
        "online_cpus": 4,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    },
    "precpu_stats": {
        "cpu_usage": {"total_usage": 5_000_000_000},
        "system_cpu_usage": 1_000_000_000_000,
        "online_cpus": 4,
    },
    "memory_stats": {
        "usage": 300 * 2**20,
        "stats": {"anon": 1, "file": 2, "inactive_file": 44 * 2**20},
        "limit": 2**30,
    },
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "minor": 0, "op": "read", "value": 4096},
            {"major": 8, "minor": 0, "op": "write", "value": 8192},
        ]
    },
}
# Of a container that does not run.
STOPPED: dict[str, Any] = {
    "pids_stats": {},
    "blkio_stats": {"io_service_bytes_recursive": None},
    "cpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
    "precpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
    "memory_stats": {},
}
WINDOWS: dict[str, Any] = {
    "pids_stats": {},
    "blkio_stats": {"io_service_bytes_recursive": None},
    "num_procs": 4,
    "cpu_stats": {"cpu_usage": {"total_usage": 900}, "throttling_data": {}},
    "precpu_stats": {"cpu_usage": {"total_usage": 100}, "throttling_data": {}},
    "memory_stats": {"commitbytes": 9, "commitpeakbytes": 9, "privateworkingset": 77},
    "networks": {"0a": {"rx_bytes": 1, "tx_bytes": 2}},
}


def after(sample: dict[str, Any], *, used: int, passed: int, **throttling: int) -> dict[str, Any]:
    """The same container some time afterwards, as the second sample of a stream."""
    before = sample["cpu_stats"]
    throttled = {name: before["throttling_data"][name] + n for name, n in throttling.items()}
    return {
        **sample,
        "precpu_stats": before,
        "cpu_stats": {
            **before,
            "cpu_usage": {"total_usage": before["cpu_usage"]["total_usage"] + used},
            "system_cpu_usage": before["system_cpu_usage"] + passed,
            "throttling_data": {**before["throttling_data"], **throttled},
        },
    }


def test_files_that_may_be_forgotten_are_not_in_use_cgroup_v1() -> None:
    usage = Usage.of(V1)
    assert (usage.memory_used, usage.memory_limit) == (400 * 2**20, 512 * 2**20)
    assert usage.memory_percent == 78.12


def test_files_that_may_be_forgotten_are_not_in_use_cgroup_v2() -> None:
    usage = Usage.of(V2)
    assert (usage.memory_used, usage.memory_limit) == (256 * 2**20, 2**30)
    assert usage.memory_percent == 25


def test_more_to_forget_than_is_used_is_not_believed() -> None:
    memory = {"usage": 10, "stats": {"inactive_file": 11}, "limit": 100}
    assert Usage.of({**V2, "memory_stats": memory}).memory_used == 10


@pytest.mark.parametrize(("sample", "limit"), [(V1, 20), (V2, None)])
def test_processes(sample: dict[str, Any], limit: int | None) -> None:
    usage = Usage.of(sample)
    assert (usage.pids, usage.pids_limit) == (sample["pids_stats"]["current"], limit)


def test_networks_and_disks_are_added_up() -> None:
    usage = Usage.of(V1)
    assert (usage.received, usage.sent, usage.read, usage.written) == (150, 8, 5120, 8192)
    usage = Usage.of(V2)
    assert (usage.received, usage.sent, usage.read, usage.written) == (0, 0, 4096, 8192)


def test_the_first_sample_knows_no_processors() -> None:
    usage = Usage.of(V1)
    assert (usage.cpu_percent, usage.throttled_percent) == (None, None)


def test_the_second_one_does() -> None:
    # Half a second of processor time in a second of two processors' time: 50 % of one.
    second = after(V1, used=500_000_000, passed=2_000_000_000, periods=10, throttled_periods=4)
    usage = Usage.of(second)
    assert (usage.cpu_percent, usage.throttled_percent) == (50, 40)
    usage = Usage.of(V2)
    assert (usage.cpu_percent, usage.throttled_percent) == (20, None)


def test_one_that_was_started_again_in_between_is_not_reckoned() -> None:
    second = after(V1, used=-2_000_000_000, passed=2_000_000_000, throttled_periods=-33)
    usage = Usage.of(second)
    assert (usage.cpu_percent, usage.throttled_percent) == (None, None)


def test_one_that_does_not_run_has_no_figures() -> None:
    assert Usage.of(STOPPED) == Usage()


def test_a_windows_container_has_memory_and_networks() -> None:
    usage = Usage.of(WINDOWS)
    assert (usage.memory_used, usage.memory_limit, usage.memory_percent) == (77, None, None)
    assert (usage.received, usage.sent, usage.cpu_percent) == (1, 2, None)


def one(name: str, *, runs: bool = True, **figures: Any) -> One:
    condition = "up 3 min" if runs else "exited (1)"
    measured = {"pids": 1} if runs else {}
    return One(name=name, id=name * 64, condition=condition, runs=runs, **{**measured, **figures})


def full(percent: float) -> One:
    return one("a", memory_used=500, memory_limit=1000, memory_percent=percent)


@pytest.mark.parametrize(
    ("seen", "finding"),
    [
        (full(89.99), None),
        (full(90), "a uses 90 % of its memory"),
        (full(100), "a uses 100 % of its memory"),
        (one("a", pids=17, pids_limit=20), None),
        (one("a", pids=18, pids_limit=20), "a has 18 of 20 processes"),
        (one("a", pids=18), None),
        (one("a", pids=None), "a runs, but the engine could not measure it"),
        (one("a", runs=False), "a does not run: exited (1)"),
    ],
)
def test_what_is_a_finding(seen: One, finding: str | None) -> None:
    stats = Stats(memory_percent=None, cpu_percent=None, containers={"a": seen, "b": one("b")})
    assert DockerStats().finding(stats) == finding


def test_every_finding_is_told() -> None:
    stats = Stats(
        memory_percent=95,
        cpu_percent=None,
        containers={"a": full(95), "b": one("b", runs=False)},
    )
    assert DockerStats().finding(stats) == "a uses 95 % of its memory; b does not run: exited (1)"


def streaming(*samples: dict[str, Any]) -> Callable[[], Iterator[bytes]]:
    """Samples as the engine sends them, and broken at odd places."""
    text = b"".join(json.dumps(each).encode() + b"\n" for each in samples)
    return lambda: (text[at : at + 700] for at in range(0, len(text), 700))


def look(answers: dict[str, object], **args: Any) -> Any:
    with fake_engine(answers) as engine:
        return probe("docker_stats", {"socket": engine.socket_path, **args}, here())


def test_one_sample_is_enough_unless_processors_are_asked_for() -> None:
    backend = described()
    second = after(V2, used=250_000_000, passed=10_000_000_000)
    answers = {
        "/containers/backend/json": backend,
        f"/containers/{backend['Id']}/stats": streaming({**V2, "precpu_stats": {}}, second),
    }
    outcome = look(answers, container="backend")
    assert outcome.summary == "256 MiB of 1.0 GiB (25 %)"
    outcome = look(answers, container="backend", cpu=True)
    assert outcome.summary == "256 MiB of 1.0 GiB (25 %), 10 % of a processor"


@pytest.mark.parametrize("cpu", [False, True])
def test_what_the_engine_could_not_measure_at_once_is_measured_later(cpu: bool) -> None:
    backend = described()
    first, second = {**V2, "precpu_stats": {}}, after(V2, used=250_000_000, passed=10_000_000_000)
    frames = [STOPPED, first, STOPPED, first, second] if cpu else [STOPPED, STOPPED, STOPPED, first]
    answers = {
        "/containers/backend/json": backend,
        f"/containers/{backend['Id']}/stats": streaming(*frames),
    }
    outcome = look(answers, container="backend", cpu=cpu)
    assert outcome.finding is None
    assert outcome.summary.startswith("256 MiB of 1.0 GiB (25 %)")
    assert outcome.summary.endswith("of a processor") is cpu


def test_what_the_engine_cannot_measure_is_a_finding() -> None:
    backend = described()
    answers = {
        "/containers/backend/json": backend,
        f"/containers/{backend['Id']}/stats": streaming(*[STOPPED] * 9),
    }
    assert look(answers, container="backend").finding == (
        "backend runs, but the engine could not measure it"
    )


def test_many_are_measured_and_what_is_gone_is_left_out() -> None:
    ids = [f"{number:064x}" for number in range(40)]
    answers: dict[str, object] = {"/containers/json": [{"Id": id_} for id_ in ids]}
    for number, id_ in enumerate(ids):
        answers[f"/containers/{id_}/json"] = described(f"c{number:02}", Id=id_)
        answers[f"/containers/{id_}/stats"] = streaming(V2)
    del answers[f"/containers/{ids[7]}/json"]  # removed before it was looked at
    del answers[f"/containers/{ids[33]}/stats"]  # and before it was measured
    answers[f"/containers/{ids[35]}/stats"] = streaming()  # and while it was
    containers = look(answers).seen["containers"]
    gone = {"c07", "c33", "c35"}
    assert set(containers) == {f"c{number:02}" for number in range(40)} - gone
    assert {each["memory_used"] for each in containers.values()} == {256 * 2**20}
