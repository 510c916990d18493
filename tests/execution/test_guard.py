import pytest

from engine.errors import GuardRefused
from engine.execution.guard import check_protected, check_radius
from engine.language.keywords import Limits
from tests.execution.build import change

HOSTS = ("app1", "app2", "app3", "app4")


def test_within_the_limits_nothing_is_said() -> None:
    check_radius(Limits(max_hosts=2, max_percent=50), {"app1", "app2"}, HOSTS)
    check_radius(Limits(), set(HOSTS), HOSTS)


def test_too_many_hosts_are_refused_by_name() -> None:
    with pytest.raises(
        GuardRefused, match=r"would change 2 hosts \(app1, app2\); the playbook's limit is 1"
    ):
        check_radius(Limits(max_hosts=1), {"app2", "app1"}, HOSTS)


def test_the_percentage_is_of_all_the_playbooks_hosts() -> None:
    with pytest.raises(GuardRefused, match=r"would change 3 of 4 hosts, 75 %"):
        check_radius(Limits(max_percent=50), {"app1", "app2", "app3"}, HOSTS)


@pytest.mark.parametrize(("pid", "name"), [(1, "busybox"), (77, "sshd"), (78, "systemd")])
def test_some_processes_are_never_ended(pid: int, name: str) -> None:
    with pytest.raises(GuardRefused, match=f"{name} is protected"):
        check_protected(change(pid, name))


def test_an_ordinary_process_and_a_container_named_like_a_daemon_may_be_hit() -> None:
    check_protected(change(4711, "python3"))
    check_protected(change(1, "sshd", kind="container"))
