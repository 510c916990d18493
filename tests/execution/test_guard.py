"""What no run may do, whoever asks."""

from __future__ import annotations

import pytest

from engine.contract import Change, Identity
from engine.errors import GuardRefused
from engine.execution.approval import Proposal
from engine.language.keywords import Limits
from tests.execution.build import change, guards, policy


def test_within_the_limits_nothing_is_said() -> None:
    guards(limits=Limits(max_hosts=2, max_percent=50)).check_radius({"app1", "app2"})
    guards().check_radius({"app1", "app2", "app3", "app4"})


def test_too_many_hosts_are_refused_by_name() -> None:
    with pytest.raises(
        GuardRefused, match=r"would change 2 hosts \(app1, app2\); the playbook's limit is 1"
    ):
        guards(limits=Limits(max_hosts=1)).check_radius({"app2", "app1"})


def test_the_percentage_is_of_all_the_playbooks_hosts() -> None:
    with pytest.raises(GuardRefused, match=r"would change 3 of 4 hosts, 75 %"):
        guards(limits=Limits(max_percent=50)).check_radius({"app1", "app2", "app3"})


def test_a_policy_may_allow_less_than_the_playbook() -> None:
    strict = guards(policy(limits={"max_hosts": 1}), limits=Limits(max_hosts=3))
    strict.check_radius({"app1"})
    with pytest.raises(GuardRefused, match=r"would change 2 hosts .*; policy.yml allows 1"):
        strict.check_radius({"app1", "app2"})


@pytest.mark.parametrize(("pid", "name"), [(1, "busybox"), (77, "sshd"), (78, "systemd")])
def test_some_processes_are_never_ended(pid: int, name: str) -> None:
    with pytest.raises(GuardRefused, match=f"{name} is protected"):
        guards().protect("app1", change(pid, name))


def test_an_ordinary_process_and_a_container_named_like_a_daemon_may_be_hit() -> None:
    guards().protect("app1", change(4711, "python3"))
    guards().protect("app1", change(1, "sshd", kind="container"))


PROTECT = {
    "hosts": ["db*", "critical"],
    "containers": ["vault", "prod-*"],
    "processes": ["postgres"],
    "roles": ["replicator"],
    "services": ["nginx"],
    "files": ["/etc/ssh/*"],
    "ports": [22, "5000-5999"],
}


@pytest.mark.parametrize(
    ("host", "kind", "name", "key", "why"),
    [
        ("db1", "container", "web", {}, 'the hosts "db\\*"'),
        ("app2", "script", "uptime", {}, 'the hosts "critical"'),
        ("app1", "container", "prod-web", {}, 'the containers "prod-\\*"'),
        ("app1", "process", "postgres", {"pid": 9}, 'the processes "postgres"'),
        ("app1", "process", "java", {"pid": 9, "port": 5432}, "the port 5000-5999"),
        ("app1", "process", "java", {"pid": 9, "port": 22}, "the port 22"),
        ("app1", "backend", "replicator", {}, 'the roles "replicator"'),
        ("app1", "service", "nginx", {}, 'the services "nginx"'),
        ("app1", "file", "/etc/ssh/sshd_config", {}, 'the files "/etc/ssh/\\*"'),
    ],
)
def test_a_policy_protects(
    host: str, kind: str, name: str, key: dict[str, str | int], why: str
) -> None:
    guarded = guards(policy(protect=PROTECT), groups={"app2": ["critical"]}, break_glass="fire")
    hit = Change(summary="x", on=(Identity(kind, name, key),))
    with pytest.raises(GuardRefused, match=f"{name} is protected: policy.yml protects {why}"):
        guarded.protect(host, hit)


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("container", "production", {}),
        ("process", "vault", {"pid": 9, "port": 4999}),
        ("process", "java", {"pid": 9, "port": "5432"}),
        ("backend", "vault", {}),
    ],
)
def test_a_policy_leaves_the_rest_alone(kind: str, name: str, key: dict[str, str | int]) -> None:
    hit = Change(summary="x", on=(Identity(kind, name, key),))
    guards(policy(protect=PROTECT)).protect("app1", hit)


APPROVE = [
    {"modules": ["docker_*"], "hosts": ["app4", "critical"], "by": ["ann", "b*"]},
    {"modules": ["port_kill"], "auto": False},
]


def proposal(module: str = "docker_restart", where: str = "app4") -> Proposal:
    return Proposal(("mitigate.1", "app1", None), "Restart", module, where, change(), "", "ask")


@pytest.mark.parametrize(
    ("user", "module", "where", "refused"),
    [
        ("ann", "docker_restart", "app4", False),
        ("bob", "docker_restart", "app4", False),
        ("eve", "docker_restart", "app4", True),
        ("eve", "docker_restart", "app2", True),
        ("eve", "docker_restart", "app1", False),
        ("eve", "port_kill", "app4", False),
    ],
)
def test_a_policy_says_who_may_approve(
    user: str, module: str, where: str, *, refused: bool
) -> None:
    guarded = guards(policy(approve=APPROVE), groups={"app2": ["critical"]})
    if not refused:
        guarded.check_approver(proposal(module, where), user)
        return
    with pytest.raises(
        GuardRefused, match=r"policy.yml lets ann, b\* approve docker_restart there"
    ):
        guarded.check_approver(proposal(module, where), user)


def test_broken_glass_lets_anybody_approve() -> None:
    guards(policy(approve=APPROVE), break_glass="ann is on a plane").check_approver(
        proposal(), "eve"
    )
