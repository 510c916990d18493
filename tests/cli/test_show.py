from __future__ import annotations

import json
import sqlite3
import time
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from engine.cli.show import command
from engine.errors import InputError, JournalError
from engine.events import (
    ApprovalAnswered,
    GlassBroken,
    GuardHeld,
    Interruption,
    NotPredicted,
    PhaseStarted,
    RunResumed,
    SeverityJudged,
    encode,
)
from engine.journal import open_journal
from tests.journal.events import (
    RUN,
    action,
    approved,
    at,
    ended,
    intent,
    investigated,
    killed,
    look,
    resolved,
    started,
    task,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.events import Event

EVIL = "\x1b]0;owned\x07 \x9b31m \u202egnp.exe \x00 \u2028 \x7f end"


@pytest.fixture(autouse=True)
def east_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def show(path: Path, events: list[Event], *options: str) -> str:
    """What `quell show last` prints of a run with these events."""
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        for event in events:
            recorder.tell(event)
    return shown(path, "last", *options)


def shown(path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(
        command, [*arguments, "--journal", str(path)], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.stdout


def test_a_whole_run(path: Path) -> None:
    assert show(path, resolved()).splitlines() == [
        "Database connection pool exhaustion · run 20261123-1337-k3f9",
        "playbook  /srv/playbooks/db_pool_exhaustion.yml (sha256 abababababab…)",
        "started   Monday 2026-11-23 13:37:00 +0100 by ann on ops1",
        "quell     0.1.0",
        "mode      changes are made",
        "hosts     db1, db2",
        "inputs    database: insightengine",
        "          idle_for: 10m",
        "options   limit: db",
        "",
        "13:37:00       +100 ms  INVESTIGATE  1 task × 2 hosts",
        "13:37:00       +500 ms    ! Connections in use  db1  "
        "finding: 0.97 · expected result.value < 0.9",
        "                              value: 0.97",
        '                              columns: ["?column?"]',
        "13:37:00       +600 ms    ✓ Connections in use  db2  0.41",
        "13:37:00       +800 ms  SEVERITY  P2  the pool is nearly full · on 1 of 2 hosts (db1)"
        " · acknowledge by 14:37:00 (59 min 59 s left)",
        "13:37:01        +1.0 s  MITIGATE  1 task × 2 hosts",
        "13:37:01        +1.5 s    ~ End idle sessions (mitigate.1)  db1  "
        "would change: backend 4711 (idle for 22 min) → ended",
        "13:37:02        +2.0 s    asked for a yes to 1 change on db1",
        "13:37:04        +4.0 s    APPROVED by ann (terminal): mitigate.1@db1",
        "13:37:05        +5.0 s    → End idle sessions (mitigate.1)  db1  "
        "sent: backend 4711 (idle for 22 min) → ended",
        '                              before: {"state": "idle"}',
        '                              after: {"state": "ended"}',
        "13:37:50       +50.0 s      … pg_query  db1  looked 3 times in 45.0 s "
        "(must hold within 1 min) · first: 0.96 · last: 0.5 — holds",
        "13:37:50       +50.1 s    ~ End idle sessions  db1  "
        "changed: backend 4711 (idle for 22 min) → ended · 45.1 s",
        "13:37:50       +50.3 s  RESOLVE  1 task × 2 hosts",
        "13:38:00        +1 min    ✓ Normal operation  db1  200",
        "13:38:05    +1 min 5 s  END  resolved · exit code 0",
        "",
        "recap     db1  ok=2 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0"
        " findings=1",
        "outcome   resolved · exit code 0 · 1 min 5 s",
        "journal   intact: 21 records",
    ]


def test_json_is_the_events_and_nothing_else(path: Path) -> None:
    lines = show(path, resolved(), "--json").splitlines()

    assert [json.loads(line) for line in lines] == [json.loads(encode(e)) for e in resolved()]


def test_a_run_that_was_broken_off(path: Path) -> None:
    told = show(path, killed())

    assert (
        f"BROKEN OFF  no end was recorded, and no process is executing it · go on with: "
        f"quell resume {RUN}" in told
    )
    assert (
        "UNKNOWN  End idle sessions (mitigate.1) on db1, sent at 13:37:05: "
        "backend 4711 (idle for 22 min) → ended" in told
    )
    assert f"with: quell resume {RUN}   which looks first, and asks before it sends." in told
    assert told.endswith("journal   intact: 12 records\n")


def test_an_unknown_that_was_seen_when_it_happened(path: Path) -> None:
    lost = action(6, status="unknown", message="the link died", summary="")
    told = show(path, [*killed(), lost, ended(outcome="failed", exit_code=2)])

    assert "? End idle sessions  db1  UNKNOWN: the link died" in told
    assert "UNKNOWN  End idle sessions (mitigate.1) on db1" in told
    assert "BROKEN OFF" not in told


def test_a_run_that_goes_on(path: Path) -> None:
    with open_journal(str(path)) as journal, journal.begin(RUN) as recorder:
        for event in killed():
            recorder.tell(event)
        told = shown(path, RUN)

    assert "RUNNING  a living process is executing it" in told
    assert "UNKNOWN" not in told
    assert "resume" not in told


def test_check_mode_shows_what_would_be_changed(path: Path) -> None:
    told = show(path, [started(check=True), *approved()[1:9], ended(outcome="checked")])

    assert "mode      check: nothing is changed" in told
    assert "would change: backend 4711" in told
    assert 'before: {"state": "idle"}' in told


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            ApprovalAnswered(
                at=at(4), by="ann", how="terminal", approved=["a@db1"], refused=["a@db2"]
            ),
            "REFUSED by ann (terminal): a@db2",
        ),
        (
            GuardHeld(at=at(4), guard="limits", message="2 hosts, at most 1", host="db1"),
            "✗ REFUSED by the guard “limits” on db1: 2 hosts, at most 1",
        ),
        (Interruption(at=at(4), signal="SIGINT"), "INTERRUPTED by SIGINT"),
        (RunResumed(at=at(4), user="bob", options={}), "RESUMED by bob"),
        (
            GlassBroken(at=at(4), by="bob", reason="a fire"),
            "GLASS BROKEN by bob, no approvals and no cool-downs: a fire",
        ),
        (
            RunResumed(at=at(4), user="bob", controller="ops2", options={}, changed=["a.yml: new"]),
            "RESUMED by bob on ops2\n                            all the same: a.yml: new",
        ),
        (
            NotPredicted(at=at(4), task="m.1", name="Restart", hosts=["db1"], why="needs m.1"),
            "? Restart  db1  cannot be predicted: needs m.1",
        ),
        (
            PhaseStarted(at=at(4), phase="resolve", tasks=1, hosts=2, note="check mode"),
            "RESOLVE  1 task × 2 hosts · check mode",
        ),
        (
            SeverityJudged(at=at(4), level=None, unjudged=["P1 on db1: no value"]),
            "SEVERITY  none  no rule held\n"
            "                            could not be judged: P1 on db1: no value",
        ),
        (
            SeverityJudged(at=at(4), level="P1", because="down", acknowledge_by=at(1)),
            "SEVERITY  P1  down · acknowledge by 13:37:01 (missed by 3.0 s)",
        ),
        (
            intent(4, change={"summary": "ended", "before": [4711], "after": []}),
            "before: [4711]\n                              after: nothing",
        ),
        (task(4, status="failed", ignored=True, message="no"), "db1  failed (ignored): no"),
        (task(4, item="a", status="skipped"), "- Connections in use  db1 [a]  skipped"),
        (
            look(5, holds=False),
            "pg_query  db1  looked (must hold within 1 min) · last: 0.96 — does",
        ),
    ],
)
def test_what_else_can_happen(path: Path, event: Event, said: str) -> None:
    assert said in show(path, [started(), event])


