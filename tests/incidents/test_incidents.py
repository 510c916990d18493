"""Each incident of the runbook is caused, noticed by Prometheus, and ended by its playbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import eventually
from tests.end_to_end.quell import PLAYBOOKS, results
from tests.incidents.causes import INCIDENTS
from tests.incidents.system import KEY, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.incidents.system import System

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

LOGIN = '{"email":"test@test.com","password":"test"}'


def caused(system: System, name: str) -> Path:
    """Cause an incident; the alert that tells of it."""
    INCIDENTS[name].cause(system)
    return system.noticed(INCIDENTS[name].alert)


def run(quell: Quell, system: System, playbook: str, *said: str, alert: Path | None = None) -> None:
    """Run a playbook, which must end the incident; for an alert, it must call for the playbook."""
    path = PLAYBOOKS / f"{playbook}.yml"
    arguments: list[str | Path] = ["-i", system.directory / "inventory.yml", "--yes"]
    if alert:
        assert str(path) in quell("match", alert, PLAYBOOKS).stdout
        arguments += ["--alert", alert]
    arguments += [part for one in ("watch=1s", *said) for part in ("-e", one)]
    ended = quell("run", path, *arguments, timeout=200)
    assert ended.code == 0, ended.stderr


def test_a_backend_that_crashed_is_started_again(quell: Quell, system: System) -> None:
    alert = caused(system, "crash")
    assert system.container("backend", "{{.State.ExitCode}}") == "2"
    run(quell, system, "backend_crash", alert=alert)
    assert system.ready() == 200
    [log] = results(quell.events(), "Errors in the log")
    assert "panic: runtime error" in log.result["lines"][-1]["text"]


def test_a_session_that_holds_a_lock_is_ended(quell: Quell, system: System) -> None:
    waiting = "select count(*) from pg_locks where not granted"
    report = "select count(*) from pg_stat_activity where application_name = 'report'"
    alert = caused(system, "latency")
    assert system.db.psql(report) == "1"
    quick = ["idle_for=1s", "blocked_for=100ms", "over=3s", "websocket_url=ws://localhost:8081/"]
    run(quell, system, "high_latency", *quick, alert=alert)
    assert system.db.psql(report) == "0"
    assert system.db.psql(waiting) == "0"


def test_a_backend_that_ran_out_of_memory_gets_more(quell: Quell, system: System) -> None:
    before = int(system.container("backend", "{{.HostConfig.Memory}}"))
    alert = caused(system, "oom")
    assert system.container("backend", "{{.State.ExitCode}}") == "137"
    run(quell, system, "backend_oom", "memory=800m", alert=alert)
    assert system.ready() == 200
    assert int(system.container("backend", "{{.HostConfig.Memory}}")) == 800 << 20 > before


def test_a_key_that_was_rotated_badly_is_taken_back(quell: Quell, system: System) -> None:
    before = system.app.exec(["cat", SETTINGS]).stdout
    alert = caused(system, "auth")
    assert system.status("/api/auth/login", post=LOGIN) == 500
    said = (f"key_file={KEY}", f"settings={SETTINGS}")
    run(quell, system, "auth_failures", *said, alert=alert)
    assert system.status("/api/auth/login", post=LOGIN) == 401
    assert system.app.exec(["cat", SETTINGS]).stdout == before


def test_leaked_sessions_are_ended(quell: Quell, system: System) -> None:
    leaked = "select count(*) from pg_stat_activity where application_name = 'nightly-job'"
    caused(system, "pool")
    assert int(system.db.psql(leaked)) > 10
    run(quell, system, "db_pool_exhaustion", "idle_for=100ms")
    assert system.db.psql(leaked) == "0"
    eventually(lambda: system.ready() == 200)


def test_a_stale_process_gives_the_port_back(quell: Quell, system: System) -> None:
    caused(system, "port")
    assert system.ready() == 404
    log = system.app.docker("logs", "--tail", "1", "backend")
    assert "address already in use" in log.stdout
    run(quell, system, "port_conflict", "container=backend")
    assert system.ready() == 200
    assert system.container("backend", "{{.State.Running}}") == "true"
