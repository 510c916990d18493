"""Blocks, rescue, always, batches, budgets, rollback and handlers, on boards of switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ApprovalNeeded, Unreachable
from engine.events import (
    BatchStarted,
    BlockRescued,
    ChangePredicted,
    GuardHeld,
    NotPredicted,
    RollbackStarted,
    RunHalted,
    TaskEnded,
    WaveEnded,
)
from tests.execution.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = """
mitigate:
  - name: Careful
    block:
      - {name: Try, switch: "on"}
      - {name: Then, switch: {name: second, to: "on"}}
    rescue:
      - {name: Mend, switch: {name: mended, to: "on"}}
    always:
      - {name: Look, look: main}
  - {name: After, switch: {name: after, to: "on"}}
"""


def rig(tmp_path: Path, text: str, hosts: int = 2, **options: object) -> Rig:
    names = [f"h{number}" for number in range(1, hosts + 1)]
    made = Rig(tmp_path, text, **{"yes": True, "hosts": names, **options})  # type: ignore[arg-type]
    for board in made.boards.values():
        board.switches.update(dict.fromkeys(("second", "mended", "after", "last"), "off"))
    return made


def ended(made: Rig, host: str = "h1") -> list[tuple[str, str]]:
    return [(event.name, event.status) for event in made.told(TaskEnded) if event.host == host]


def test_a_failure_in_a_block_goes_to_its_rescue_and_the_host_goes_on(tmp_path: Path) -> None:
    made = rig(tmp_path, BLOCK)
    made.boards["h1"].surprise("put", 1)
    made.mitigate()
    assert ended(made, "h1") == [
        ("Try", "failed"),
        ("Mend", "changed"),
        ("Look", "ok"),
        ("After", "changed"),
    ]
    assert ended(made, "h2") == [
        ("Try", "changed"),
        ("Then", "changed"),
        ("Look", "ok"),
        ("After", "changed"),
    ]
    [rescued] = made.told(BlockRescued)
    assert (rescued.name, rescued.hosts) == ("Careful", ["h1"])
    assert made.memory.stopped == set()
    recap = made.memory.recap["h1"]
    assert (recap["failed"], recap["rescued"]) == (0, 1)  # as in Ansible


CHAIN = """
investigate:
  - {name: First, look: main, register: first}
  - {name: Second, look: main, when: first is not failed}
