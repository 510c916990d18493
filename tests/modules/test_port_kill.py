"""port_kill on real processes of this machine; what hosts say in other forms is in `_forms`."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import msgspec
import pytest

from engine.contract import GuardRefused, ModuleFailed
from tests.execution.build import policy
from tests.lab.ports import free_port
from tests.modules.fakes import here
from tests.modules.listening import listener, listens
from tests.modules.sequence import act, module

pytestmark = pytest.mark.lab


def start_time(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_a_listener_is_ended() -> None:
    port = free_port()
    with listener(port) as process:
        identity = {"pid": process.pid, "start": start_time(process.pid), "port": port}
        outcome = act("port_kill", {"port": port}, here())
        assert process.wait(5) == -signal.SIGTERM
        assert not listens(port)
        assert outcome.change is not None
        assert [each.key for each in outcome.change.on] == [identity]
        assert policy(protect={"ports": [port]}).protects(outcome.change.on[0])
        assert outcome.change.summary == f"python (pid {process.pid}) on port {port} → ended"
        (ended,) = outcome.done["ended"]
        assert ended["signal"] == "TERM"
        assert ended["user"] == "root"
        assert ended["command"].startswith(f"{sys.executable} -c")
        assert len(ended["command"]) <= 300
        assert outcome.seen["addresses"] == [f"127.0.0.1:{port}"]
        assert outcome.unconfirmed is None


def test_one_that_ignores_term_is_killed_after_the_grace() -> None:
    port = free_port()
    with listener(port, "deaf") as process:
        outcome = act("port_kill", {"port": port, "grace": "200ms"}, here())
        assert process.wait(5) == -signal.SIGKILL
        assert outcome.done["ended"][0]["signal"] == "KILL"
        assert outcome.unconfirmed is None


def test_nothing_listening_is_nothing_to_do() -> None:
    assert act("port_kill", {"port": free_port()}, here()).change is None


def test_a_client_of_the_port_is_not_a_listener() -> None:
    port = free_port()
    with listener(port) as process, socket.create_connection(("127.0.0.1", port)):
        outcome = act("port_kill", {"port": port}, here())
        assert [each["pid"] for each in outcome.seen["processes"]] == [process.pid]


def test_a_listener_on_ipv6_only() -> None:
    port = free_port()
    with listener(port, address="::1") as process:
        outcome = act("port_kill", {"port": port}, here())
        assert process.wait(5) == -signal.SIGTERM
        assert outcome.seen["addresses"] == [f"[::1]:{port}"]


def test_two_listeners_on_one_port() -> None:
    port = free_port()
    with listener(port) as one, listener(port) as two, listener(port, address="::1") as three:
        outcome = act("port_kill", {"port": port}, here())
        assert [each.wait(5) for each in (one, two, three)] == [-signal.SIGTERM] * 3
        assert {each["pid"] for each in outcome.done["ended"]} == {one.pid, two.pid, three.pid}


def test_children_that_share_the_socket_are_ended_too() -> None:
    port = free_port()
    with listener(port, "forks") as process:
        outcome = act("port_kill", {"port": port}, here())
        assert len(outcome.done["ended"]) == 3
        assert process.wait(5) == -signal.SIGTERM
        assert not listens(port)


def test_the_next_port_is_left_alone() -> None:
    port = free_port()
    with listener(port) as process, listener(port + 1) as neighbour:
        act("port_kill", {"port": port}, here())
        process.wait(5)
        assert neighbour.poll() is None


def test_another_process_with_the_same_pid_is_not_hit() -> None:
    port = free_port()
    with listener(port) as process:
        subject = module("port_kill", {"port": port})
        change = subject.decide(subject.observe(here()))  # type: ignore[attr-defined]
        (seen,) = change.on
        earlier = str(int(str(seen.key["start"])) - 1)
        other = msgspec.structs.replace(seen, key={**seen.key, "start": earlier})
        done = subject.apply(here(), msgspec.structs.replace(change, on=(other,)))  # type: ignore[attr-defined]
        assert done.ended == []
        assert done.gone == [process.pid]
        assert process.poll() is None
        assert listens(port)


def test_a_process_that_ended_meanwhile_is_gone() -> None:
    port = free_port()
    with listener(port) as process:

        def end() -> None:
            process.kill()
            process.wait()

        outcome = act("port_kill", {"port": port}, here(), meanwhile=end)
        assert outcome.done == {"ended": [], "gone": [process.pid]}
        assert outcome.unconfirmed is None


def test_a_zombie_has_ended() -> None:
    port = free_port()
    with listener(port) as process:  # it stays a zombie: its parent waits only afterwards
        outcome = act("port_kill", {"port": port, "grace": "5s"}, here())
        assert outcome.done["ended"][0]["signal"] == "TERM"
        assert Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_successor_on_the_port_is_for_verify_to_judge() -> None:
    port = free_port()
    with listener(port) as process, listener(free_port()) as other:
        subject = module("port_kill", {"port": port})
        change = subject.decide(subject.observe(here()))  # type: ignore[attr-defined]
        process.kill()
        process.wait()
        with listener(port):
            assert subject.confirm(here(), change) is None  # type: ignore[attr-defined]
        assert other.poll() is None


def test_one_that_still_listens_is_not_confirmed() -> None:
    port = free_port()
    with listener(port) as process:
        subject = module("port_kill", {"port": port})
        change = subject.decide(subject.observe(here()))  # type: ignore[attr-defined]
        said = subject.confirm(here(), change)  # type: ignore[attr-defined]
        assert said == f"still listening: python (pid {process.pid})"


@pytest.mark.parametrize("name", ["sshd", "sshd-session", "systemd", "dropbear", "init"])
def test_protected_names_are_refused(name: str) -> None:
    port = free_port()
    with listener(port, f"named={name}") as process:
        with pytest.raises(GuardRefused, match=f"held by {name} .* never ended"):
            act("port_kill", {"port": port}, here())
        assert process.poll() is None


def test_what_we_run_in_is_refused() -> None:
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        with pytest.raises(GuardRefused, match="which our own connection runs in"):
            act("port_kill", {"port": ours.getsockname()[1]}, here())


def test_one_protected_holder_protects_all() -> None:
    port = free_port()
    with listener(port) as plain, listener(port, "named=sshd") as protected:
        with pytest.raises(GuardRefused):
            act("port_kill", {"port": port}, here())
        assert (plain.poll(), protected.poll()) == (None, None)


def test_a_port_that_docker_publishes_is_explained() -> None:
    port = free_port()
    with listener(port, "named=docker-proxy") as process:
        with pytest.raises(GuardRefused, match="for a container: use docker_restart"):
            act("port_kill", {"port": port}, here())
        assert process.poll() is None


def test_names_cannot_lead_to_another_process() -> None:
    port = free_port()
    with listener(free_port()) as victim:
        # ss would read: users:(("x",pid=4711,fd=",pid=4712,fd=3))
        with listener(port, f'named=x",pid={victim.pid},fd=') as process:
            outcome = act("port_kill", {"port": port}, here())
            assert process.wait(5) == -signal.SIGTERM
        assert [each["pid"] for each in outcome.done["ended"]] == [process.pid]
        assert victim.poll() is None


@pytest.mark.parametrize(
    "name",
    ["a b", "a) S 1 1", "((", "x\n", "x\ny) Z 1", "sh -c", "é", "$(id)", "`id`", "*", "-n", ""],
)
def test_any_name_is_read(name: str) -> None:
    port = free_port()
    with listener(port, f"named={name}") as process:
        outcome = act("port_kill", {"port": port}, here())
        assert process.wait(5) == -signal.SIGTERM
        assert outcome.seen["processes"][0]["name"] == name.replace("\n", " ")


def test_an_argument_cannot_speak_for_the_script() -> None:
    port = free_port()
    with listener(free_port()) as victim:
        stat = Path(f"/proc/{victim.pid}/stat").read_text().strip()
        lines = f"x\nstat {stat}\rstat {stat}\x0bstat {stat}\x85stat {stat}\u2028stat {stat}"
        with listener(port, lines) as process:
            outcome = act("port_kill", {"port": port}, here())
        assert [each["pid"] for each in outcome.done["ended"]] == [process.pid]
        assert victim.poll() is None


def test_a_grace_that_does_not_fit_is_refused_before_anything_is_sent() -> None:
    port = free_port()
    with listener(port) as process:
        with pytest.raises(ModuleFailed, match="grace of 60 s does not fit"):
            act("port_kill", {"port": port, "grace": "1m"}, here(within=30))
        assert process.poll() is None


@pytest.mark.parametrize("port", [0, 65536, -1, "http", 1.5, None])
def test_only_a_port_is_a_port(port: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("port_kill", {"port": port})
