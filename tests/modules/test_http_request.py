"""http_request: sent once, on the approved word."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, LinkLost, ModuleFailed, Target
from engine.errors import DeadlineExceeded
from engine.registry import Registry
from tests.lab.ports import free_port
from tests.modules.fakes import here
from tests.modules.sequence import act, module
from tests.modules.servers import saying
from tests.modules.standin import Answer, Asked, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.modules.sequence import Outcome


class Pool(StandIn):
    """A load balancer's API."""

    def __init__(self) -> None:
        super().__init__()
        methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
        self.routes = {f"{method} /members/{{name}}": self._take for method in methods}

    def _take(self, asked: Asked) -> Answer:
        return Answer(202, {"member": asked.parts[0], "state": "draining"})


class Client:
    """Sends requests to the pool."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.pool = pool
        self.url = f"{url}/members/app1"

    def send(self, target: Target | None = None, **args: Any) -> Outcome:
        return act("http_request", {"url": self.url, **args}, target or here())

    def only(self) -> Asked:
        (asked,) = self.pool.asked
        return asked


@pytest.fixture
def client() -> Iterator[Client]:
    pool = Pool()
    with pool.serve() as url:
        yield Client(pool, url)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_request_is_sent_once(client: Client, method: str) -> None:
    outcome = client.send(method=method, headers={"authorization": "Bearer made-up"})
    assert client.only().method == method
    assert client.only().headers["authorization"] == "Bearer made-up"
    assert outcome.done["status"] == 202
    assert outcome.done["json"] == {"member": "app1", "state": "draining"}
    assert outcome.change is not None
    assert outcome.change.summary == f"{method} {client.url}"


@pytest.mark.parametrize(
    ("args", "type_", "body"),
    [
        ({"json": {"drain": True}}, "application/json", '{"drain":true}'),
        ({"json": []}, "application/json", "[]"),
        ({"body": "drain\n"}, None, "drain\n"),
        (
            {"form": {"drain": "yes please", "of": ["a", "b"]}},
            "application/x-www-form-urlencoded",
            "drain=yes+please&of=a&of=b",
        ),
        ({}, None, ""),
    ],
)
def test_its_body(client: Client, args: dict[str, Any], type_: str | None, body: str) -> None:
    outcome = client.send(**args)
    assert client.only().headers.get("content-type") == type_
    assert client.only().body.decode() == body
    assert outcome.change is not None
    assert outcome.change.after == next(iter(args.values()), None)


def test_a_large_body_is_sent_whole_and_shown_in_part(client: Client) -> None:
    outcome = client.send(body="x" * 100_000)
    assert len(client.only().body) == 100_000
    assert outcome.change is not None
    assert len(outcome.change.after) == 200


@pytest.mark.parametrize("status", [None, 200, [200, 204]])
def test_another_status_is_a_failure_with_the_answer(client: Client, status: object) -> None:
    client.pool.instead.append(Answer(409, {"why": "it is the last one"}))
    with pytest.raises(ModuleFailed, match=r"status 409, expected (2xx|200)") as failed:
        client.send(status=status)
    assert failed.value.found["json"] == {"why": "it is the last one"}


def test_a_status_may_be_the_expected_one(client: Client) -> None:
    client.pool.instead.append(Answer(404, {}))
    assert client.send(status=[204, 404]).done["status"] == 404


def test_a_body_that_does_not_match_is_a_failure(client: Client) -> None:
    assert client.send(matches='"state": *"draining"').done["status"] == 202
    with pytest.raises(ModuleFailed, match="the body does not match 'gone'"):
        client.send(matches="gone")


def test_what_is_shown_before_has_no_password() -> None:
    args = {"url": "http://admin:made-up@lb/members?token=made-up-too", "method": "PUT"}
    change = module("http_request", args).decide(None)  # type: ignore[attr-defined]
    assert change.summary == "PUT http://admin:***@lb/members?token=***"


def test_nothing_was_sent_where_nobody_listens() -> None:
    with pytest.raises(DialRefused, match="refused"):
        act("http_request", {"url": f"http://127.0.0.1:{free_port()}/"}, here())


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"


@pytest.mark.parametrize("answer", [b"", HALF, b"?\r\n"])
def test_an_answer_that_breaks_off_leaves_unknown_what_became_of_it(answer: bytes) -> None:
    with saying(answer) as url, pytest.raises(LinkLost, match="no answer: "):
        act("http_request", {"url": url}, here())


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s"):
            act("http_request", {"url": url, "max_time": "200ms"}, here())


def test_it_says_itself_that_it_is_a_record() -> None:
    entry = Registry()["http_request"]
    assert entry.kind_of({"url": "http://x"}) == "action"
    assert entry.kind_of({"url": "http://x", "record": True}) == "record"
    assert entry.kind_of({"url": "http://x", "record": False}) == "action"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"json": {}, "body": "x"}, "json and body are both given"),
        ({"form": {}, "body": "x"}, "form is given and another body, too"),
        ({"form": {}, "json": {}}, "form is given and another body, too"),
        ({"method": "TRACE"}, "TRACE"),
        ({"matches": "("}, "not an RE2 pattern"),
        ({"url": "http://"}, "no host or port"),
        ({"headers": {"x": "a\r\nb: c"}}, "match"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        module("http_request", {"url": "http://x", **args})