"""


def order_of(made: Rig) -> list[tuple[str, str]]:
    return [(event.name, event.host) for event in made.told(TaskEnded)]


def test_in_an_investigation_no_host_waits_for_another(tmp_path: Path) -> None:
    made = rig(tmp_path, CHAIN)
    made.run.execute()
    assert order_of(made) == [("First", "h1"), ("Second", "h1"), ("First", "h2"), ("Second", "h2")]
    waves = [event.tasks for event in made.told(WaveEnded)]
    assert waves == [["investigate.1"], ["investigate.2"]]


def test_elsewhere_all_hosts_take_one_step_after_the_other(tmp_path: Path) -> None:
    made = rig(tmp_path, CHAIN.replace("investigate", "mitigate"))
    made.mitigate()
    assert order_of(made) == [("First", "h1"), ("First", "h2"), ("Second", "h1"), ("Second", "h2")]


def test_who_steps_through_an_investigation_is_asked_once_a_task(tmp_path: Path) -> None:
    made = rig(tmp_path, CHAIN, leave={"Second"})
    made.run.execute()
    assert order_of(made) == [("First", "h1"), ("First", "h2")]


def test_a_signal_lets_no_host_go_on(tmp_path: Path) -> None:
    made = rig(tmp_path, CHAIN)
    made.boards["h1"].then = lambda _: made.run.interrupt("SIGINT")
    made.run.execute()
    assert ("Second", "h1") not in order_of(made)


def test_a_failed_rescue_fails_the_host_and_always_is_always(tmp_path: Path) -> None:
    made = rig(tmp_path, BLOCK)
    made.boards["h1"].surprise("put", 1, 1)
    made.mitigate()
    assert ended(made) == [("Try", "failed"), ("Mend", "failed"), ("Look", "ok")]
    assert made.memory.stopped == {"h1"}
    assert made.told(BlockRescued) == []


def test_an_unreachable_host_is_rescued_by_another_in_its_stead(tmp_path: Path) -> None:
    text = BLOCK.replace("{name: Mend,", "{name: Mend, delegate_to: localhost,")
    made = rig(
        tmp_path, text.replace("{name: Look, look", "{name: Look, ignore_unreachable: true, look")
    )
    gone = made.boards["h1"]
    gone.surprise("look", *[Unreachable("no route")] * 9)
    made.mitigate()
    assert made.boards["localhost"].log[-2:] == ["put mended on", "look mended"]
    assert ("Mend", "changed") in ended(made)
    recap = made.memory.recap["h1"]
    assert (recap["unreachable"], recap["rescued"]) == (1, 1)  # by what comes after the block


def test_what_failed_is_known_to_its_rescue(tmp_path: Path) -> None:
    text = BLOCK.replace(
        'to: "on"}}\n    always', "to: \"{{ failure.task ~ '/' ~ failure.status }}\"}}\n    always"
    )
    made = rig(tmp_path, text)
    made.boards["h1"].surprise("put", 1)
    made.mitigate()
    assert made.boards["h1"].switches["mended"] == "Try/failed"


def test_blocks_stand_in_blocks_and_an_inner_failure_goes_out(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        mitigate:
          - name: Outer
            block:
              - name: Inner
                block: [{name: Try, switch: "on"}]
                always: [{name: Look, look: main}]
              - {name: Not this, switch: {name: second, to: "on"}}
            rescue:
              - {name: Mend, switch: {name: mended, to: "on"}}
        """,
        hosts=1,
    )
    made.boards["h1"].surprise("put", 1)
    made.mitigate()
    assert ended(made) == [("Try", "failed"), ("Look", "ok"), ("Mend", "changed")]
    [rescued] = made.told(BlockRescued)
    assert rescued.name == "Outer"


