"""The language's control words as an engineer uses them: whole runs, on this machine."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.quell import results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.quell import Ended, Quell

    Run = Callable[..., Ended]

pytestmark = pytest.mark.slow
_INVENTORY = """\
all:
  vars: {ansible_connection: local}
  children:
    web: {hosts: {h1: {n: 1}, h2: {n: 2}}}
    db: {hosts: {h3: {n: 3}, h4: {n: 4}}}
    dead:
      hosts:
        gone: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
"""


@pytest.fixture
def run(quell: Quell, tmp_path: Path) -> Run:
    """Runs a playbook's text, with further arguments; `LOG` in it is a file."""

    def run(text: str, *arguments: str) -> Ended:
        (tmp_path / "hosts.yml").write_text(_INVENTORY)
        book = tmp_path / "book.yml"
        text = textwrap.dedent(text).replace("LOG", str(tmp_path / "log"))
        book.write_text(f"name: Book\n{text}")
        return quell("run", book, "-i", tmp_path / "hosts.yml", "--yes", *arguments)

    return run


def log(directory: Path) -> list[str]:
    """The lines that were left in `LOG`."""
    return (directory / "log").read_text().splitlines()


def test_a_loops_results_say_of_which_item_they_are(run: Run, quell: Quell) -> None:
    ended = run("""\
        hosts: h1
        investigate:
          - name: Look
            loop: [a, b]
            loop_control: {loop_var: letter, index_var: number}
            shell: {probe: true, script: "test {{ letter }} = a"}
            expect: result.rc == 0
            register: looked
          - name: Skipped, too
            loop: [c]
            when: item != "c"
            shell: {probe: true, script: "true"}
            register: skipped
          - name: Known
            assert:
              - looked.results | selectattr('finding') | map(attribute='letter') | list == ['b']
              - looked.results | map(attribute='number') | list == [0, 1]
              - skipped.results[0].item == 'c'
        """)
    assert ended.code == 0, ended.stderr
    assert [e.summary for e in results(quell.events(), "Known")] == ["3 of 3 hold"]


def test_until_says_how_often_it_was_looked(run: Run, quell: Quell) -> None:
    run("""\
        hosts: h1
        investigate:
          - name: Third time
            shell: {probe: true, script: "echo >>LOG; grep -c '' LOG"}
            until: result.stdout == '3'
            delay: 10ms
            register: looked
          - name: Known
            assert: looked.attempts == 3
        """)
    assert [e.status for e in results(quell.events(), "Known")] == ["ok"]


def test_groups_are_lists(run: Run, quell: Quell) -> None:
    run("""\
        hosts: h1
        investigate:
          - name: Lists
            assert: ["groups.web == ['h1', 'h2']", "groups.web + ['x'] == ['h1', 'h2', 'x']"]
        """)
    assert [e.summary for e in results(quell.events(), "Lists")] == ["2 of 2 hold"]


def test_a_command_on_a_host_that_is_not_there_finds_it_unreachable(
    run: Run, quell: Quell, tmp_path: Path
) -> None:
    ended = run("""\
        hosts: web:dead
        mitigate:
          - name: Ignored
            ignore_unreachable: true
            shell: {script: "echo one >>LOG"}
          - name: Fatal
            ignore_errors: true
            shell: {script: "echo two >>LOG"}
          - name: Not there
            shell: {script: "echo three >>LOG"}
        """)
    assert ended.code == 4, ended.stderr
    assert sorted(log(tmp_path)) == ["one", "one", "three", "three", "two", "two"]
    for name, ignored in [("Ignored", True), ("Fatal", False)]:
        [gone] = [e for e in results(quell.events(), name) if e.host == "gone"]
        assert (gone.status, gone.ignored) == ("unreachable", ignored)
    assert "gone" not in [e.host for e in results(quell.events(), "Not there")]
    assert "gone  ok=0 changed=0 unreachable=1 failed=0 skipped=0 rescued=0 ignored=1" in (
        ended.stdout + ended.stderr
    )


def test_where_yes_is_not_enough_nobody_is_told_to_say_it(run: Run) -> None:
    task = "{name: Act, approve: always_ask, shell: {script: 'true'}}"
    ended = run(f"hosts: h1\nmitigate: [{task}]\n")
    said = ended.stdout + ended.stderr
    assert ended.code == 3
    assert "--yes is not enough: Act says approve: always_ask. Go on at a terminal with: " in said
    assert not said.rstrip().endswith("--yes")


def test_what_was_done_before_a_resume_is_not_foretold_again(
    run: Run, quell: Quell, tmp_path: Path
) -> None:
    first = run("""\
        hosts: web
        mitigate:
          - name: Whole
            block:
              - {name: One, shell: {script: "echo one >>LOG"}, register: one}
              - {name: Two, when: one is changed, shell: {script: "echo two >>LOG"}}
            rescue:
              - {name: Save, shell: {script: "echo save >>LOG"}}
        resolve:
          - {name: Over, shell: {probe: true, script: "test -e LOG.over"}, expect: result.rc == 0}
        """)
    assert first.code == 2, first.stderr
    assert "cannot be predicted: depends on one" in first.stderr
    (tmp_path / "log.over").touch()
    again = quell("resume", "last", "--yes")
    assert again.code == 0, again.stderr
    assert "cannot be predicted" not in again.stderr
    assert log(tmp_path) == ["one", "one", "two", "two"]


