"""docker_update on the lab's engine; what counts is what the kernel has afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import GuardRefused, ModuleFailed
from engine.contract.docker import NEVER, Limits
from modules.docker_update import Limited
from tests.modules.containers import HELD, HOLD, container, inspected, state, until
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

MIB = 2**20


def update(engine: Engine, **args: Any) -> Any:
    return act("docker_update", {"container": "backend", **args}, engine())


def kernel(host: Host, v1: str, v2: str) -> str:
    """What the kernel holds, by the container's own view of its group, of either version."""
    read = 'cd /sys/fs/cgroup; if [ -e "$1" ]; then cat "$1"; else cat "$2"; fi'
    done = host.docker("exec", "backend", "sh", "-c", read, "sh", v1, v2)
    return done.stdout.split()[0]


def memory_limit(host: Host) -> int:
    return int(kernel(host, "memory/memory.limit_in_bytes", "memory.max"))


def cpu_quota(host: Host) -> int:
    return int(kernel(host, "cpu/cpu.cfs_quota_us", "cpu.max"))


def pids_limit(host: Host) -> str:
    return kernel(host, "pids/pids.max", "pids.max")


@pytest.mark.lab
def test_the_memory_is_raised_and_the_swap_with_it(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "64m") as id_:
        before = state(docker_host, "backend")
        outcome = update(engine, memory="128m")
        host_config = inspected(docker_host, "backend")["HostConfig"]
        assert memory_limit(docker_host) == 128 * MIB
        assert state(docker_host, "backend") == before
    assert (host_config["Memory"], host_config["MemorySwap"]) == (128 * MIB, 192 * MIB)
    change = outcome.change
    assert change.summary == (
        "backend: memory 64.0 MiB → 128 MiB, memory and swap 128 MiB → 192 MiB"
    )
    assert change.before == {"memory": 64 * MIB, "memory_swap": 128 * MIB}
    assert change.after == {"memory": 128 * MIB, "memory_swap": 192 * MIB}
    assert change.reversible
    assert change.on[0].key == {"id": id_, "started_at": before["StartedAt"]}
    assert outcome.done == {"container": "backend", "id": id_, "warnings": []}
    assert outcome.unconfirmed is None


@pytest.mark.lab
@pytest.mark.parametrize(
    ("options", "given", "swap"),
    [
        (["-m", "64m", "--memory-swap", "64m"], "128m", 128),  # none before, none now
        (["-m", "64m", "--memory-swap", "80m"], "32m", 48),  # lowered, and the swap kept
        (["-m", "64m", "--memory-swap", "-1"], "128m", -1),
        ([], "64m", -1),
    ],
)
def test_the_amount_of_swap_stays(
    docker_host: Host, engine: Engine, options: list[str], given: str, swap: int
) -> None:
    with container(docker_host, "backend", *options):
        outcome = update(engine, memory=given)
        limits = inspected(docker_host, "backend")["HostConfig"]
    assert outcome.unconfirmed is None
    assert limits["MemorySwap"] == (swap * MIB if swap > 0 else swap)
    # Without a limit before, there is no way back to none.
    assert outcome.change.reversible is bool(options)


@pytest.mark.lab
def test_the_swap_that_is_given_is_taken(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "64m"):
        assert update(engine, memory="128m", memory_swap="128m").unconfirmed is None
        assert inspected(docker_host, "backend")["HostConfig"]["MemorySwap"] == 128 * MIB
        assert update(engine, memory_swap=-1).unconfirmed is None
        assert inspected(docker_host, "backend")["HostConfig"]["MemorySwap"] == -1
        with pytest.raises(ModuleFailed, match=r"memory_swap \(100 MiB\) holds the memory too"):
            update(engine, memory_swap="100m")