def test_a_blocks_words_hold_for_its_tasks(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        environment: {WHERE: playbook, WHAT: x}
        mitigate:
          - name: Some
            when: inventory_hostname == 'h2'
            vars: {position: half}
            environment: {WHERE: block}
            block:
              - {name: Half, when: position == 'half', switch: "{{ position }}"}
              - {name: Own, vars: {position: full}, switch: {to: "{{ position }}", name: second}}
        """,
    )
    made.mitigate()
    assert made.puts("h1") == []
    assert made.puts("h2") == ["put main half", "put second full"]
    assert made.boards["h2"].environments[-1] == {"WHERE": "block", "WHAT": "x"}


def test_what_only_a_failure_brings_is_said_and_not_counted(tmp_path: Path) -> None:
    made = rig(tmp_path, BLOCK, check=True)
    made.mitigate()
    [only] = made.told(NotPredicted)
    assert (only.name, only.hosts, only.why) == ("Mend", ["h1", "h2"], 'only if "Careful" fails')
    assert {e.name for e in made.told(ChangePredicted)} == {"Try", "Then", "After"}


SIMPLE = """
mitigate:
  - {name: Try, switch: "on"}
  - {name: Then, switch: {name: second, to: "on"}}
"""


def test_batches_are_done_one_after_the_other_and_the_first_failure_is_the_last(
    tmp_path: Path,
) -> None:
    made = rig(tmp_path, f"serial: [1, 50%]{SIMPLE}", hosts=5)
    made.boards["h3"].surprise("put", 1)
    made.mitigate()
    assert [(e.number, e.of, e.hosts) for e in made.told(BatchStarted)] == [
        (1, 3, ["h1"]),
        (2, 3, ["h2", "h3"]),
    ]
    assert [made.puts(f"h{n}") for n in (4, 5)] == [[], []]
    assert made.puts("h2") == ["put main on", "put second on"]
    [halted] = made.told(RunHalted)
    assert halted.reason == "batch 2 of 3 failed on h3"


def test_all_changes_are_shown_before_the_first_batch(tmp_path: Path) -> None:
    made = rig(tmp_path, f"serial: 1{SIMPLE}", hosts=3, yes=False, answers=[None])
    with pytest.raises(ApprovalNeeded, match="6 changes wait for a yes on h1, h2, h3"):
        made.mitigate()


def test_a_failure_budget_counts_over_all_batches(tmp_path: Path) -> None:
    made = rig(tmp_path, f"serial: 2\nmax_fail: 25%{SIMPLE}", hosts=8)
    for host in ("h1", "h3", "h4"):
        made.boards[host].surprise("put", 1)
    made.mitigate()
    assert len(made.told(BatchStarted)) == 2
    [halted] = made.told(RunHalted)
    assert halted.reason == "3 of 8 hosts failed (38 %); max_fail is 25%"
    assert made.memory.stopped == {"h1", "h3", "h4"}


def test_a_spent_budget_stops_the_hosts_that_are_on_their_way(tmp_path: Path) -> None:
    made = rig(tmp_path, f"max_fail: 0{SIMPLE}", hosts=3)
    made.boards["h2"].surprise("put", 1)
    made.mitigate()
    assert made.puts("h1") == made.puts("h3") == ["put main on"]
    assert made.memory.stopped == {"h2"}


def test_an_unreachable_host_and_one_that_is_unknown_spend_the_budget(tmp_path: Path) -> None:
    made = rig(tmp_path, f"max_fail: 1{SIMPLE}", hosts=3)
    made.boards["h1"].surprise("look", None, None, Unreachable("gone"))
    made.boards["h2"].dies_after = "put main on"
    made.boards["h2"].surprise("look", None, None, None, Unreachable("gone"))
    made.mitigate()
    assert [s for h in ("h1", "h2") for _, s in ended(made, h)] == ["unreachable", "unknown"]
    assert [halted.reason for halted in made.told(RunHalted)] == [
        "2 of 3 hosts failed; max_fail is 1"
    ]


def test_a_rescued_host_spends_nothing(tmp_path: Path) -> None:
    made = rig(tmp_path, f"max_fail: 0{BLOCK}")
    made.boards["h1"].surprise("put", 1)
    made.mitigate()
    assert made.told(RunHalted) == []
    assert made.memory.stopped == set()


def test_a_fatal_failure_is_one_of_all(tmp_path: Path) -> None:
    made = rig(tmp_path, f"any_errors_fatal: true\nserial: 2{SIMPLE}", hosts=4)
    made.boards["h1"].surprise("put", 1)
    made.mitigate()
    assert made.puts("h2") == ["put main on"]
    assert made.puts("h3") == []
    assert made.memory.stopped == {"h1", "h2"}
    [halted] = made.told(RunHalted)
    assert halted.reason == '"Try" failed on h1, which is fatal to all'


UNDONE = """
mitigate:
  - name: Raise
    register: raised
    switch: "on"
    rollback:
      - {name: Lower, switch: "{{ result.before }}"}
  - name: Next
    switch: {name: second, to: "on"}
    rollback:
      - {name: Back, switch: {name: second, to: "off"}}
  - {name: Last, switch: {name: last, to: "on"}}
"""


def test_what_was_applied_is_taken_back_the_last_first(tmp_path: Path) -> None:
    made = rig(tmp_path, UNDONE)
    made.boards["h1"].surprise("put", None, None, 1)
    made.mitigate()
    assert made.puts("h1")[-2:] == ["put second off", "put main off"]
    assert made.puts("h2") == ["put main on", "put second on", "put last on"]
    [started] = made.told(RollbackStarted)
    assert (started.host, started.tasks) == ("h1", ["Next", "Raise"])
    assert started.why == '"Last" failed: the switch is stuck'
    assert made.memory.stopped == {"h1"}


def test_what_was_not_applied_is_not_taken_back(tmp_path: Path) -> None:
    made = rig(tmp_path, UNDONE, hosts=1)
    made.boards["h1"].switches["main"] = "on"
    made.boards["h1"].surprise("put", None, 1)
    made.mitigate()
    assert made.puts("h1") == ["put second on", "put last on", "put second off"]


def test_a_change_that_does_not_help_is_taken_back(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        mitigate:
          - name: Raise
            switch: "on"
            verify: [{name: Better, look: second, expect: result.position == 'on', within: 0.01}]
            rollback: [{name: Lower, switch: "off"}]
        """,
        hosts=1,
    )
    made.mitigate()
    assert made.puts("h1") == ["put main on", "put main off"]
    assert ended(made) == [("Raise", "failed"), ("Lower", "changed")]