def test_a_handler_may_use_what_the_phase_registers(run: Run, tmp_path: Path) -> None:
    ended = run("""\
        hosts: web
        mitigate:
          - {name: Act, shell: {script: "echo act >>LOG"}, notify: [first, second], register: act}
        handlers:
          - name: first
            when: act.rc == 0
            loop: [a, b]
            shell: {script: "echo {{ item }} >>LOG"}
            register: one
          - {name: second, when: one is changed, shell: {script: "echo second >>LOG"}}
        """)
    assert ended.code == 0, ended.stderr
    assert "first                          h1, h2  cannot be predicted: depends on act" in (
        ended.stderr
    )
    assert sorted(log(tmp_path)) == ["a", "a", "act", "act", "b", "b", "second", "second"]


def test_what_is_taken_back_of_a_loop_says_of_which_item(run: Run, tmp_path: Path) -> None:
    ended = run("""\
        hosts: h1
        mitigate:
          - name: Act
            loop: [a, b]
            shell: {script: "echo {{ item }} >>LOG"}
            rollback: [{name: Undo, shell: {script: "echo not {{ item }} >>LOG"}}]
          - {name: Bad, shell: {script: "exit 1"}}
        """)
    assert ended.code == 2
    assert "h1: taking back Act [b], Act [a]" in ended.stderr
    assert log(tmp_path) == ["a", "b", "not b", "not a"]


def test_what_a_block_always_says_of_a_failure_is_no_other_target(run: Run, tmp_path: Path) -> None:
    ended = run("""\
        hosts: web
        mitigate:
          - name: "Whole {{ what }}"
            vars: {what: "of {{ inventory_hostname }}"}
            block:
              - {name: Act, shell: {script: "exit {{ 1 if n == 2 else 0 }}"}}
            rescue:
              - {name: "Save {{ n }}", shell: {script: "true"}}
            always:
              - name: Say
                shell: {script: "echo {{ n }} {{ failure.task if failure else 'nothing' }} >>LOG"}
        """)
    assert ended.code == 0, ended.stderr
    assert sorted(log(tmp_path)) == ["1 nothing", "2 Act"]
    assert "Say                            h1, h2  cannot be predicted: depends on failure" in (
        ended.stderr
    )
    assert (
        'Save 2                         h2  cannot be predicted: only if "Whole of h2" fails'
        in (ended.stderr)
    )
    assert "✓ Whole of h2                    h2  rescued" in ended.stderr


def test_a_loop_over_nothing_is_skipped_and_has_no_results(run: Run, quell: Quell) -> None:
    ended = run("""\
        hosts: h1
        vars: {those: []}
        investigate:
          - {name: Look, loop: those, shell: {probe: true, script: "true"}, register: looked}
          - {name: Known, assert: ["looked.results == []", "looked is skipped"]}
        mitigate:
          - {name: Act, loop: those, shell: {script: "true"}, register: acted}
          - {name: Next, when: acted is skipped, shell: {script: "true"}}
        """)
    assert ended.code == 0, ended.stderr
    assert [e.summary for e in results(quell.events(), "Known")] == ["2 of 2 hold"]
    assert [e.status for e in results(quell.events(), "Next")] == ["changed"]


def test_a_phase_that_is_gone_on_with_did_not_end_before(
    run: Run, quell: Quell, tmp_path: Path
) -> None:
    first = run("""\
        hosts: web
        investigate:
          - {name: Look, when: n == 1, shell: {probe: true, script: "true"}}
        mitigate:
          - {name: Act, shell: {script: "test {{ n }} = 1 || test -e LOG.there"}}
        """)
    assert first.code == 2, first.stderr
    (tmp_path / "log.there").touch()
    again = quell("resume", "last", "--yes")
    assert again.code == 0, again.stderr
    assert "INVESTIGATE  ended before" in again.stderr
    assert "MITIGATE     1 task × 2 hosts" in again.stderr


def test_nothing_waits_between_items_that_are_only_foretold(run: Run) -> None:
    ended = run(
        """\
        hosts: h1
        mitigate:
          - {name: Act, loop: [a, b], loop_control: {pause: 1h}, shell: {script: "true"}}
        """,
        "--check",
    )
    assert ended.code == 0, ended.stderr
    assert "2 changes would be made" in ended.stderr


def test_what_another_host_has_not_is_said_by_its_whole_name(run: Run, quell: Quell) -> None:
    run("""\
        hosts: h1
        investigate:
          - {name: There, hosts: h2, when: n == 1, shell: {probe: true, script: "true"}}
          - {name: Known, assert: "hostvars.h2.nothing == 1"}
        """)
    [known] = results(quell.events(), "Known")
    assert known.message.startswith("hostvars.h2.nothing is not defined: hostvars.h2 has ")


def test_tags_may_leave_of_a_block_what_is_always_done(run: Run, tmp_path: Path) -> None:
    ended = run(
        """\
        hosts: h1
        mitigate:
          - block: [{name: Act, shell: {script: "echo act >>LOG"}}]
            rescue: [{name: Save, tags: last, shell: {script: "echo save >>LOG"}}]
            always: [{name: Say, tags: last, shell: {script: "echo say >>LOG"}}]
        """,
        "--tags=last",
    )
    assert ended.code == 0, ended.stderr
    assert log(tmp_path) == ["say"]
