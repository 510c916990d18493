"""ticket with GitHub, GitLab and Jira at the level of HTTP."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed
from engine.errors import DeadlineExceeded
from tests.lab.ports import free_port
from tests.modules.certificates import Authority
from tests.modules.fakes import here
from tests.modules.sequence import module, record
from tests.modules.standin import Answer
from tests.modules.trackers import TOKEN, GitHub, GitLab, Jira, Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TITLE = "Find out why the pool was full"


class Client:
    """Runs the task with a tracker."""

    def __init__(self, tracker: Tracker, url: str) -> None:
        self.tracker = tracker
        self.url = url

    def run(self, **args: Any) -> dict[str, Any]:
        given = {**self.tracker.args(self.url), "title": TITLE, "key": "k3f9", **args}
        done = record("ticket", given, here()).done
        assert isinstance(done, dict)
        return done


@pytest.fixture(params=[GitHub, GitLab, partial(Jira, cloud=True), partial(Jira, cloud=False)])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    make: Callable[[], Tracker] = request.param
    tracker = make()
    with tracker.serve() as url:
        yield Client(tracker, url)


@pytest.fixture
def github() -> Iterator[Client]:
    tracker = GitHub()
    with tracker.serve() as url:
        yield Client(tracker, url)


def test_a_ticket_is_filed(client: Client) -> None:
    done = client.run(body="It was full twice.", labels=["incident", "P2"])
    [issue] = client.tracker.issues
    assert issue["title"] == TITLE
    assert issue[client.tracker.text].startswith("It was full twice.")
    assert issue["labels"][:2] == ["incident", "P2"]
    key = {"github": "#1", "gitlab": "#1", "jira": "OPS-1"}[client.tracker.provider]
    assert (done["key"], done["created"]) == (key, True)


def test_again_it_is_the_same_ticket(client: Client) -> None:
    first = client.run(body="It was full twice.")
    for _ in range(130):  # on the next page
        client.tracker.add()
    again = client.run(body="Other words")
    assert again == {**first, "created": False}
    assert client.tracker.filed() == 1


def test_another_incident_or_title_is_another_ticket(client: Client) -> None:
    client.run()
    assert client.run(key="zzzz")["created"] is True
    assert client.run(title="Make the pool larger")["created"] is True
    assert client.tracker.filed() == 3


def test_it_leads_to_the_ticket(client: Client) -> None:
    expected = {
        "github": "https://github.com/example/backend/issues/1",
        "gitlab": "https://gitlab.com/group/sub/backend/-/issues/1",
        "jira": f"{client.url}/browse/OPS-1",
    }
    assert client.run()["url"] == expected[client.tracker.provider]


def test_a_token_that_is_not_valid_is_said_and_not_shown(client: Client) -> None:
    with pytest.raises(ModuleFailed) as failed:
        client.run(token="another-token")
    name = {"github": "GitHub", "gitlab": "GitLab", "jira": "Jira"}[client.tracker.provider]
    assert failed.value.message == f"{name} says: Bad credentials (status 401)"


def test_the_mark_is_not_seen(github: Client) -> None:
    github.run(body="Text")
    [issue] = github.tracker.issues
    text, _, mark = issue["body"].partition("\n\n")
    assert text == "Text"
    assert mark.startswith("<!-- quell-")
    assert mark.endswith(" -->")


def test_a_pull_request_that_has_the_mark_is_no_ticket(github: Client) -> None:
    github.run()
    where = ("url", "html_url", "diff_url", "patch_url")
    github.tracker.issues[0]["pull_request"] = dict.fromkeys(where, "https://example.com/pull/1")
    assert github.run()["created"] is True


def test_no_more_than_the_newest_are_looked_through(github: Client) -> None:
    github.run()
    for _ in range(500):
        github.tracker.add()
    github.tracker.asked.clear()
    assert github.run()["created"] is True
    assert len(github.tracker.asked) == 6


def test_jiras_own_words_are_told() -> None:
    tracker = Jira(cloud=True)
    with (
        tracker.serve() as url,
        pytest.raises(ModuleFailed, match="Jira says: issuetype: Specify a valid issue type"),
    ):
        Client(tracker, url).run(type="Wish")


def test_it_waits_as_long_as_github_wants(github: Client) -> None:
    limited = {"message": "You have exceeded a secondary rate limit"}
    github.tracker.instead.append(Answer(403, limited, {"Retry-After": "0"}))
    assert github.run()["created"] is True
    github.tracker.instead.append(Answer(403, limited, {"Retry-After": "3600"}))
    with pytest.raises(ModuleFailed, match="a wait of 3600 s does not fit into the task's timeout"):
        github.run()


def test_what_is_forbidden_is_told_at_once(github: Client) -> None:
    github.tracker.instead.append(Answer(403, {"message": "Resource not accessible by token"}))
    with pytest.raises(ModuleFailed, match="Resource not accessible by token"):
        github.run()


def test_the_controllers_proxy_is_used(github: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", github.url)
    assert github.run(url="http://github.invalid")["created"] is True
    assert {asked.headers["host"] for asked in github.tracker.asked} == {"github.invalid"}


def test_a_server_of_ones_own_has_an_authority_of_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tracker = GitHub()
    with tracker.serve(authority.issue("127.0.0.1")) as url:
        with pytest.raises(DialRefused, match="CERTIFICATE_VERIFY_FAILED"):
            Client(tracker, url).run()
        assert Client(tracker, url).run(ca=str(authority.path))["created"] is True


def test_nobody_there(github: Client) -> None:
    with pytest.raises(DialRefused):
        github.run(url=f"http://127.0.0.1:{free_port()}")


@pytest.mark.slow
def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        args = {**GitHub().args(f"http://127.0.0.1:{mute.getsockname()[1]}"), "title": "x"}
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.3 s"):
            record("ticket", {**args, "key": "k3f9"}, here(within=0.3))


def test_what_is_shown_before() -> None:
    args = {"provider": "github", "project": "example/backend", "token": TOKEN, "key": "k3f9"}
    change = module("ticket", {**args, "title": TITLE}).decide()  # type: ignore[attr-defined]
    assert change.summary == f"github example/backend: {TITLE}"
    assert TOKEN not in repr(change)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"provider": "jira"}, "url is needed for Jira"),
        ({"project": "backend"}, "project must be owner/repository"),
        ({"user": "x"}, "user goes with Jira only"),
        ({"title": "two\nlines"}, "match"),
        ({"title": "x" * 256}, "length"),
        ({"url": "http://"}, "no host or port"),
        ({"provider": "bugzilla"}, "bugzilla"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    base = {"provider": "github", "project": "a/b", "token": TOKEN, "key": "k", "title": "x"}
    with pytest.raises(msgspec.ValidationError, match=message):
        module("ticket", {**base, **args})
