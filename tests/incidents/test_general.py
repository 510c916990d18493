"""The general procedure: from the page to the tickets, and how severe what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.events import SeverityJudged
from tests.end_to_end.hosts import eventually
from tests.end_to_end.quell import PLAYBOOKS, finish, results
from tests.incidents.causes import INCIDENTS
from tests.incidents.people import ACTION, COMMANDER, TITLE, People, people, silenced
from tests.incidents.system import SETTINGS
from tests.lab.postgres import Cluster
from tests.modules.slack import ME
from tests.modules.standin import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pexpect

    from tests.end_to_end.quell import Quell
    from tests.incidents.system import System

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

GENERAL = PLAYBOOKS / "incident.yml"
QUICK = (
    "settle=300ms",
    "look=100ms",
    "watch=300ms",
    "over=500ms",
    "websocket_url=ws://localhost:8081/",
)
FIX = "Apply the immediate fix: "
REPORT = "Write the incident report: "


@pytest.fixture
def told(system: System, tmp_path: Path) -> Iterator[People]:
    with people(system, tmp_path) as all_:
        yield all_


def arguments(system: System, *said: str) -> list[str | Path]:
    quick = [part for one in (*QUICK, *said) for part in ("-e", one)]
    return [GENERAL, "-i", system.directory / "inventory.yml", *quick]


def tick(child: pexpect.spawn[str], item: str, answer: str = "d") -> None:
    """Answer an item of the checklist, which must be the next one."""
    child.expect_exact(item)
    child.expect_exact("[d]one [s]kip (stays open) › ")
    child.sendline(answer)
    child.expect_exact("note, if any › ")
    child.sendline("")


def fix(quell: Quell, system: System) -> None:
    """What a person does meanwhile: run the playbook that fits."""
    inventory = system.directory / "inventory.yml"
    ended = quell(
        "run", PLAYBOOKS / "backend_crash.yml", "-i", inventory, "--yes", "-e", "watch=0s"
    )
    assert ended.code == 0, ended.stderr


def check_begun(quell: Quell, run: str, told: People, system: System) -> None:
    """Everybody knows of it, and nobody thinks that it is over."""
    [room] = told.slack.rooms.values()
    day = quell.events(run)[0].at.date()
    assert room.name == f"incident-{day}-backend-is-down"
    assert (room.purpose, room.members) == (f"{TITLE} · {run}", [ME, COMMANDER])
    [(_, pinned)] = room.pinned
    status = f"P1 · {TITLE} · commander: commander@example.com"
    assert room.messages[pinned] == f"Mitigating · {status}"
    assert told.pagerduty.incidents[told.page]["status"] == "acknowledged"
    [shown] = told.grafana.annotations.values()
    assert (shown["text"], shown["timeEnd"]) == (TITLE, shown["time"])
    assert silenced(system) == [f"being dealt with: {TITLE} · {run}"]
    assert list(room.messages.values())[1:] == [f"{status}. We are at it."]
    assert told.github.issues == []


def check_over(run: str, told: People, system: System) -> None:
    """Everybody knows that it is over, and was told once."""
    assert system.ready() == 200
    [room] = told.slack.rooms.values()
    [(_, pinned)] = room.pinned
    assert room.messages[pinned].startswith(f"Resolved · P1 · {TITLE}")
    said = [text.partition(" ")[0] for text in room.messages.values()]
    assert said == ["Resolved", "P1", "Resolved:"]
    assert told.pagerduty.incidents[told.page]["status"] == "resolved"
    assert told.pagerduty.notes == {told.page: [f"quell run {run}"]}
    [shown] = told.grafana.annotations.values()
    assert shown["timeEnd"] > shown["time"]
    assert silenced(system) == []
    bodies = {issue["title"]: issue["body"] for issue in told.github.issues}
    assert len(told.github.issues) == len(bodies) == 2
    assert f"quell show {run}" in bodies[f"Write the incident report: {TITLE}"]
    assert bodies[ACTION].startswith(f"Of the incident: {TITLE}")


def test_an_incident_from_the_page_to_the_tickets(
    quell: Quell, system: System, told: People
) -> None:
    INCIDENTS["crash"].cause(system)
    child = quell.at_terminal("run", *arguments(system, told.extra), **told.env)
    child.expect_exact(FIX)
    run = quell.run_id()
    check_begun(quell, run, told, system)
    fix(quell, system)
    tick(child, "")
    tick(child, REPORT, "s")
    code, said = finish(child)
    assert code == 0, said
    check_over(run, told, system)
    [(title, message)] = told.stakeholders.told
    assert (title, message.partition(" ")[0]) == (TITLE, "P1")
    levels = [e.level for e in quell.events(run) if isinstance(e, SeverityJudged)]
    assert levels == ["P1", "P3"]

    child = quell.at_terminal("resume", run, **told.env)
    tick(child, REPORT)
    assert finish(child)[0] == 0
    check_over(run, told, system)


def test_without_a_terminal_it_waits_and_is_gone_on_with(
    quell: Quell, system: System, told: People
) -> None:
    INCIDENTS["crash"].cause(system)
    told.stakeholders.instead.append(Answer(503))
    ended = quell("run", *arguments(system, told.extra), "--yes", **told.env)
    run = quell.run_id()
    assert ended.code == 2, ended.stderr
    assert quell.ended().open == ["Apply the immediate fix", "Write the incident report"]
    [unheard] = results(quell.events(), "Tell the stakeholders")
    assert (unheard.status, unheard.ignored) == ("failed", True)
    assert results(quell.events(), "The fix works")[0].status == "skipped"
    check_begun(quell, run, told, system)

    child = quell.at_terminal("resume", run, **told.env)
    child.expect_exact(FIX)
    system.app.docker("start", "backend")
    system.wait_until_ready()
    tick(child, "")
    tick(child, REPORT)
    code, said = finish(child)
    assert code == 0, said
    check_over(run, told, system)


class Judge:
    """Says how severe it is."""

    def __init__(self, quell: Quell, system: System) -> None:
        self._quell = quell
        self._system = system

    def __call__(self, hosts: str, *said: str) -> tuple[str | None, str]:
        """The level and why, by what is seen on these hosts."""
        only = ["--only", "investigate", "--limit", hosts]
        ended = self._quell("run", *arguments(self._system, *said), *only)
        assert ended.code == 0, ended.stderr
        [judged] = [e for e in self._quell.events() if isinstance(e, SeverityJudged)]
        return judged.level, judged.because


@pytest.fixture
def judge(quell: Quell, running: System) -> Judge:
    running.wait_until_ready()  # what alerts fire does not matter
    return Judge(quell, running)


def test_no_database_is_p1(running: System, judge: Judge) -> None:
    server = Cluster(running.db)
    server.stop("fast")
    try:
        assert judge("db") == ("P1", "the database takes no connection")
    finally:
        server.start()


def test_logins_that_fail_are_p1(running: System, judge: Judge) -> None:
    INCIDENTS["auth"].cause(running)
    try:
        assert judge("app") == ("P1", "nobody can log in")
        most_fail = ("P1", "more than half of the requests fail")
        eventually(lambda: judge("monitoring", "window=5s") == most_fail)
    finally:
        running.app.exec(["mv", f"{SETTINGS}.before", SETTINGS], check=True)
        running.app.docker("restart", "-t", "0", "backend")


def test_slow_queries_are_p2(running: System, judge: Judge) -> None:
    INCIDENTS["latency"].cause(running)
    try:
        assert judge("app", "over=3s") == ("P2", "queries are slow")
    finally:
        running.db.psql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'report'"
        )


def test_what_users_can_live_with_is_p2_to_p4(running: System, judge: Judge) -> None:
    running.app.docker("restart", "-t", "0", "backend")  # a log with nothing but its start
    running.wait_until_ready()
    assert judge("app", "lines=1") == ("P4", "nobody is affected")
    assert judge("app", "websocket_url=ws://localhost:8082/") == ("P2", "WebSockets do not open")
    running.app.docker("stop", "-t", "0", "frontend")
    try:
        what = "the backend serves, but the frontend does not"
        assert judge("app") == ("P3", what)
    finally:
        running.app.docker("start", "frontend")