def test_a_rollback_is_approved_with_its_change(tmp_path: Path) -> None:
    made = rig(tmp_path, UNDONE, hosts=1, yes=False, answers=[{"h1"}])
    made.boards["h1"].surprise("put", None, None, 1)
    made.mitigate()
    assert len(made.person.asked) == 1
    assert made.puts("h1")[-2:] == ["put second off", "put main off"]


def test_a_rollback_that_fails_ends_the_others_of_its_host(tmp_path: Path) -> None:
    made = rig(tmp_path, UNDONE, hosts=1)
    made.boards["h1"].surprise("put", None, None, 1, 1)
    made.mitigate()
    assert ended(made)[-1] == ("Back", "failed")
    assert made.boards["h1"].switches["main"] == "on"


def test_a_rescued_block_takes_back_only_its_own(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        mitigate:
          - {name: Before, switch: "on", rollback: [{switch: "off"}]}
          - block:
              - {name: In, switch: {name: second, to: "on"},
                 rollback: [{switch: {name: second, to: "off"}}]}
              - {name: Fails, switch: {name: last, to: "on"}}
            rescue: [{look: main}]
        """,
        hosts=1,
    )
    made.boards["h1"].surprise("put", None, None, 1)
    made.mitigate()
    assert made.boards["h1"].switches["main"] == "on"
    assert made.boards["h1"].switches["second"] == "off"
    assert made.memory.stopped == set()


@pytest.mark.parametrize(
    ("said", "taken_back"), [("[failure]", []), ("[failure, interrupt]", ["put main off"])]
)
def test_an_interruption_takes_back_where_the_playbook_says_so(
    tmp_path: Path, said: str, taken_back: list[str]
) -> None:
    made = rig(tmp_path, f"rollback_on: {said}{UNDONE}", hosts=1)

    def interrupt(command: str) -> None:
        if command == "put main on":
            made.halt.interrupt("SIGINT")

    made.boards["h1"].then = interrupt
    made.mitigate()
    assert made.puts("h1") == ["put main on", *taken_back]
    assert made.revived == len(taken_back)


@pytest.mark.parametrize(
    ("said", "taken_back"), [("[failure]", []), ("[failure, interrupt]", ["put main off"])]
)
def test_what_an_interruption_cut_off_has_not_failed(
    tmp_path: Path, said: str, taken_back: list[str]
) -> None:
    verify = "    verify: [{look: after, expect: result.position == 'on', within: 1m}]\n"
    text = UNDONE.replace('switch: "on"\n', f'switch: "on"\n{verify}', 1)
    made = rig(tmp_path, f"rollback_on: {said}{text}", hosts=1)

    def interrupt(command: str) -> None:
        if command == "look after":
            made.halt.interrupt("SIGINT")
            made.worker.stop()

    made.boards["h1"].then = interrupt
    made.mitigate()
    assert made.puts("h1") == ["put main on", *taken_back]
    assert ended(made)[0] == ("Raise", "unknown")  # so that it is looked at when the run goes on


def test_always_is_done_after_an_interruption_and_nothing_after_two(tmp_path: Path) -> None:
    for signals, looks in ((1, [("Try", "changed"), ("Look", "ok")]), (2, [("Try", "changed")])):
        made = rig(tmp_path, BLOCK, hosts=1)

        def interrupt(command: str, made: Rig = made, signals: int = signals) -> None:
            if command == "put main on":
                for _ in range(signals):
                    made.halt.interrupt("SIGINT")

        made.boards["h1"].then = interrupt
        made.mitigate()
        assert ended(made) == looks


NOTIFYING = """
mitigate:
  - {name: One, switch: "on", notify: [restart, tell]}
  - {name: Two, switch: {name: second, to: "on"}, notify: restart}
handlers:
  - {name: tell, look: last}
  - {name: restart, switch: {name: after, to: restarted}}
"""


def test_handlers_come_once_and_last_in_their_own_order(tmp_path: Path) -> None:
    made = rig(tmp_path, NOTIFYING)
    made.boards["h2"].switches.update(main="on", second="on")
    made.mitigate()
    assert ended(made, "h1") == [
        ("One", "changed"),
        ("Two", "changed"),
        ("tell", "ok"),
        ("restart", "changed"),
    ]
    assert ended(made, "h2") == [("One", "ok"), ("Two", "ok")]


def test_a_handlers_change_is_shown_before_it_is_approved(tmp_path: Path) -> None:
    made = rig(tmp_path, NOTIFYING, hosts=1, yes=False, answers=[{"h1"}])
    made.mitigate()
    assert [p.name for p in made.person.asked[0]] == ["One", "Two", "restart"]
    assert len(made.person.asked) == 1


def test_a_host_that_failed_gets_no_handlers(tmp_path: Path) -> None:
    made = rig(tmp_path, NOTIFYING, hosts=1)
    made.boards["h1"].surprise("put", None, 1)
    made.mitigate()
    assert ended(made) == [("One", "changed"), ("Two", "failed")]


def test_what_was_notified_on_a_host_that_failed_does_not_come_later(tmp_path: Path) -> None:
    made = rig(tmp_path, f"{NOTIFYING}always:\n  - {{name: Last, look: main}}\n", hosts=1)
    made.boards["h1"].surprise("put", None, 1)
    made.mitigate()
    made.phases.run("always")
    assert ended(made) == [("One", "changed"), ("Two", "failed"), ("Last", "ok")]


def test_what_is_done_once_is_known_to_all(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        mitigate:
          - {name: Once, run_once: true, look: main, register: seen}
          - {name: All, switch: {name: second, to: "{{ seen.position }}!"}}
        """,
        hosts=3,
    )
    made.mitigate()
    assert [name for h in ("h1", "h2", "h3") for name, _ in ended(made, h)] == [
        "Once", "All", "All", "All",
    ]  # fmt: skip
    assert made.puts("h3") == ["put second off!"]


