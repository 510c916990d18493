import pytest

from engine.execution.waves import stretches, waves
from engine.language.model import Task
from tests.execution.build import task


def names(found: list[tuple[Task, ...]]) -> list[list[str]]:
    return [[t.name for t in wave] for wave in found]


def test_independent_probes_share_a_wave() -> None:
    tasks = [task("a", register="a"), task("b", register="b"), task("c")]
    assert names(waves(tasks)) == [["a", "b", "c"]]


def test_a_probe_waits_for_the_result_it_uses() -> None:
    tasks = [task("a", register="a"), task("b"), task("c", uses={"a"}), task("d", uses={"a"})]
    assert names(waves(tasks)) == [["a", "b"], ["c", "d"]]


def test_a_chain_is_a_wave_for_each_link() -> None:
    tasks = [
        task("a", register="a"),
        task("b", register="b", uses={"a"}),
        task("c", uses={"b"}),
    ]
    assert names(waves(tasks)) == [["a"], ["b"], ["c"]]


def test_an_action_waits_and_is_waited_for() -> None:
    tasks = [task("a"), task("kill", kind="action"), task("b"), task("c")]
    assert names(waves(tasks)) == [["a"], ["kill"], ["b", "c"]]


def test_two_actions_in_a_row_do_not_run_together() -> None:
    tasks = [task("x", kind="action"), task("y", kind="action")]
    assert names(waves(tasks)) == [["x"], ["y"]]


def test_a_record_is_a_barrier_too() -> None:
    assert names(waves([task("a"), task("note", kind="record"), task("b")])) == [
        ["a"],
        ["note"],
        ["b"],
    ]


def test_names_that_are_set_are_waited_for() -> None:
    setting = task("s", module="set", args={"vars": {"colour": "red"}})
    assert names(waves([setting, task("b", uses={"colour"})])) == [["s"], ["b"]]


def test_who_reads_other_hosts_waits_for_everything_registered() -> None:
    tasks = [task("a", register="a"), task("b", uses={"hostvars"})]
    assert names(waves(tasks)) == [["a"], ["b"]]
    assert names(waves([task("a"), task("b", uses={"hostvars"})])) == [["a", "b"]]


def test_a_result_of_an_earlier_wave_holds_nobody_back() -> None:
    tasks = [
        task("a", register="a"),
        task("b", register="b", uses={"a"}),
        task("c", uses={"a"}),
    ]
    assert names(waves(tasks)) == [["a"], ["b", "c"]]


def joined(*tasks: Task) -> list[list[list[str]]]:
    return [names(found) for found in stretches(waves(tasks))]


def test_waves_of_probes_are_gone_through_by_each_host_alone() -> None:
    tasks = [task("a", register="a"), task("b", register="b", uses={"a"}), task("c", uses={"b"})]
    assert joined(*tasks) == [[["a"], ["b"], ["c"]]]


@pytest.mark.parametrize(
    "barrier",
    [
        task("x", kind="action"),
        task("x", kind="record"),
        task("x", run_once=True, uses={"a"}, register="x"),
        task("x", uses={"hostvars"}, register="x"),
        task("x", no_log=["result.token"], uses={"a"}, register="x"),
    ],
    ids=["action", "record", "run_once", "hostvars", "secrets"],
)
def test_all_hosts_wait_before_and_after_what_concerns_more_than_one(barrier: Task) -> None:
    tasks = [task("a", register="a"), barrier, task("b", register="b", uses={"x"})]
    tasks.append(task("c", uses={"b"}))
    assert joined(*tasks) == [[["a"]], [["x"]], [["b"], ["c"]]]


def test_hiding_all_of_a_result_holds_nobody_back() -> None:
    tasks = [task("a", register="a", no_log=True), task("b", uses={"a"})]
    assert joined(*tasks) == [[["a"], ["b"]]]
