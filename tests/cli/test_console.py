"""What a person sees of a run, line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.cli.console import Console
from engine.cli.screen import PlainScreen
from engine.events import (
    ApprovalAnswered,
    ChangePredicted,
    GlassBroken,
    GuardHeld,
    Interruption,
    Looked,
    NotPredicted,
    PhaseEnded,
    PhaseStarted,
    RunResumed,
    SeverityJudged,
    TaskStarted,
    Waiting,
    WaveEnded,
)
from tests.journal import events as story

if TYPE_CHECKING:
    from engine.events import Event
    from engine.execution.look import LookMode


class Screen(PlainScreen):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.moving: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, lines: list[str]) -> None:
        self.moving = lines


def said(*events: Event, verbosity: int = 0, diff: bool = False, colour: bool = False) -> list[str]:
    """The lines that these events come to on a log."""
    screen = Screen()
    console = Console(screen, story.RUN, colour=colour, live=False, verbosity=verbosity, diff=diff)
    for event in events:
        console.tell(event)
    return screen.lines


def wave(*ended: Event, verbosity: int = 0) -> list[str]:
    return said(*ended, WaveEnded(tasks=["investigate.1"]), verbosity=verbosity)


def test_a_whole_run() -> None:
    lines = said(*story.resolved())
    text = "\n".join(re.sub(r"acknowledge by .*", "acknowledge by …", line) for line in lines)
    assert (
        text
        == """\
Database connection pool exhaustion · run 20261123-1337-k3f9 · 2 hosts

INVESTIGATE  1 task × 2 hosts
  ! Connections in use             db1  0.97 · expected result.value < 0.9
  ✓                                db2  0.41
SEVERITY     P2  the pool is nearly full · on 1 of 2 hosts · acknowledge by …
MITIGATE     1 task × 2 hosts
  ~ End idle sessions              db1  would: backend 4711 (idle for 22 min) → ended
  approved: 1 change, by ann (terminal)
  … pg_query                       db1  not yet · 0 ms of 1 min · 0.96
  ~ End idle sessions              db1  backend 4711 (idle for 22 min) → ended
RESOLVE      1 task × 2 hosts
  ✓ Normal operation               db1  200

