"""Ctrl-C and SIGTERM: nothing more is begun, what runs on hosts ends, and the last word is said."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from engine.events import Interruption
from tests.end_to_end.hosts import Marks, eventually, processes
from tests.end_to_end.quell import finish, intents, results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Way
    from tests.end_to_end.quell import Quell
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab
_STAY = 'echo here >>"$1"; sleep 4711 & sleep 4711; echo later >>"$1"'
_LAST = 'echo last >>"$1"'
_ALWAYS = "always:\n  - {name: Last, shell: {probe: true, script: '%s', args: [%s]}}\n"


@pytest.fixture
def marks() -> Marks:
    return Marks()


def book(directory: Path, marks: Marks, phase: str) -> Path:
    """A probe or an action that stays for more than an hour, another task, and `always`."""
    probe = "probe: true, " if phase == "investigate" else ""
    shell = f"{{{probe}script: '{_STAY}', args: [{marks.path}]}}"
    after = f"{{{probe}script: 'echo next >>\"$1\"', args: [{marks.path}]}}"
    path = directory / "stay.yml"
    path.write_text(
        f"name: Stay\nhosts: app\n{phase}:\n"
        f"  - {{name: Stays, timeout: 2h, register: one, shell: {shell}}}\n"
        f"  - {{name: Next, when: one.rc == 0, shell: {after}}}\n" + _ALWAYS % (_LAST, marks.path)
    )
    return path


def sleepers(host: Host) -> list[str]:
    done = host.exec(["sh", "-c", "pgrep -f '^sleep 4711$'"])
    return done.stdout.split()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("phase", ["investigate", "mitigate"])
def test_the_remote_command_ends_and_the_run_is_complete(
    quell: Quell,
    inventory: Path,
    lab: Lab,
    marks: Marks,
    tmp_path: Path,
    phase: str,
    number: signal.Signals,
) -> None:
    process = quell.start("run", book(tmp_path, marks, phase), "-i", inventory, "--yes")
    eventually(lambda: "here" in marks.on(lab.h1))
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 99, said
    eventually(lambda: sleepers(lab.h1) == [])
    assert marks.on(lab.h1) == ["here", "last"]
    assert f"Interrupted by {number.name}: nothing more is begun" in said
    assert f"stopped by {number.name}; go on with: quell resume {quell.run_id()}" in said
    assert "\nh1  ok=" in said
    events = quell.events()
    assert [e.signal for e in events if isinstance(e, Interruption)] == [number.name]
    assert (quell.ended().outcome, quell.ended().exit_code) == ("interrupted", 99)


def test_an_interrupted_action_is_not_called_done(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    process = quell.start("run", book(tmp_path, marks, "mitigate"), "-i", inventory, "--yes")
    eventually(lambda: "here" in marks.on(lab.h1))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    [intent] = intents(quell.events())
    [result] = results(quell.events(), "Stays")
    assert (result.status, result.intent) == ("unknown", intent.intent)
    assert "UNKNOWN  Stays (mitigate.1) on h1" in quell("show").stdout


def test_ctrl_c_at_a_terminal_stops_a_long_look(
    quell: Quell, inventory: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hold.yml"
    path.write_text("""\
name: Hold
hosts: app
resolve:
  - {name: Quiet, hold: 30m, every: 10m, shell: {probe: true, script: "true"}}
""")
    child = quell.at_terminal("run", path, "-i", inventory)
    child.expect("Quiet .*holds")
    child.sendintr()
    code, said = finish(child)
    assert code == 99
    assert "INTERRUPTED in" in said


def test_a_second_signal_leaves_out_what_always_runs(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    path = book(tmp_path, marks, "investigate")
    path.write_text(
        path.read_text().replace("echo last", 'echo begun >>"$1"; sleep 4711; echo last')
    )
    process = quell.start("run", path, "-i", inventory)
    eventually(lambda: "here" in marks.on(lab.h1))
    process.send_signal(signal.SIGINT)
    eventually(lambda: "begun" in marks.on(lab.h1))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 99, said
    eventually(lambda: sleepers(lab.h1) == [])
    assert "last" not in marks.on(lab.h1)
    assert quell.ended().exit_code == 99


def test_a_signal_that_comes_by_two_ways_counts_once(
    quell: Quell, inventory: Path, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    # As of a terminal, which tells the whole group, under a program that hands it on.
    process = quell.start("run", book(tmp_path, marks, "investigate"), "-i", inventory)
    eventually(lambda: "here" in marks.on(lab.h1))
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)  # so that they are two for the process, too
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 99, said
    assert marks.on(lab.h1) == ["here", "last"]


def test_a_deadline_ends_the_command_on_the_host(
    way: Way, lab: Lab, marks: Marks, tmp_path: Path
) -> None:
    path = book(tmp_path, marks, "investigate")
    path.write_text(path.read_text().replace("timeout: 2h", "timeout: 2s"))
    before = processes(lab.h1)
    ended = way.run(lab.h1, path)
    assert ended.code == 0, ended.stderr
    [stays] = results(way.quell.events(), "Stays")
    assert (stays.status, stays.message) == (
        "failed",
        "not done within 2 s; it was ended",
    )
    assert marks.on(lab.h1) == ["here", "last"]
    eventually(lambda: processes(lab.h1) <= before)