def test_looks_are_told_with_the_task_on_the_host_that_they_belong_to(path: Path) -> None:
    elsewhere = look(6, holds=True, host="db2")
    told = show(path, [*killed(), look(5, holds=False), elsewhere, look(7, holds=True), action(8)])

    lines = [line for line in told.splitlines() if "looked" in line or "changed:" in line]
    assert [line.split()[-1] for line in lines] == ["holds", "ended", "holds"]
    assert "db1  looked 2 times" in lines[0]
    assert "db2  looked (must" in lines[2]


def test_long_output_is_cut_and_says_so(path: Path) -> None:
    output = "\n".join(f"line {number}" for number in range(50))
    result = {"stdout": output, "stderr": "x" * 1000, "changed": False, "msg": "said above"}
    told = show(path, [started(), task(1, status="failed", message="broke", result=result)])

    assert "│ line 7\n" in told
    assert "line 8" not in told
    assert "… 42 more lines, see --json" in told
    assert f"stderr: {'x' * 160}… (840 more characters, see --json)" in told
    assert "said above" not in told


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_terminal_obeys_what_a_host_said(path: Path, options: list[str]) -> None:
    events: list[Event] = [
        started(playbook=EVIL, hosts=[EVIL], inputs={EVIL: EVIL}, user=EVIL),
        *investigated()[1:],
        task(1, name=EVIL, summary=EVIL, message=EVIL, status="failed", result={EVIL: EVIL}),
        look(6, holds=True, summary=EVIL, name=EVIL),
        intent(5, name=EVIL, change={"summary": EVIL, "before": EVIL, "after": [EVIL]}),
        GuardHeld(guard=EVIL, message=EVIL, host=EVIL),
        ended(outcome=EVIL, message=EVIL, recap={EVIL: {"ok": 1}}),
    ]

    told = show(path, events, *options)

    assert {unicodedata.category(c) for c in told if c != "\n"}.isdisjoint({"Cc", "Cf", "Zl"})
    assert "owned" in told