db1  ok=2 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0 findings=1
RESOLVED in 1 min 5 s · quell show 20261123-1337-k3f9"""
    )


def test_hosts_with_the_same_end_share_a_line() -> None:
    ends = [story.task(1, host=f"web{n}", summary="200") for n in (10, 3, 1, 2, 4, 11, 5)]
    [line] = wave(*ends)
    assert line == "  ✓ Connections in use             web1, web2, web3, web4 and 3 more  200"


def test_what_a_template_calls_by_other_names_is_not_told_under_one() -> None:
    ends = [
        story.task(1, host="db1", summary="200", name="Look at db1"),
        story.task(1, host="db2", summary="200", name="Look at db2"),
        story.task(1, host="db2", summary="201", name="Look at db2"),
    ]
    assert [line.split() for line in wave(*ends)] == [
        ["✓", "Look", "at", "db1", "db1", "200"],
        ["✓", "Look", "at", "db2", "db2", "200"],
        ["✓", "db2", "201"],
    ]


def test_the_gravest_end_comes_first() -> None:
    lines = wave(
        story.task(1, host="a", summary="fine"),
        story.task(1, host="b", status="unreachable", message="no route", ignored=True),
        story.task(1, host="c", status="finding", summary="0.97", message="too many"),
        story.task(1, host="d", status="failed", message="broke"),
        story.task(1, host="e", status="unknown", message="cut off"),
    )
    assert [line.split()[0] for line in lines] == ["?", "✗", "✗", "!", "✓"]
    assert lines[1].split() == ["✗", "b", "no", "route"]


def test_a_failure_that_the_playbook_forgives_is_told_so() -> None:
    [line] = wave(story.task(1, phase="mitigate", status="failed", message="no", ignored=True))
    assert line.endswith("no  (ignored)")


def test_skipped_tasks_are_told_to_those_who_ask() -> None:
    skipped = story.task(1, status="skipped", message="when: false")
    assert wave(skipped) == []
    assert wave(skipped, verbosity=1)[0].split() == [
        "-", "Connections", "in", "use", "db1", "when:", "false",
    ]  # fmt: skip


def test_what_stays_open_is_told_without_a_host() -> None:
    left = story.task(
        1, status="skipped", message="open: needs a person", result={"done": False}, hostless=True
    )
    assert wave(left) == ["  - Connections in use             open: needs a person"]
    not_wanted = story.task(1, status="skipped", message="when: false", hostless=True)
    assert wave(not_wanted) == []


def predicted(host: str, summary: str, after: str = "1 GiB") -> ChangePredicted:
    change = {"on": [], "summary": summary, "before": "512 MiB", "after": after, "undo": True}
    return ChangePredicted(task="mitigate.1", name="Raise", host=host, module="m", change=change)


def test_hosts_that_would_be_changed_alike_are_all_named_in_one_line() -> None:
    hosts = [f"web{n}" for n in range(1, 7)]
    events = [predicted(host, "512 MiB → 1 GiB") for host in hosts]
    lines = said(*events, predicted("db1", "256 MiB → 1 GiB"), GuardHeld(guard="g", message="m"))
    assert lines[:-1] == [
        f"  ~ Raise                          {', '.join(hosts)}  would: 512 MiB → 1 GiB",
        "  ~ Raise                          db1  would: 256 MiB → 1 GiB",
    ]


def test_why_a_host_cannot_be_reached_is_told_once() -> None:
    def lost(number: int, host: str, why: str) -> Event:
        return story.task(number, host=host, status="unreachable", message=why)

    waves = [
        [lost(1, "web1", "refused"), lost(1, "web2", "refused")],
        [lost(2, "web2", "refused")],
        [lost(3, "web1", "refused"), lost(3, "web3", "refused")],
        [lost(4, "web1", "no route")],
    ]
    over = WaveEnded(tasks=["investigate.1"])
    events = [event for wave in waves for event in (*wave, over)]
    assert [re.split("  +", line)[2:] for line in said(*events)] == [
        ["web1, web2", "refused"],
        ["web2", "not reached, as before"],
        ["web1, web3", "refused"],
        ["web1", "no route"],
    ]


def test_those_whose_difference_is_another_are_shown_apart() -> None:
    events = [predicted("web1", "set"), predicted("web2", "set", after="2 GiB")]
    lines = said(*events, GuardHeld(guard="g", message="m"), diff=True)
    assert [line for line in lines if "would" in line] == [
        "  ~ Raise                          web1  would: set",
        "  ~ Raise                          web2  would: set",
    ]


@pytest.mark.parametrize(("mode", "lines"), [("within", 0), ("until", 0), ("hold", 1)])
def test_what_holds_at_the_first_look_was_not_waited_for(mode: LookMode, lines: int) -> None:
    looked = Looked(
        phase="mitigate", task="mitigate.1", name="Up", host="web1", holds=True, summary="200",
        elapsed=0, total=60, mode=mode, look=1,
    )  # fmt: skip
    assert len(said(looked)) == lines


def test_a_pause_is_told_as_it_goes_on() -> None:
    waiting = Waiting(
        phase="investigate", task="investigate.1", name="Cool down", elapsed=2, total=300
    )
    assert said(waiting) == ["  … Cool down                      2.0 s of 5 min"]


def test_results_are_told_to_those_who_ask() -> None:
    task = story.task(1, summary="2 rows", result={"rows": [{"state": "idle"}]})
    assert len(wave(task)) == 1
    assert "idle" in "\n".join(wave(task, verbosity=1)[1:])


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (RunResumed(user="ann", options={}), 2),
        (RunResumed(user="ann", options={}, changed=["a.yml: has changed"]), 3),
        (GlassBroken(by="ann", reason="a fire"), 2),
        (Interruption(signal="SIGTERM"), 1),
        (NotPredicted(task="mitigate.2", name="Then", hosts=["db1"], why="depends on pool"), 1),
        (GuardHeld(guard="limits", message="too many hosts"), 1),
        (TaskStarted(phase="investigate", task="investigate.1", name="Look", host="db1"), 0),
    ],
)
def test_other_events(event: Event, lines: int) -> None:
    assert len(said(story.started(), event)) == len(said(story.started())) + lines


def test_words_of_other_events() -> None:
    told = said(
        Interruption(signal="SIGTERM"),
        NotPredicted(task="mitigate.2", name="Then", hosts=["db1"], why="depends on pool"),
        GuardHeld(guard="limits", message="too many hosts"),
        GuardHeld(guard="protected", message="sshd is protected", host="db1"),
        ApprovalAnswered(by="ann", how="terminal", approved=[], refused=["a@db1", "a@db2"]),
        PhaseStarted(phase="resolve", tasks=1, hosts=1, note="not looked at in check mode"),
        PhaseEnded(phase="resolve", seconds=0),
        SeverityJudged(level=None, unjudged=["P1 on db1: no pool"]),
    )
    assert told == [
        "Interrupted by SIGTERM: nothing more is begun",
        "  ~ Then                           db1  cannot be predicted: depends on pool",
        "  ✗ refused by the guard “limits”: too many hosts",
        "  ✗ refused on db1 by the guard “protected”: sshd is protected",
        "  not approved: 2 changes",
        "RESOLVE      not looked at in check mode",
        "SEVERITY     none: no rule holds",
        "  ! not judged: P1 on db1: no pool",
    ]


def test_a_change_is_shown_line_by_line_where_that_is_asked_for() -> None:
    [predicted] = [e for e in story.approved() if isinstance(e, ChangePredicted)]
    over = PhaseEnded(phase="mitigate", seconds=0)
    assert len(said(predicted, over)) == 1
    shown = [line.strip() for line in said(predicted, over, diff=True)]
    assert '-  "state": "idle"' in shown
    assert '+  "state": "ended"' in shown


def test_what_was_not_there_before_is_no_line_of_the_difference() -> None:
    [predicted] = [e for e in story.approved() if isinstance(e, ChangePredicted)]
    made = replace(predicted, change={**predicted.change, "before": None, "after": "one\ntwo"})
    shown = said(made, PhaseEnded(phase="mitigate", seconds=0), diff=True)
    assert [line.strip() for line in shown[1:]] == [
        "--- before", "+++ after", "@@ -0,0 +1,2 @@", "+one", "+two",
    ]  # fmt: skip


def test_what_is_under_way_moves_where_that_is_possible() -> None:
    screen = Screen()
    console = Console(screen, story.RUN, colour=False, live=True)
    for host in ("db1", "db2"):
        console.tell(TaskStarted(phase="resolve", task="resolve.1", name="Look", host=host))
    assert screen.moving == ["  … Look                           db1, db2"]
    console.tell(story.task(1, task="resolve.1", phase="resolve", host="db1"))
    assert screen.moving == ["  … Look                           db2"]
    assert screen.lines == []


def test_nothing_that_a_host_or_a_playbook_says_is_obeyed() -> None:
    evil = "\x1b]0;x\x07\u202e"
    lines = said(
        story.started(playbook=evil),
        story.task(1, name=evil, summary=evil, result={evil: evil}, status="finding"),
        WaveEnded(tasks=["investigate.1"]),
        GuardHeld(guard="limits", message=evil),
        SeverityJudged(level="P1", because=evil, unjudged=[evil]),
        story.ended(message=evil, recap={evil: {"ok": 1}}),
        verbosity=3,
        diff=True,
    )
    text = "".join(lines)
    assert [c for c in text if not c.isprintable()] == []
    assert text.count(r"\e]0;x\u0007\u202e") >= 8


def test_colours_stand_for_what_happened() -> None:
    lines = said(story.ended(exit_code=2, outcome="failed"), colour=True)
    assert any("\x1b[31mFAILED\x1b[0m" in line for line in lines)