def test_another_host_does_it_in_the_hosts_stead(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        mitigate:
          - {name: There, hosts: h1, delegate_to: "{{ groups['all'][-1] }}",
             switch: "{{ inventory_hostname }}"}
        """,
    )
    made.mitigate()
    assert made.puts("h2") == ["put main h1"]
    assert made.boards["h1"].log == []
    [event] = made.told(TaskEnded)
    assert (event.host, event.delegate) == ("h1", "h2")


def test_the_host_that_is_changed_counts_for_the_limits(tmp_path: Path) -> None:
    made = rig(
        tmp_path,
        """
        limits: {max_hosts: 1}
        mitigate:
          - {name: There, delegate_to: h2, run_once: true, switch: "on"}
          - block: [{name: Fails, hosts: h1, look: broken}]
            rescue: [{name: Unforeseen, switch: "on"}]
        """,
    )
    made.boards["h1"].switches["broken"] = "broken"
    made.mitigate()
    assert made.puts("h2") == ["put main on"]
    assert made.puts("h1") == []
    [held] = made.told(GuardHeld)
    assert held.host == "h1"
    assert made.course.refused.startswith("Unforeseen on h1: would change 2 hosts")


def test_an_unknown_delegate_is_told(tmp_path: Path) -> None:
    made = rig(tmp_path, "mitigate:\n  - {look: main, delegate_to: \"{{ 'h' ~ 22 }}\"}\n")
    made.mitigate()
    failed = made.told(TaskEnded)[0]
    assert failed.message == 'delegate_to: there is no host "h22" — did you mean "h2"?'


def test_a_person_passes_over_what_is_not_wanted(tmp_path: Path) -> None:
    made = rig(tmp_path, SIMPLE, hosts=1, leave={"Try"})
    made.mitigate()
    assert made.puts("h1") == ["put second on"]