@pytest.mark.lab
def test_everything_else(docker_host: Host, engine: Engine) -> None:
    given = {
        "memory_reservation": "32m",
        "cpus": 0.5,
        "pids_limit": 40,
        "restart_policy": "on-failure:3",
    }
    with container(docker_host, "backend", "-m", "64m"):
        outcome = update(engine, **given)
        host_config = inspected(docker_host, "backend")["HostConfig"]
        assert cpu_quota(docker_host) == 50_000
        assert pids_limit(docker_host) == "40"
        reserved = kernel(docker_host, "memory/memory.soft_limit_in_bytes", "memory.low")
        assert int(reserved) == 32 * MIB
        assert update(engine, **given).change is None
    assert host_config["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert outcome.unconfirmed is None
    assert outcome.change.summary == (
        "backend: reserved memory without limit → 32.0 MiB, processors without limit → 0.5, "
        "processes without limit → 40, restart policy no → on-failure:3"
    )
    assert not outcome.change.reversible


@pytest.mark.lab
def test_a_limit_of_processes_is_taken_away_again(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--pids-limit", "40"):
        outcome = update(engine, pids_limit=-1)
        assert pids_limit(docker_host) == "max"
        assert outcome.unconfirmed is None
        assert outcome.change.summary == "backend: processes 40 → without limit"
        assert update(engine, pids_limit=-1).change is None


@pytest.mark.lab
def test_one_made_with_a_quota_keeps_that_form(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--cpu-period=50000", "--cpu-quota=25000"):
        outcome = update(engine, cpus=1.2345)
        assert cpu_quota(docker_host) == 61_725
        assert outcome.change.summary == "backend: processors 0.5 → 1.2345"
        assert outcome.unconfirmed is None


@pytest.mark.lab
def test_what_is_so_already_is_left_alone(docker_host: Host, engine: Engine) -> None:
    options = ["-m", "64m", "--memory-swap", "80m", "--cpus", "1.5", "--restart", "always"]
    with container(docker_host, "backend", *options):
        same = {"memory": "64m", "cpus": 1.5, "restart_policy": "always"}
        assert update(engine, **same).change is None
        change = update(engine, **{**same, "cpus": 1}).change
    assert change.before == {"cpus": 1.5}


@pytest.mark.lab
def test_a_stopped_container_has_it_when_it_starts(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "64m"):
        docker_host.docker("stop", "-t", "1", "backend")
        assert update(engine, memory="32m").unconfirmed is None
        docker_host.docker("start", "backend")
        assert memory_limit(docker_host) == 32 * MIB


@pytest.mark.lab
def test_less_than_is_in_use_is_refused(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "128m", "--memory-swap", "128m", script=HOLD):
        until(lambda: HELD in docker_host.docker("logs", "backend").stdout)
        with pytest.raises(GuardRefused, match=r"backend uses [\d.]+ MiB: .* force: true"):
            update(engine, memory="8m")
        assert memory_limit(docker_host) == 128 * MIB


@pytest.mark.lab
def test_less_than_is_in_use_is_for_the_kernel_to_judge_where_one_insists(
    docker_host: Host, engine: Engine
) -> None:
    with container(docker_host, "backend", "-m", "128m", "--memory-swap", "128m", script=HOLD):
        until(lambda: HELD in docker_host.docker("logs", "backend").stdout)
        given = {"memory": "8m", "memory_swap": "8m", "force": True}
        refusal = ""
        try:
            update(engine, **given)
        except ModuleFailed as refused:
            refusal = refused.message
        if refusal:  # cgroup v1 does not set what it cannot reclaim
            assert refusal.startswith("Docker says: ")
            assert state(docker_host, "backend")["Running"]
        else:  # v2 does, and ends what does not fit
            assert inspected(docker_host, "backend")["HostConfig"]["Memory"] == 8 * MIB


@pytest.mark.lab
def test_more_used_by_then_is_refused_too(docker_host: Host, engine: Engine) -> None:
    grow = f"until [ -e /grow ]; do sleep 0.1; done; {HOLD}"
    with container(docker_host, "backend", "-m", "128m", script=grow):

        def fill() -> None:
            docker_host.docker("exec", "backend", "busybox", "touch", "/grow")
            until(lambda: HELD in docker_host.docker("logs", "backend").stdout)

        with pytest.raises(ModuleFailed, match=r"backend uses .* MiB: .*; nothing was done"):
            act("docker_update", {"container": "backend", "memory": "8m"}, engine(), meanwhile=fill)
        assert memory_limit(docker_host) == 128 * MIB


@pytest.mark.lab
def test_the_engines_words_are_told(docker_host: Host, engine: Engine) -> None:
    with (
        container(docker_host, "backend"),
        pytest.raises(ModuleFailed, match=r"Docker says: Range of CPUs is from 0\.01"),
    ):
        update(engine, cpus=4096)
    with (
        container(docker_host, "backend", "--rm"),
        pytest.raises(ModuleFailed, match=r"Docker says: .*[Rr]estart policy"),
    ):
        update(engine, restart_policy="always")


@pytest.mark.lab
def test_looking_changes_nothing_and_is_not_confirmed(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "-m", "64m"):
        before = inspected(docker_host, "backend")
        subject = module("docker_update", {"container": "backend", "memory": "128m"})
        change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
        assert inspected(docker_host, "backend") == before
        said = subject.confirm(engine(), change)  # type: ignore[attr-defined]
    assert said == (
        "still to be done: memory 64.0 MiB → 128 MiB, memory and swap 128 MiB → 192 MiB"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "nothing to change: give at least one of memory, memory_swap, "),
        ({"force": True}, "nothing to change"),
        ({"memory": "1m"}, "memory: Docker allows no less than 6.0 MiB"),
        ({"memory": "plenty"}, "memory"),
        ({"memory": "1g", "memory_swap": "512m"}, r"memory_swap (512 MiB) holds the memory too"),
        ({"memory_swap": 0, "memory": "1g"}, "memory_swap"),
        ({"memory_swap": -2}, "memory_swap"),
        ({"memory": "1g", "memory_reservation": "2g"}, "memory_reservation (2.0 GiB) is more"),
        ({"cpus": 0}, "cpus"),
        ({"pids_limit": 0}, "pids_limit: 0"),
        ({"restart_policy": "sometimes"}, "restart_policy"),
        ({"restart_policy": "on-failure:0"}, "restart_policy"),
    ],
)
def test_what_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        module("docker_update", {"container": "backend", **args})
    assert message in str(refused.value)


def seen(used: int | None = None, **limits: Any) -> Limited:
    none: dict[str, Any] = {
        "memory": None,
        "memory_swap": None,
        "memory_reservation": None,
        "cpus": None,
        "pids_limit": None,
        "restart_policy": "no",
    }
    return Limited(
        id="1" * 64,
        name="backend",
        image="app:1",
        state="running",
        started_at=NEVER,
        health=None,
        exit_code=0,
        oom_killed=False,
        restarts=0,
        up=1.0,
        auto_remove=False,
        limits=Limits(**{**none, **limits}),
        memory_used=used,
    )


def decide(before: Limited, **args: Any) -> Any:
    return module("docker_update", {"container": "backend", **args}).decide(before)  # type: ignore[attr-defined]


def test_a_reservation_that_would_be_above_the_limit_is_said() -> None:
    before = seen(memory=1024 * MIB, memory_swap=-1, memory_reservation=512 * MIB)
    with pytest.raises(ModuleFailed, match=r"backend: memory_reservation \(512 MiB\) is more than"):
        decide(before, memory="256m")


@pytest.mark.parametrize(
    ("used", "allowed"), [(64 * MIB + 1, False), (64 * MIB, True), (None, True)]
)
def test_what_is_in_use_must_fit(used: int | None, *, allowed: bool) -> None:
    before = seen(used, memory=128 * MIB, memory_swap=256 * MIB)
    assert decide(before, memory="64m", force=True)
    if allowed:
        assert decide(before, memory="64m")
    else:
        with pytest.raises(GuardRefused, match="force: true"):
            decide(before, memory="64m")


def test_a_kernel_without_a_limit_of_swap_is_not_asked_for_one() -> None:
    change = decide(seen(memory=64 * MIB, memory_swap=-1), memory="128m")
    assert change.after == {"memory": 128 * MIB}
