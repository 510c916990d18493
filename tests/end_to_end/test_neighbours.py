"""Two real runs that meet at one target, with one journal: only one of them acts."""

from __future__ import annotations

import getpass
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.events import GlassBroken, GuardHeld
from tests.end_to_end.hosts import eventually
from tests.end_to_end.quell import LOCAL, Ended, Quell, intents

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.lab.team import TeamServer

pytestmark = pytest.mark.lab
MODULES = Path(__file__).with_name("modules")
ME = f"{getpass.getuser()} on {platform.node()}"


@dataclass(frozen=True)
class Pair:
    """Two controllers with one journal, and what they act on.

    Args:
        here: one of them.
        there: the other.
        directory: of the playbook, the policy and the marks.
    """

    here: Quell
    there: Quell
    directory: Path

    def book(self, name: str, verify: str = "true") -> Path:
        """A playbook that leaves a mark of its own, on the same target as all; see `begin`."""
        path = self.directory / f"{name}.yml"
        mark, after = path.with_suffix(".mark"), self.directory / "after"
        path.write_text(f"""\
name: {name}
hosts: all
mitigate:
  - name: Mark
    leave_mark: {{path: {mark}, before: {self.directory}/none, after: {after}}}
    verify:
      - {{name: Helped, shell: {{probe: true, script: "{verify}"}}, within: 10ms}}
""")
        return path

    def policy(self, text: str) -> Path:
        """The policy of both."""
        path = self.directory / "policy.yml"
        path.write_text(text)
        return path

    def marked(self) -> list[str]:
        """The playbooks whose action was done, each as often as it was."""
        marks = sorted(self.directory.glob("*.mark"))
        return [mark.stem for mark in marks for _ in mark.read_text().splitlines()]

    def let_go(self) -> None:
        """Let those go on that wait."""
        (self.directory / "after").unlink()

    def run(self, quell: Quell, book: Path, *options: str | Path) -> Ended:
        """Run it to its end."""
        return quell("run", book, "-i", LOCAL, "--yes", "-M", MODULES, *options)

    def begin(self, quell: Quell, book: Path) -> subprocess.Popen[str]:
        """Run it until its action has been done, and let it wait there."""
        (self.directory / "after").touch()
        process = quell.start("run", book, "-i", LOCAL, "--yes", "-M", MODULES)
        eventually(self.marked)
        return process


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """With a journal of each kind in turn."""
    if request.param == "sqlite":
        yield from _pair(tmp_path, str(tmp_path / "journal.db"))
        return
    server: TeamServer = request.getfixturevalue("team_server")
    with server.database() as url:
        yield from _pair(tmp_path, url)


def _pair(directory: Path, journal: str) -> Iterator[Pair]:
    homes = [directory / name for name in ("here", "there")]
    for home in homes:
        home.mkdir()
    here, there = (Quell(home, journal) for home in homes)
    yield Pair(here, there, directory)
    here.close()
    there.close()


def guards(quell: Quell) -> list[str]:
    """What refused something in the last run."""
    return [event.guard for event in quell.events() if isinstance(event, GuardHeld)]


def test_the_second_is_told_who_is_at_it(pair: Pair) -> None:
    first = pair.begin(pair.here, pair.book("first"))
    first_run = pair.here.run_id()

    second = pair.run(pair.there, pair.book("second"))
    assert second.code == 5, second.stderr
    by = f"run {first_run}, by {ME} (process {first.pid}), since "
    assert f"file marks on localhost is held by {by}" in second.stderr
    assert guards(pair.there) == ["lock"]
    assert intents(pair.there.events()) == []
    assert pair.marked() == ["first"]

    pair.let_go()
    _, said = first.communicate(timeout=30)
    assert first.returncode == 0, said
    assert f"held by {by}" in pair.there("show").stdout
    going_on = pair.there("resume", "--yes")
    assert going_on.code == 0, going_on.stderr
    assert pair.marked() == ["first", "second"]


def test_of_those_that_start_together_one_acts(pair: Pair) -> None:
    (pair.directory / "after").touch()
    started = [
        quell.start("run", pair.book(f"book{number}"), "-i", LOCAL, "--yes", "-M", MODULES)
        for number, quell in enumerate([pair.here, pair.there] * 2)
    ]
    eventually(lambda: [process.poll() for process in started].count(None) == 1, within=60)
    pair.let_go()
    said = [process.communicate(timeout=60)[1] for process in started]

    assert sorted(process.returncode for process in started) == [0, 5, 5, 5], said
    assert len(pair.marked()) == 1


def test_a_killed_run_holds_nothing(pair: Pair) -> None:
    first = pair.begin(pair.here, pair.book("first"))
    first.kill()
    first.wait()
    pair.let_go()

    second = pair.run(pair.there, pair.book("second"))
    assert second.code == 0, second.stderr
    assert pair.marked() == ["first", "second"]


def test_what_one_did_cools_down_for_the_other(pair: Pair) -> None:
    policy = pair.policy("cooldown: {leave_mark: 1h}\n")
    assert pair.run(pair.here, pair.book("first"), "--policy", policy).code == 0
    first_run = pair.here.run_id()

    second = pair.run(pair.there, pair.book("second"), "--policy", policy)
    assert second.code == 5, second.stderr
    assert "leave_mark was sent to file marks on localhost at 20" in second.stderr
    left_alone = "a policy has it left alone for 1 h after that, until 20"
    assert f"by run {first_run}; {left_alone}" in second.stderr
    assert guards(pair.there) == ["cooldown"]
    assert pair.marked() == ["first"]


def test_broken_glass_is_for_one_session(pair: Pair) -> None:
    policy = pair.policy("cooldown: {leave_mark: 1h}\n")
    assert pair.run(pair.here, pair.book("first"), "--policy", policy).code == 0

    glass = ["--break-glass", "the site is on fire"]
    book = pair.book("second", verify="false")
    second = pair.run(pair.there, book, "--policy", policy, *glass)
    assert second.code == 2, second.stderr
    assert pair.marked() == ["first", "second"]
    assert f"Glass broken by {getpass.getuser()}: " in second.stderr
    told = (
        f"GLASS BROKEN by {getpass.getuser()}, no approvals and no cool-downs: the site is on fire"
    )
    assert told in pair.there("show").stdout

    book.with_suffix(".mark").unlink()
    resumed = pair.there("resume", "--yes")
    assert resumed.code == 5, resumed.stderr
    assert pair.marked() == ["first"]
    resumed = pair.there("resume", "--yes", *glass)
    assert resumed.code == 2, resumed.stderr
    assert pair.marked() == ["first", "second"]
    broken = [event.reason for event in pair.there.events() if isinstance(event, GlassBroken)]
    assert broken == ["the site is on fire"] * 2


def test_after_two_that_did_not_help_a_target_is_left_alone(pair: Pair) -> None:
    for quell, name in ((pair.here, "first"), (pair.there, "second")):
        assert pair.run(quell, pair.book(name, verify="false")).code == 2

    third = pair.run(pair.here, pair.book("third"), "--break-glass", "a fire")
    assert third.code == 5, third.stderr
    assert "the last 2 actions on file marks on localhost did not help" in third.stderr
    assert "; the breaker is open, until 20" in third.stderr
    assert guards(pair.here) == ["breaker"]
    assert pair.marked() == ["first", "second"]
