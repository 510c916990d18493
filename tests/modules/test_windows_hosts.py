"""The modules on a host whose account's shell is cmd.exe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.connections.links import Links
from tests.connections.helpers import settings_for
from tests.lab.dockerd import IMAGE
from tests.lab.postgres import DATABASE, PASSWORD, ROLE
from tests.lab.windows import HOME
from tests.modules.fakes import target
from tests.modules.sequence import act, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.contract import Target
    from tests.lab.windows import WindowsHost

pytestmark = pytest.mark.lab


@pytest.fixture
def win(windows: WindowsHost) -> Iterator[Target]:
    links = Links({"win": settings_for(windows)})
    yield target(links.get("win"), within=60)
    links.close()


def test_a_program_is_run(win: Target) -> None:
    args = {"argv": r'args C:\dir "two words" %PATH%', "ok_codes": [7], "chdir": "C:\\windows"}
    done = act("command", args, win).done
    assert done["stdout"].split("\0") == ["C:\\dir", "two words", "%PATH%", "", "C:\\windows", ""]
    with_env = {"argv": ["args"], "ok_codes": [7], "env": {"QUELL_A": "a&calc"}}
    assert act("command", with_env, win).done["stdout"].startswith("a&calc\0")


def test_a_script_is_run(win: Target, windows: WindowsHost) -> None:
    args = {
        "script": 'echo !1!\nfind /c "o"\nexit /b 4',
        "args": ["&calc %OS%"],
        "stdin": "one\r\ntwo\r\n",
        "ok_codes": [4],
        "probe": True,
    }
    outcome = probe("shell", args, win)
    assert outcome.finding is None
    assert outcome.seen["stdout"].split("\r\n")[0] == "&calc %OS%"
    assert windows.file("canary") is None


@pytest.mark.parametrize(
    ("path", "exists"),
    [
        ("C:\\windows\\system32", True),
        ("C:\\windows\\system32\\args.*", True),
        ("AppData", True),
        ("C:\\none", False),
        ("C:\\windows\\*.none", False),
        ("%OS%", False),
        ('C:\\windows" (calc) else if exist "C:\\windows', False),
    ],
)
def test_creates_and_removes_say_whether_to_run(
    win: Target, windows: WindowsHost, path: str, exists: bool
) -> None:
    args = {"argv": ["args"], "ok_codes": [7]}
    assert (act("command", {**args, "creates": path}, win).change is None) is exists
    assert (act("command", {**args, "removes": path}, win).change is not None) is exists
    assert windows.file("canary") is None


def test_a_service_is_asked_on_the_hosts_own_network(win: Target, windows: WindowsHost) -> None:
    windows.write("/srv/www/health", "ok")
    windows.start(["busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/srv/www"])
    url = "http://localhost:8080/health"
    outcome = None
    for _ in range(100):
        outcome = probe("http_probe", {"url": url}, win)
        if outcome.finding is None:
            break
    assert outcome is not None
    assert (outcome.seen["status"], outcome.seen["body"]) == (200, "ok")


def test_postgresql_is_asked_on_the_hosts_loopback(win: Target, windows: WindowsHost) -> None:
    windows.postgres()
    args = {
        "database": DATABASE,
        "user": ROLE,
        "password": PASSWORD,
        "query": "select inet_server_addr() is not null as tcp",
    }
    assert probe("pg_query", args, win).seen["value"] is True


def test_a_container_is_restarted_through_the_engines_pipe(
    win: Target, windows: WindowsHost
) -> None:
    windows.dockerd()
    run = ["run", "-d", "--name", "backend", IMAGE, "sh", "-c", "while true; do sleep 0.1; done"]
    windows.docker(*run)
    started = ["inspect", "-f", "{{.State.StartedAt}}", "backend"]
    before = windows.docker(*started).stdout
    outcome = act("docker_restart", {"container": "backend", "stop_timeout": "0s"}, win)
    assert outcome.unconfirmed is None
    assert windows.docker(*started).stdout != before
    windows.docker("rm", "-f", "backend")


def test_what_is_said_leaves_no_file_behind(win: Target, windows: WindowsHost) -> None:
    act("shell", {"script": "exit /b 0", "args": ["secret"]}, win)
    left = windows.exec(["grep", "-rls", "secret", HOME]).stdout
    assert left == ""
