"""Records in a run: what tells people, while the incident is looked at and once it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.quell import LOCAL, results
from tests.modules.standin import Answer, Asked, StandIn
from tests.modules.trackers import TOKEN, GitHub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.quell import Ended, Quell

pytestmark = pytest.mark.slow
SECRET = "made-up-path"
BOOK = """\
name: Backend is down
hosts: all
acknowledge:
  - name: Tell the channel
    run_once: true
    notify: {to: "{{ env.HOOK }}", title: "{{ incident.title }}", message: We are at it.}
  - name: Tell the pager
    run_once: true
    http_request: {url: "{{ env.PAGER }}/ack", json: {run: "{{ run_id }}"}, record: true}
    register: pager
investigate:
  - {name: The pager knows, assert: pager.status == 202}
resolve:
  - name: File the follow-up
    run_once: true
    ticket:
      provider: github
      project: example/backend
      url: "{{ env.GITHUB }}"
      token: "{{ env.GITHUB_TOKEN }}"
      title: "Follow-up: {{ incident.title }}"
      key: "{{ run_id }}"
    register: ticket
  - {name: It has a number, assert: ticket.key == '#1'}
"""


class Pager(StandIn):
    """Takes acknowledgements, and what apprise's `json://` sends."""

    def __init__(self) -> None:
        super().__init__()
        self.routes = {"POST /ack": self._take, f"POST /{SECRET}": self._tell}
        self.broken = False

    def _tell(self, asked: Asked) -> Answer:
        return Answer(503) if self.broken else self._take(asked)

    def _take(self, asked: Asked) -> Answer:
        assert asked.json()
        return Answer(202, {"taken": True})


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.yml"
    path.write_text(BOOK)
    return path


def run(quell: Quell, book: Path, pager: str, github: str, *flags: str) -> Ended:
    hook = pager.replace("http:", "json:") + f"/{SECRET}"
    return quell(
        "run", book, "-i", LOCAL, *flags,
        HOOK=hook, PAGER=pager, GITHUB=github, GITHUB_TOKEN=TOKEN,
    )  # fmt: skip


def test_people_are_told_and_a_ticket_is_filed(quell: Quell, book: Path) -> None:
    pager, github = Pager(), GitHub()
    with pager.serve() as pager_url, github.serve() as github_url:
        ended = run(quell, book, pager_url, github_url)
    assert ended.code == 0, ended.stderr
    assert "taken: Tell the " in ended.stderr
    assert sorted(pager.calls()) == ["POST /ack", f"POST /{SECRET}"]
    [issue] = github.issues
    assert issue["title"] == "Follow-up: Backend is down"
    said = ended.stderr + ended.stdout + quell("show").stdout + quell("show", "--json").stdout
    assert SECRET not in said
    assert TOKEN not in said


def test_who_cannot_be_told_stops_nothing(quell: Quell, book: Path) -> None:
    pager, github = Pager(), GitHub()
    pager.broken = True
    with pager.serve() as pager_url, github.serve() as github_url:
        ended = run(quell, book, pager_url, github_url)
    assert ended.code == 0, ended.stderr
    [told] = results(quell.events(), "Tell the channel")
    assert told.status == "failed"
    assert "error=503" in told.message
    assert (told.result["sent"], len(told.result["not_told"])) == ([], 1)
    [paged] = results(quell.events(), "Tell the pager")
    assert paged.status == "changed"
    assert len(github.issues) == 1


def test_in_check_mode_nobody_is_told(quell: Quell, book: Path) -> None:
    text = book.read_text().replace("pager.status == 202", "check_mode")
    tell = (
        "  - {name: Tell, run_once: true, notify: {to: '{{ env.HOOK }}', message: We are at it.}}\n"
    )
    book.write_text(f"{text}mitigate:\n{tell}always:\n{tell}")
    pager = Pager()
    with pager.serve() as url:
        ended = run(quell, book, url, url, "--check")
    assert ended.code == 0, ended.stderr
    assert pager.asked == []
