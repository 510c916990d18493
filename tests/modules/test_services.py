"""`service_status` and `service_restart`: on a real systemd, and what others say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import Change, GuardRefused, ModuleFailed
from engine.contract.services import read_launchd, read_systemd
from modules.service_restart import ServiceRestart
from tests.lab.systemd import Systemd
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import act, probe
from tests.modules.shells import Shell
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.contract import Target

PATHS = "/usr/bin:/bin:/usr/sbin:/sbin"


@pytest.fixture(scope="module")
def systemd() -> Iterator[Systemd]:
    with Systemd() as started:
        started.unit("app.service", "ExecStart=/bin/sleep 1000", "Description=The application")
        started.unit("ends.service", "ExecStart=/bin/sh -c 'sleep 0.7; exit 3'")
        again = "ExecStart=/bin/sh -c 'sleep 0.4; exit 3'\nRestart=always\nRestartSec=0.1"
        started.unit("again.service", again)
        started.unit("bad.service", "Type=forking\nExecStart=/bin/false")
        started.unit("once.service", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true")
        started.unit("sshd.service", "ExecStart=/bin/sleep 1000")
        yield started


@pytest.fixture
def host(systemd: Systemd) -> Target:
    # Over nsenter: a connection of its own would need a network and an sshd there.
    return target(Shell(through=(*systemd.enter, "sh"), path=PATHS))


@pytest.mark.lab
def test_a_service_is_restarted_and_runs_from_a_new_start(systemd: Systemd, host: Target) -> None:
    systemd.run("systemctl", "start", "app")
    before = systemd.run("systemctl", "show", "-p", "MainPID", "app").stdout
    outcome = act("service_restart", {"name": "app", "stays": "1s"}, host)
    assert outcome.unconfirmed is None
    assert outcome.change is not None
    assert outcome.change.summary == "app.service active (running) → restarted"
    assert [each.name for each in outcome.change.on] == ["app.service", "app"]
    assert systemd.run("systemctl", "is-active", "app").stdout == "active\n"
    assert systemd.run("systemctl", "show", "-p", "MainPID", "app").stdout != before


@pytest.mark.lab
def test_a_service_that_is_stopped_is_started(systemd: Systemd, host: Target) -> None:
    systemd.run("systemctl", "stop", "app")
    assert act("service_restart", {"name": "app", "stays": "1s"}, host).unconfirmed is None
    assert systemd.run("systemctl", "is-active", "app").stdout == "active\n"


@pytest.mark.lab
def test_a_one_shot_has_done_its_work(host: Target) -> None:
    assert act("service_restart", {"name": "once", "stays": "1s"}, host).unconfirmed is None
    assert act("service_restart", {"name": "once", "stays": "1s"}, host).unconfirmed is None


@pytest.mark.lab
def test_a_service_that_ends_after_its_start_is_no_success(host: Target) -> None:
    ended = act("service_restart", {"name": "ends", "stays": "5s"}, host).unconfirmed
    assert ended == "ends.service is failed (failed), exit status 3"


@pytest.mark.lab
def test_a_service_that_is_started_again_and_again_is_no_success(host: Target) -> None:
    again = act("service_restart", {"name": "again", "stays": "20s"}, host).unconfirmed
    assert again is not None
    assert again.startswith("again.service ")


@pytest.mark.lab
def test_what_systemd_refuses_is_said_in_its_words(host: Target) -> None:
    with pytest.raises(ModuleFailed, match=r"bad\.service was not restarted: Job for bad\.service"):
        act("service_restart", {"name": "bad"}, host)
    with pytest.raises(ModuleFailed, match="there is no service none"):
        act("service_restart", {"name": "none"}, host)


@pytest.mark.lab
def test_a_service_that_was_restarted_meanwhile_is_left_alone(
    systemd: Systemd, host: Target
) -> None:
    systemd.run("systemctl", "start", "app")
    theirs = ""

    def restart() -> None:
        nonlocal theirs
        systemd.run("systemctl", "restart", "app")
        theirs = systemd.run("systemctl", "show", "-p", "InvocationID", "app").stdout

    with pytest.raises(ModuleFailed, match="started or ended since it was looked at"):
        act("service_restart", {"name": "app"}, host, meanwhile=restart)
    assert systemd.run("systemctl", "show", "-p", "InvocationID", "app").stdout == theirs


@pytest.mark.lab
def test_what_the_host_hangs_on_is_never_restarted(host: Target) -> None:
    with pytest.raises(GuardRefused, match=r"sshd\.service is never restarted"):
        act("service_restart", {"name": "sshd"}, host)


@pytest.mark.lab
def test_a_probe_tells_how_a_service_is(systemd: Systemd, host: Target) -> None:
    systemd.run("systemctl", "start", "app")
    running = probe("service_status", {"name": "app"}, host)
    assert running.finding is None
    assert running.seen["description"] == "The application"
    assert running.seen["pid"] > 0
    assert running.summary.startswith("app.service is active (running), pid ")
    assert "expected 1h" in str(
        probe("service_status", {"name": "app", "min_age": "1h"}, host).finding
    )
    wrong = probe("service_status", {"name": "app", "running": False}, host).finding
    assert str(wrong).endswith("expected stopped")
    systemd.run("systemctl", "stop", "app")
    stopped = probe("service_status", {"name": "app"}, host).finding
    assert stopped == "app.service is inactive (dead), expected running"
    assert probe("service_status", {"name": "app", "running": False}, host).finding is None


SHOWN = """\
Type=simple
MainPID=57
Result=success
NRestarts=4
ExecMainStartTimestampMonotonic=24897648166
ExecMainStatus=0
Id=app.service
Names=app.service web.service
Description=The = application
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
InvocationID=99445a2d0290459383fd2f5131b154e7
Up=25000.00
"""


def test_what_systemd_says_is_read() -> None:
    seen = read_systemd(SHOWN, "web")
    assert (seen.name, seen.names) == ("app.service", ["app.service", "web.service"])
    assert (seen.active, seen.pid, seen.restarts, seen.age) == (True, 57, 4, 102.4)
    assert seen.instance == "99445a2d0290459383fd2f5131b154e7 24897648166"
    old = "".join(
        f"{line}\n" for line in SHOWN.splitlines() if "Invoc" not in line and "NRe" not in line
    )
    assert read_systemd(old, "web").instance == " 24897648166"
    assert read_systemd(old, "web").restarts is None


@pytest.mark.lab
def test_a_masked_service_is_stopped_and_stays_it(systemd: Systemd, host: Target) -> None:
    systemd.run("systemctl", "mask", "--runtime", "masked.service")
    seen = probe("service_status", {"name": "masked", "running": False}, host)
    assert (seen.finding, seen.seen["startup"]) == (None, "masked-runtime")
    with pytest.raises(ModuleFailed, match="is masked"):
        act("service_restart", {"name": "masked"}, host)


def test_often_started_again_is_a_finding() -> None:
    host = target(FakeConnection([(0, SHOWN, "")]))
    args = {"name": "web", "max_restarts": 3}
    assert probe("service_status", args, host).finding == (
        "app.service was started again 4 times by itself"
    )


@pytest.mark.parametrize(
    "alias", ["ssh.service", "NetworkManager.service", "systemd-logind.service"]
)
def test_an_alias_protects_as_well(alias: str) -> None:
    host = target(FakeConnection([(0, SHOWN.replace("web.service", alias), "")]))
    with pytest.raises(GuardRefused, match="the host hangs on"):
        act("service_restart", {"name": "app"}, host)


LAUNCHD = """\
system/com.example.app = {
\tactive count = 1
\tpath = /Library/LaunchDaemons/com.example.app.plist
\ttype = LaunchDaemon
\tstate = running

\tprogram = /usr/local/bin/app
\tdefault environment = {
\t\tpid = 99
\t}
\truns = 3
\tpid = 413
\tlast exit code = 78: EX_CONFIG
}
start=Mon Nov 23 13:37:00 2026
"""


def test_what_launchd_says_is_read() -> None:
    seen = read_launchd(LAUNCHD, "com.example.app")
    assert (seen.active, seen.state, seen.pid, seen.restarts) == (True, "running", 413, 2)
    assert (seen.exit_status, seen.instance) == (78, "413 Mon Nov 23 13:37:00 2026")
    host = target(FakeConnection([(4, "", "Could not find service")], family="macos"))
    with pytest.raises(ModuleFailed, match=r"no service com\.example\.none"):
        probe("service_status", {"name": "com.example.none"}, host)


def windows(**changed: Any) -> tuple[int, str, str]:
    answer = {
        "name": "AppSvc",
        "description": "The application",
        "state": "Running",
        "startup": "Auto",
        "pid": 4711,
        "start": "2026-11-23T13:37:00.0000000Z",
        "age": 60.04,
        "exit_status": 0,
        **changed,
    }
    return (0, json.dumps(answer) + "\r\n", "")


def test_windows_is_asked_by_powershell() -> None:
    new = windows(pid=4712, start="2026-11-23T14:00:00.0000000Z")
    host = FakeConnection([windows(), (0, "", ""), new], family="windows")
    outcome = act("service_restart", {"name": "AppSvc", "stays": "50ms"}, target(host))
    assert outcome.unconfirmed is None
    text, given = script_of(host.commands[1])
    assert "Restart-Service -Name $given.name" in text
    assert given == {"name": "AppSvc", "instance": "4711 2026-11-23T13:37:00.0000000Z"}


def test_windows_services_that_are_not_there_or_not_running_are_said() -> None:
    none = target(FakeConnection([(4, "", "")], family="windows"))
    with pytest.raises(ModuleFailed, match="there is no service AppSvc"):
        probe("service_status", {"name": "AppSvc"}, none)
    stopped = windows(state="Stopped", pid=0, start="", age=-1, exit_status=1067)
    seen = probe("service_status", {"name": "AppSvc"}, target(FakeConnection([stopped], "windows")))
    assert seen.finding == "AppSvc is Stopped, exit status 1067, expected running"


def test_one_that_was_not_restarted_is_said() -> None:
    host = target(FakeConnection([windows()], family="windows"))
    subject = ServiceRestart(name="AppSvc")
    change = subject.decide(subject.observe(host))
    assert isinstance(change, Change)
    assert subject.confirm(host, change) == "AppSvc is Running, and was not restarted"
