"""What may run together does, and what depends on another does not."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import Marks
from tests.end_to_end.quell import results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
# Says that it is here, then waits for all the others: one after the other, none would end.
_MEET = (
    'mkdir -p "$1"; touch "$1/$2"; '
    'until [ "$(ls "$1" | wc -l)" -ge "$3" ]; do sleep 0.05; done; echo "met"'
)


@pytest.fixture
def marks() -> Marks:
    return Marks()


def probe(name: str, script: str, *args: object, more: str = "") -> str:
    shell = json.dumps({"probe": True, "script": script, "args": [str(arg) for arg in args]})
    return f"  - {{name: {name}, timeout: 20s, shell: {shell}{more}}}\n"


def write(directory: Path, hosts: str, *tasks: str) -> Path:
    path = directory / "book.yml"
    path.write_text(f"name: Together\nhosts: {hosts}\ninvestigate:\n{''.join(tasks)}")
    return path


def test_probes_of_a_host_that_do_not_use_each_other_run_together(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    meeting = [probe(f"p{n}", _MEET, marks.path, n, 6) for n in range(6)]
    ended = quell("run", write(tmp_path, "app", *meeting), "-i", inventory)
    assert ended.code == 0, ended.stderr
    assert f"{lab.h1.name}  ok=6 changed=0" in ended.stderr
    assert "findings=0" in ended.stderr


def test_a_probe_that_uses_another_waits_for_it(
    quell: Quell, inventory: Path, marks: Marks, tmp_path: Path
) -> None:
    tasks = [
        probe("first", 'sleep 0.3; echo said; echo first >>"$1"', marks.path, more=", register: f"),
        probe("second", 'cat "$1"; echo "$2"', marks.path, "{{ f.stdout }}"),
        probe("third", 'cat "$1"', marks.path, more=", when: f.stdout == 'said'"),
    ]
    ended = quell("run", write(tmp_path, "app", *tasks), "-i", inventory)
    assert ended.code == 0, ended.stderr
    [second] = results(quell.events(), "second")
    [third] = results(quell.events(), "third")
    assert second.result["stdout"] == "first\nsaid"
    assert third.result["stdout"] == "first"


def test_hosts_run_together(quell: Quell, inventory: Path, tmp_path: Path) -> None:
    # The hosts share the controller's /tmp, so that they can meet there.
    meeting = probe("meet", _MEET, tmp_path / "meeting", "{{ inventory_hostname }}", 2)
    ended = quell("run", write(tmp_path, "all", meeting), "-i", inventory)
    assert ended.code == 0, ended.stderr
    assert [r.result["stdout"] for r in results(quell.events(), "meet")] == ["met", "met"]


def test_no_host_waits_for_the_steps_of_another(
    quell: Quell, inventory: Path, tmp_path: Path
) -> None:
    # The first step of h1 ends when h2 has taken its second.
    here = (tmp_path / "mark", "{{ inventory_hostname }}")
    wait = '[ "$2" = h2 ] || until [ -e "$1" ]; do sleep 0.05; done'
    tasks = [
        probe("first", wait, *here, more=", register: first"),
        probe("second", '[ "$2" = h1 ] || touch "$1"', *here, more=", when: first is not failed"),
    ]
    ended = quell("run", write(tmp_path, "all", *tasks), "-i", inventory)
    assert ended.code == 0, ended.stderr
    assert [r.status for r in results(quell.events(), "second")] == ["ok", "ok"]


def test_one_host_at_a_time_where_that_is_said(
    quell: Quell, inventory: Path, tmp_path: Path
) -> None:
    alone = 'mkdir "$1" && sleep 0.2 && rmdir "$1"'
    book = write(tmp_path, "all", probe("alone", alone, tmp_path / "turn"))
    assert quell("run", book, "-i", inventory, "--forks", "1").code == 0
    assert [r.result["rc"] for r in results(quell.events(), "alone")] == [0, 0]


def test_an_unreachable_host_is_evidence_and_the_others_go_on(
    quell: Quell, inventory: Path, lab: Lab, tmp_path: Path
) -> None:
    with socket.create_server((lab.h1.gateway, 0)) as server:
        closed = server.getsockname()[1]
    extended = inventory.read_text().replace(
        f"h2: {{ansible_host: {lab.h2.address}}}",
        f"h2: {{ansible_host: {lab.h1.gateway}, ansible_port: {closed}}}",
    )
    inventory.write_text(extended)
    tasks = [probe("one", "echo 1"), probe("two", "echo 2", more=", when: true")]
    ended = quell("run", write(tmp_path, "all", *tasks), "-i", inventory)
    assert ended.code == 4
    assert ended.stderr.endswith("not reached: h2\n")
    statuses = {(r.name, r.host): r.status for r in results(quell.events(), "one")}
    assert statuses == {("one", "h1"): "ok", ("one", "h2"): "unreachable"}
    assert "h1  ok=2 changed=0 unreachable=0" in ended.stderr
    assert f"h2  {lab.h1.gateway} port {closed}: connection refused" in ended.stderr
