"""Several controllers with one journal: they see, stop and resume one another's runs."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.events import GuardHeld
from tests.end_to_end.hosts import Marks, eventually
from tests.end_to_end.quell import Quell, intents, results

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.lab.lab import Host, Lab
    from tests.lab.team import TeamServer

pytestmark = pytest.mark.lab
MODULES = Path(__file__).with_name("modules")
ME = f"{getpass.getuser()} on {platform.node()}"


@pytest.fixture
def team(team_server: TeamServer, tmp_path: Path) -> Iterator[tuple[Quell, Quell]]:
    """Two controllers."""
    with team_server.database() as url:
        both = tuple(Quell(tmp_path / name, url) for name in ("here", "there"))
        for each in both:
            each.home.mkdir()
        here, there = both
        yield here, there
        for each in both:
            each.close()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Two actions, of which the first waits as long as a file is there: `before`, `after`."""
    path = tmp_path / "slow.yml"
    marks = Marks().path
    path.write_text(f"""\
name: Slow
hosts: app
mitigate:
  - name: First
    leave_mark: {{path: {marks}.first, before: {tmp_path}/before, after: {tmp_path}/after}}
  - name: Second
    leave_mark: {{path: {marks}.second, before: {tmp_path}/none, after: {tmp_path}/none}}
always:
  - {{name: Last, shell: {{probe: true, script: 'echo last >>"$1"', args: [{marks}.last]}}}}
""")
    return path


def lines(book: Path, host: Host, action: str) -> int:
    """How often an action of it was done there."""
    path = book.read_text().partition("path: ")[2].partition(".first")[0]
    done = host.exec(["sh", "-c", 'cat "$1" 2>/dev/null', "sh", f"{path}.{action}"])
    return len(done.stdout.splitlines())


def begin(quell: Quell, book: Path, inventory: Path) -> subprocess.Popen[str]:
    """Start it, and wait until the first action has been sent."""
    process = quell.start("run", book, "-i", inventory, "--yes", "-M", MODULES)
    eventually(lambda: intents(quell.events()))
    return process


def test_a_run_is_stopped_from_another_controller(
    team: tuple[Quell, Quell], inventory: Path, lab: Lab, book: Path
) -> None:
    here, there = team
    book.with_name("after").touch()
    process = begin(here, book, inventory)
    eventually(lambda: lines(book, lab.h1, "first"))

    asked = there("cancel", "last")
    book.with_name("after").unlink()

    assert asked.code == 0
    _, said = process.communicate(timeout=30)
    assert process.returncode == 99, said
    assert f"Interrupted by quell cancel ({ME}): nothing more is begun" in said
    assert f"stopped by quell cancel ({ME}); go on with: quell resume" in said
    assert lines(book, lab.h1, "second") == 0
    assert lines(book, lab.h1, "last") == 1
    assert f"INTERRUPTED by quell cancel ({ME})" in there("show").stdout


def test_a_hold_stops_every_action_and_no_look(
    team: tuple[Quell, Quell], inventory: Path, lab: Lab, book: Path
) -> None:
    here, there = team
    assert there("cancel", "--hold", "--reason", "the lab is moved").code == 0

    held = here("run", book, "-i", inventory, "--yes", "-M", MODULES)
    assert held.code == 5, held.stderr
    assert f"all actions are on hold by {ME} since" in held.stderr
    assert ": the lab is moved" in held.stderr
    assert [lines(book, lab.h1, name) for name in ("first", "second", "last")] == [0, 0, 1]
    assert intents(here.events()) == []
    assert {event.guard for event in here.events() if isinstance(event, GuardHeld)} == {"hold"}

    assert there("cancel", "--lift").code == 0
    done = there("resume", "--yes")
    assert done.code == 0, done.stderr
    assert [lines(book, lab.h1, name) for name in ("first", "second")] == [1, 1]


def test_a_run_that_was_killed_is_resumed_from_another_controller(
    team: tuple[Quell, Quell], inventory: Path, lab: Lab, book: Path
) -> None:
    here, there = team
    book.with_name("after").touch()
    process = begin(here, book, inventory)
    eventually(lambda: lines(book, lab.h1, "first"))

    refused = there("resume", "--yes")
    assert refused.code == 5
    assert f"is not over: {ME} (process {process.pid}) is executing it since" in refused.stderr
    process.kill()
    process.wait()
    book.with_name("after").unlink()

    assert "broken off" in there("runs").stdout
    done = there("resume", "--yes")
    assert done.code == 0, done.stderr
    assert [lines(book, lab.h1, name) for name in ("first", "second")] == [1, 1]
    [first] = results(there.events(), "First")
    assert (first.status, first.message) == ("changed", "had taken effect: seen on resume")


def test_a_server_that_goes_away_stops_the_run_before_its_next_action(
    team: tuple[Quell, Quell], inventory: Path, lab: Lab, book: Path, team_server: TeamServer
) -> None:
    here, there = team
    book.with_name("after").touch()
    process = begin(here, book, inventory)
    eventually(lambda: lines(book, lab.h1, "first"))
    team_server.cluster.stop("fast")
    try:
        book.with_name("after").unlink()
        _, said = process.communicate(timeout=60)
    finally:
        team_server.cluster.start()

    assert process.returncode == 2, said
    last = said.splitlines()[-1]
    assert last.startswith("journal postgresql://quell@127.0.0.1:")
    assert "cannot be reached" in last
    assert "nothing more was sent. Go on with: quell resume 20" in last
    assert team_server.password not in said
    assert "Traceback" not in said
    assert [lines(book, lab.h1, name) for name in ("first", "second")] == [1, 0]

    done = there("resume", "--yes")
    assert done.code == 0, done.stderr
    assert [lines(book, lab.h1, name) for name in ("first", "second")] == [1, 1]
