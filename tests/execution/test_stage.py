"""Tasks become orders, and what comes back is told and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ApprovalNeeded, Unreachable
from engine.events import TaskEnded, TaskStarted, WaveEnded
from engine.execution.past import Past
from engine.execution.plan import Selection
from tests.execution.rig import Rig
from tests.journal.events import task as past_task

if TYPE_CHECKING:
    from pathlib import Path


def run(rig: Rig, phase: str = "investigate") -> dict[tuple[str, str, str | None], str]:
    tasks = rig.plan.tasks(phase)  # type: ignore[arg-type]
    rig.stage.run(phase, tasks)  # type: ignore[arg-type]
    return {(e.name, e.host, e.item): e.status for e in rig.told(TaskEnded)}


def test_a_task_ends_on_each_host_and_its_wave_ends_last(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "investigate:\n  - {name: Look, look: main}\n")
    assert run(rig) == {("Look", "h1", None): "ok", ("Look", "h2", None): "ok"}
    assert isinstance(rig.events[0], TaskStarted)
    assert rig.events[-1] == WaveEnded(at=rig.events[-1].at, tasks=["investigate.1"])
    [first, _] = rig.told(TaskEnded)
    assert first.place.endswith("book.yml:4")


def test_a_condition_is_asked_for_each_host(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path, "investigate:\n  - {name: Look, when: inventory_hostname == 'h2', look: main}\n"
    )
    assert run(rig) == {("Look", "h1", None): "skipped", ("Look", "h2", None): "ok"}
    [skipped] = [event for event in rig.told(TaskEnded) if event.status == "skipped"]
    assert skipped.message == "when: inventory_hostname == 'h2'"


def test_a_task_whose_hosts_are_limited_away_runs_on_no_other(tmp_path: Path) -> None:
    text = "mitigate:\n  - {name: Put, hosts: h2, switch: 'on'}\n  - {name: See, look: main}\n"
    rig = Rig(tmp_path, text, yes=True, selection=Selection(limit="h1"))
    rig.mitigate()
    assert (rig.puts("h1"), rig.puts("h2")) == ([], [])
    assert [(event.name, event.host) for event in rig.told(TaskEnded)] == [("See", "h1")]


def test_a_loop_has_an_order_for_each_item(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "investigate:\n"
        "  - {name: Look, hosts: h1, loop: [main, main, b], when: item != 'b',"
        ' look: "{{ item }}"}\n',
    )
    assert run(rig) == {
        ("Look", "h1", "main"): "ok",
        ("Look", "h1", "main (2)"): "ok",
        ("Look", "h1", "b"): "skipped",
    }


def test_a_loops_results_stand_in_its_order(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "investigate:\n"
        "  - {name: Look, hosts: h1, loop: [main, b, main], when: item != 'b',"
        ' look: "{{ item }}", register: found}\n',
    )
    run(rig)
    results = rig.stage.memory.data("h1")["found"]["results"]
    assert [result["skipped"] for result in results] == [False, True, False]


def test_a_loop_over_what_is_no_list_fails_its_host(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "investigate:\n  - {name: Look, loop: run_id, look: main}\n")
    assert set(run(rig).values()) == {"failed"}
    assert all(board.log == [] for board in rig.boards.values())


def test_a_condition_that_cannot_be_asked_fails_its_host(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "investigate:\n  - {name: Look, when: env.NOT_THERE, look: main}\n")
    assert set(run(rig).values()) == {"failed"}
    assert rig.told(TaskEnded)[0].message.startswith("when: ")


def test_failures_are_evidence_in_investigate(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "investigate:\n  - {name: Look, look: main}\n")
    rig.boards["h1"].surprise("look", Unreachable("no route"))
    assert run(rig)["Look", "h1", None] == "unreachable"
    [failed] = [event for event in rig.told(TaskEnded) if event.host == "h1"]
    assert failed.ignored
    assert rig.memory.stopped == set()


def test_a_failure_in_mitigate_takes_the_host_out_of_it(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "mitigate:\n  - {name: Look, look: main}\n  - {name: On, switch: 'on'}\n",
        answers=[None],
    )
    rig.boards["h1"].surprise("look", 1)
    with pytest.raises(ApprovalNeeded, match="1 change waits for a yes on h2"):
        rig.mitigate()
    assert rig.memory.stopped == {"h1"}


def test_ignore_errors_keeps_the_host_in(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "mitigate:\n  - {name: Look, ignore_errors: true, look: main}\n")
    rig.boards["h1"].surprise("look", 1)
    run(rig, "mitigate")
    assert rig.memory.stopped == set()
    assert rig.memory.recap["h1"]["ignored"] == 1


def test_what_ended_before_is_not_run_again_but_counts_and_is_known(tmp_path: Path) -> None:
    key = ("investigate.1", "h1", None)
    before = past_task(1, host="h1", status="finding", result={"position": "broken"})
    rig = Rig(
        tmp_path,
        "investigate:\n  - {name: Look, look: main, register: seen}\n",
        past=Past({key: before}),
    )
    assert run(rig) == {("Look", "h2", None): "ok"}
    assert rig.boards["h1"].log == []
    assert rig.memory.scope("h1")["seen"] == {"position": "broken"}
    assert rig.memory.recap["h1"]["ok"] == 1


def test_a_loop_names_numbers_and_labels_its_items(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        """
        investigate:
          - name: "Look {{ n }}"
            hosts: h1
            loop: [{name: main, secret: hush}, {name: b, secret: hush}]
            loop_control: {loop_var: each, index_var: n, label: "{{ each.name }}"}
            look: "{{ each.name }}"
        """,
    )
    rig.boards["h1"].switches["b"] = "off"
    assert list(run(rig)) == [("Look 0", "h1", "main"), ("Look 1", "h1", "b")]


def test_items_wait_for_one_another_where_there_is_a_pause(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        "investigate:\n  - {hosts: h1, loop: [main, gone, main], look: '{{ item }}',"
        " loop_control: {pause: 10ms}}\n",
    )
    rig.boards["h1"].switches["gone"] = "broken"
    assert list(run(rig).values()) == ["ok", "finding", "ok"]
    [orders] = rig.lanes
    assert [order.pause for order in orders] == [0, 0.01, 0.01]


@pytest.mark.parametrize(
    ("status", "keyword", "stops"),
    [
        (1, "ignore_errors", False),
        (Unreachable("gone"), "ignore_errors", True),
        (Unreachable("gone"), "ignore_unreachable", False),
        (1, "ignore_unreachable", True),
    ],
)
def test_what_is_ignored_is_said(
    tmp_path: Path, status: Exception | int, keyword: str, *, stops: bool
) -> None:
    rig = Rig(tmp_path, f"mitigate:\n  - {{name: Look, {keyword}: true, look: main}}\n")
    rig.boards["h1"].surprise("look", status)
    rig.mitigate()
    assert rig.memory.stopped == ({"h1"} if stops else set())
    assert rig.memory.recap["h1"]["ignored"] == (0 if stops else 1)


def test_what_is_not_to_be_logged_is_not_told_but_why_it_failed_is(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        """
        investigate:
          - {name: Hidden, hosts: h1, no_log: true, look: main, register: seen}
          - {name: Wrong, hosts: h1, no_log: true, look: main, expect: result.position == 'on'}
        """,
    )
    rig.boards["h1"].switches["main"] = "s3cret"
    run(rig)
    hidden, wrong = rig.told(TaskEnded)
    assert hidden.result["position"] == "********"
    assert hidden.summary == "(not shown: no_log)"
    assert wrong.message == "expected result.position == 'on'"
    assert rig.memory.data("h1")["seen"]["position"] == "s3cret"


def test_a_value_that_is_not_to_be_logged_is_masked_everywhere(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path,
        """
        investigate:
          - {hosts: h1, no_log: [seen.position, result.nothing], look: main, register: seen}
          - {name: "Then {{ seen.position }}", hosts: h1, look: second}
        """,
    )
    rig.boards["h1"].switches.update(main="s3cret", second="s3cret")
    for phase_task in rig.plan.tasks("investigate"):
        rig.stage.run("investigate", [phase_task])
    first, second = rig.told(TaskEnded)
    assert (first.result["position"], first.summary) == ("********", "********")
    assert (second.name, second.result["position"]) == ("Then ********", "********")


@pytest.mark.parametrize(
    ("more", "released"),
    [
        ("", ["h1", "h2"]),
        ("mitigate:\n  - {name: Put, switch: 'on'}\n", []),
        ("severity:\n  - {when: false, level: P1}\n", []),
        ("handlers:\n  - {name: Put, switch: 'on'}\n", []),
    ],
    ids=["nothing", "a mitigation", "a severity", "a handler"],
)
def test_hosts_that_nothing_more_is_asked_of_are_released(
    tmp_path: Path, more: str, released: list[str]
) -> None:
    tasks = "investigate:\n  - {name: Look, look: main}\n  - {name: See, look: main}\n"
    rig = Rig(tmp_path, tasks + more, yes=True)
    waves = [[task] for task in rig.plan.tasks("investigate")]
    rig.stage.run_through("investigate", waves, {"h1", "h2"}, lambda: True)
    assert rig.released == released
    assert len(rig.told(TaskEnded)) == 4
