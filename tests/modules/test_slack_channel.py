"""slack_channel through Slack's own client, in a workspace of the tests."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed
from engine.errors import DeadlineExceeded
from tests.lab.ports import free_port
from tests.modules.fakes import here
from tests.modules.sequence import module, record
from tests.modules.servers import saying
from tests.modules.slack import ALICE, BOB, EVE, ME, ONCALL, TOKEN, Workspace
from tests.modules.standin import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "2026-11-23T13:37:00+00:00"
NAME = "incident-2026-11-23-backend-is-down"


class Client:
    """Runs the task in a workspace."""

    def __init__(self, workspace: Workspace, url: str) -> None:
        self.workspace = workspace
        self.url = url

    def run(self, **args: Any) -> dict[str, Any]:
        who = {"token": TOKEN, "url": self.url}
        if not args.keys() & {"title", "name", "channel"}:
            who |= {"title": "Backend is down!", "date": DAY}
        done = record("slack_channel", {**who, **args}, here()).done
        assert isinstance(done, dict)
        return done


@pytest.fixture
def slack() -> Iterator[Client]:
    workspace = Workspace()
    with workspace.serve() as url:
        yield Client(workspace, f"{url}/api/")


def test_a_channel_is_opened_and_described(slack: Client) -> None:
    done = slack.run(
        topic="P1", purpose="The backend is down", message="Hello", status="Investigating"
    )
    room = slack.workspace.named(NAME)
    assert (room.topic, room.purpose) == ("P1", "The backend is down")
    assert list(room.messages.values()) == ["Investigating", "Hello"]
    status, message = room.messages
    assert room.pinned == [(ME, status)]
    assert done == {
        "id": room.id,
        "name": NAME,
        "permalink": f"https://example.slack.com/archives/{room.id}",
        "created": True,
        "archived": False,
        "invited": [],
        "message": message,
        "status": status,
    }


def test_again_it_is_the_same_channel(slack: Client) -> None:
    for name in ("general", "random", "more"):  # on the pages before it
        slack.workspace.room(name)
    first = slack.run(topic="P1")
    again = slack.run(topic="P1")
    assert (again["id"], again["created"]) == (first["id"], False)
    assert slack.workspace.methods().count("conversations.setTopic") == 1


def test_a_later_task_finds_it_by_its_id(slack: Client) -> None:
    first = slack.run(status="Investigating")
    again = slack.run(channel=first["id"], status="Mitigated")
    room = slack.workspace.named(NAME)
    assert room.messages == {first["status"]: "Mitigated"}
    assert again["status"] == first["status"]
    assert "conversations.list" not in slack.workspace.methods()


def test_what_others_have_pinned_is_not_our_status(slack: Client) -> None:
    room = slack.workspace.room(
        NAME, messages={"1795441000.000001": "rules"}, pinned=[(ALICE, "1795441000.000001")]
    )
    slack.run(status="Investigating")
    assert list(room.messages.values()) == ["rules", "Investigating"]


def test_with_a_key_a_name_that_is_taken_gets_a_number(slack: Client) -> None:
    slack.workspace.room(NAME, creator=ALICE)
    first = slack.run(key="20261123-1337-k3f9")
    assert (first["name"], first["created"]) == (f"{NAME}-2", True)
    assert slack.workspace.named(f"{NAME}-2").purpose == "Backend is down! · 20261123-1337-k3f9"
    again = slack.run(key="20261123-1337-k3f9")
    assert (again["id"], again["created"]) == (first["id"], False)
    assert slack.run(key="20261123-1400-zzzz")["name"] == f"{NAME}-3"


def test_a_channel_that_was_opened_and_not_described_is_ours(slack: Client) -> None:
    room = slack.workspace.room(NAME)
    assert slack.run(key="20261123-1337-k3f9")["id"] == room.id
    assert room.purpose == "Backend is down! · 20261123-1337-k3f9"


def test_a_channel_that_is_archived_is_another_incidents(slack: Client) -> None:
    slack.workspace.room(NAME, archived=True)
    assert slack.run()["name"] == f"{NAME}-2"


def test_a_public_channel_is_joined(slack: Client) -> None:
    room = slack.workspace.room(NAME, members=[ALICE])
    slack.run(message="Hello")
    assert room.members == [ALICE, ME]


def test_a_private_channel(slack: Client) -> None:
    first = slack.run(private=True)
    assert slack.workspace.named(NAME).private
    assert slack.run(private=True)["id"] == first["id"]


def test_all_names_are_taken(slack: Client) -> None:
    slack.workspace.room(NAME, creator=ALICE)
    for number in range(2, 21):
        slack.workspace.room(f"{NAME}-{number}", creator=ALICE)
    with pytest.raises(ModuleFailed, match=r"is taken, and so are 19 names like it"):
        slack.run(key="mine")


def test_people_and_groups_are_invited_once(slack: Client) -> None:
    done = slack.run(invite=["@oncall", "alice@example.com", EVE, ME, ONCALL])
    assert done["invited"] == [ALICE, BOB, EVE]
    assert slack.workspace.named(NAME).members == [ME, ALICE, BOB, EVE]
    assert slack.run(invite=["@oncall"])["invited"] == []


def test_who_cannot_be_invited_is_said_once_the_rest_is_done(slack: Client) -> None:
    slack.workspace.banned.add(BOB)
    whom = ["nobody@example.com", "@nobody", "U00000NOT", "@oncall"]
    with pytest.raises(ModuleFailed) as failed:
        slack.run(invite=whom, message="Hello")
    assert failed.value.message == (
        "not invited: nobody@example.com: users_not_found; @nobody: no such group; "
        f"U00000NOT: user_not_found; {BOB}: cant_invite"
    )
    room = slack.workspace.named(NAME)
    assert (room.members, list(room.messages.values())) == ([ME, ALICE], ["Hello"])
    assert failed.value.found["id"] == room.id


def test_it_is_archived_at_last_and_stays_so(slack: Client) -> None:
    done = slack.run(message="It is over", archive=True)
    room = slack.workspace.named(NAME)
    assert (done["archived"], room.archived) == (True, True)
    assert list(room.messages.values()) == ["It is over"]
    assert slack.run(archive=True)["id"] == room.id
    with pytest.raises(ModuleFailed, match=f"#{NAME} is archived"):
        slack.run(channel=room.id, message="Hello")


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ({"title": "API 5xx > 50 %", "date": DAY}, "incident-2026-11-23-api-5xx-50"),
        ({"title": "Größe: übervoll", "date": DAY}, "incident-2026-11-23-große-ubervoll"),
        ({"title": "x" * 99, "date": DAY}, "incident-2026-11-23-" + "x" * 60),
        ({"title": "Auth", "date": "2026-11-23", "prefix": "Sev"}, "sev-2026-11-23-auth"),
        ({"name": "#War Room"}, "war-room"),
    ],
)
def test_names_are_spelt_as_slack_wants_them(
    slack: Client, args: dict[str, Any], name: str
) -> None:
    assert slack.run(**args)["name"] == name


def test_a_long_name_has_room_for_its_number(slack: Client) -> None:
    args = {"title": "x" * 99, "date": DAY}
    first = slack.run(**args, key="one")
    second = slack.run(**args, key="two")
    assert (len(first["name"]), second["name"]) == (80, first["name"][:76] + "-2")


def test_without_a_date_it_is_today(slack: Client) -> None:
    before = datetime.now(UTC).date().isoformat()
    name = slack.run(title="Auth")["name"]
    assert name in (f"incident-{day.isoformat()}-auth" for day in _days(before))


def _days(before: str) -> list[Any]:
    return [datetime.fromisoformat(before).date(), datetime.now(UTC).date()]


def test_a_long_purpose_and_topic_are_cut(slack: Client) -> None:
    slack.run(topic="t" * 300, purpose="p" * 300, key="k3f9")
    room = slack.workspace.named(NAME)
    assert (len(room.topic), len(room.purpose)) == (250, 250)
    assert room.purpose.endswith(" · k3f9")


def test_it_waits_as_long_as_slack_wants(slack: Client) -> None:
    busy = Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "0"})
    slack.workspace.instead += [busy, busy]
    assert slack.run()["created"] is True
    assert slack.workspace.methods()[:3] == ["auth.test"] * 3


def test_it_does_not_wait_for_longer_than_there_is_time(slack: Client) -> None:
    busy = Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "3600"})
    slack.workspace.instead.append(busy)
    with pytest.raises(ModuleFailed, match="a wait of 3600 s does not fit into the task's timeout"):
        slack.run()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Answer(200, {"ok": False, "error": "missing_scope", "needed": "channels:manage"}),
            r"Slack says: missing_scope \(the token needs the scope channels:manage\)",
        ),
        (Answer(200, {"ok": False, "error": "fatal_error"}), "Slack says: fatal_error$"),
        (Answer(503, "<html>upstream</html>"), "Slack says: .*upstream"),
    ],
)
def test_slacks_own_words_are_told(slack: Client, answer: Answer, message: str) -> None:
    slack.workspace.instead.append(answer)
    with pytest.raises(ModuleFailed, match=message):
        slack.run()
    assert len(slack.workspace.asked) == 1


def test_a_token_that_is_not_valid_is_said_and_not_shown(slack: Client) -> None:
    with pytest.raises(ModuleFailed, match="the token is not valid there") as failed:
        slack.run(token="xoxb-other")
    assert "xoxb" not in failed.value.message


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    args = {"token": TOKEN, "title": "x", "url": f"http://127.0.0.1:{free_port()}/api/"}
    with pytest.raises(DialRefused, match=r"Slack: .*refused"):
        record("slack_channel", args, here())
    with saying(b"", pause=0.0) as url, pytest.raises(DialRefused):
        record("slack_channel", {**args, "url": url}, here())
    assert caplog.records == []


@pytest.mark.slow
def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/api/"
        with pytest.raises(DeadlineExceeded, match=r"Slack: no answer within 0\.5 s"):
            record("slack_channel", {"token": TOKEN, "title": "x", "url": url}, here(within=0.5))


def test_what_is_shown_before() -> None:
    subject = module(
        "slack_channel",
        {"token": TOKEN, "title": "Auth", "date": DAY, "invite": ["@oncall"], "status": "At it"},
    )
    change = subject.decide()  # type: ignore[attr-defined]
    assert change.summary == "#incident-2026-11-23-auth: open, invite, status"
    assert TOKEN not in repr(change)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "say one of title, name and channel"),
        ({"title": "a", "name": "b"}, "say one of title, name and channel"),
        ({"name": "!!"}, "nothing in '!!' can stand in a channel's name"),
        ({"channel": "#general"}, "match"),
        ({"title": "a", "date": "yesterday"}, "match"),
        ({"title": "a", "token": ""}, "length"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        module("slack_channel", {"token": TOKEN, **args})