def test_a_host_cannot_forge_a_line(path: Path) -> None:
    forged = "fine\n13:37:02  +2.0 s  APPROVED by root"
    told = show(path, [started(), task(1, status="failed", summary=forged, result={"out": forged})])

    assert [line for line in told.splitlines() if line.startswith("13:37:02")] == []


def test_a_new_day_is_said(path: Path) -> None:
    assert "\nTuesday 2026-11-24\n" in show(path, [started(), ended(86400)])


def test_colour_only_for_a_person(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = show(path, resolved())
    assert "\x1b" not in told

    monkeypatch.setattr("engine.cli.show.wants_colour", lambda _: True)
    result = CliRunner().invoke(command, ["--journal", str(path)], color=True)
    assert "\x1b[33m" in result.stdout


def test_damage_is_an_error_that_names_the_record(path: Path) -> None:
    show(path, resolved())
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE records SET event = zeroblob(9) WHERE number = 7")

    with pytest.raises(JournalError, match="record 7 is not what was written"):
        shown(path, "last")


def test_lost_records_are_counted(path: Path) -> None:
    show(path, [*investigated(), task(1), task(2)])
    claim = path.with_name("journal.db-runs") / RUN
    claim.write_bytes(claim.read_bytes().replace(b" 9\n", b"12\n"))

    assert "9 records intact, but 3 records written after them lost" in shown(path, "last")


@pytest.mark.parametrize("arguments", [["nope"], ["last", "--journal", "/nowhere/journal.db"]])
def test_a_run_or_journal_that_there_is_not(path: Path, arguments: list[str]) -> None:
    show(path, resolved())

    with pytest.raises(InputError, match=r"no (run|journal)"):
        CliRunner().invoke(command, ["--journal", str(path), *arguments], catch_exceptions=False)
