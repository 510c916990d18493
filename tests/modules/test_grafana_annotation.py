"""grafana_annotation at the level of HTTP, after Grafana's HTTP API for annotations."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import DialRefused, ModuleFailed
from tests.lab.ports import free_port
from tests.modules.fakes import here
from tests.modules.grafana import TOKEN, Grafana
from tests.modules.sequence import module, record
from tests.modules.standin import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "quell 20261123-1337-k3f9"
BEGAN = 1795441020


class Client:
    """Runs the task with a Grafana."""

    def __init__(self, grafana: Grafana, url: str) -> None:
        self.grafana = grafana
        self.url = url

    def run(self, **args: Any) -> dict[str, Any]:
        given = {"url": self.url, "key": KEY, "text": "Backend is down", "token": TOKEN, **args}
        given = {name: value for name, value in given.items() if value is not None}
        done = record("grafana_annotation", given, here()).done
        assert isinstance(done, dict)
        return done

    def only(self) -> dict[str, Any]:
        (found,) = self.grafana.annotations.values()
        return found


@pytest.fixture
def client() -> Iterator[Client]:
    grafana = Grafana()
    with grafana.serve() as url:
        yield Client(grafana, url)


def test_the_start_is_drawn(client: Client) -> None:
    done = client.run(began="2026-11-23T13:37:00+00:00", tags=["incident", "backend"])
    assert client.only() == {
        "id": 1100,
        "time": BEGAN * 1000,
        "timeEnd": BEGAN * 1000,
        "tags": [KEY, "incident", "backend"],
        "text": "Backend is down",
        "dashboardUID": "",
        "panelId": 0,
    }
    assert done == {"id": 1100, "began": BEGAN, "ended": None, "created": True, "written": True}


def test_without_a_time_it_begins_now(client: Client) -> None:
    before = time.time()
    began = client.run()["began"]
    assert before - 0.001 <= began <= time.time()
    assert client.run(key="another", began="1h")["began"] < before - 3000


def test_its_end_makes_it_a_region(client: Client) -> None:
    first = client.run(began="2026-11-23T13:37:00Z")
    done = client.run(ended="2026-11-23T14:07:00Z")
    assert (client.only()["time"], client.only()["timeEnd"]) == (
        BEGAN * 1000,
        (BEGAN + 1800) * 1000,
    )
    assert done == {
        "id": first["id"],
        "began": BEGAN,
        "ended": BEGAN + 1800,
        "created": False,
        "written": True,
    }


def test_again_nothing_is_changed(client: Client) -> None:
    client.run(began="2026-11-23T13:37:00Z")
    assert client.run(began="2026-11-23T13:40:00Z")["written"] is False
    client.run(ended="2026-11-23T14:07:00Z")
    assert client.run(ended="0s") | {"written": False} == client.run(ended="0s")
    assert client.grafana.wrote() == ["POST /api/annotations", "PATCH /api/annotations/1100"]
    assert client.only()["timeEnd"] == (BEGAN + 1800) * 1000


def test_text_and_tags_are_changed_and_others_tags_stay(client: Client) -> None:
    client.run(tags=["incident"])
    client.only()["tags"].append("theirs")
    client.run(text="Database is down", tags=["P1"])
    assert client.only()["text"] == "Database is down"
    assert client.only()["tags"] == [KEY, "incident", "theirs", "P1"]


def test_one_whose_start_was_never_drawn_is_drawn_whole(client: Client) -> None:
    done = client.run(began="2026-11-23T13:37:00Z", ended="2026-11-23T14:07:00Z")
    assert (done["began"], done["ended"], done["created"]) == (BEGAN, BEGAN + 1800, True)
    assert client.only()["timeEnd"] == (BEGAN + 1800) * 1000


def test_one_that_ended_at_once_has_an_end_all_the_same(client: Client) -> None:
    client.run(began="2026-11-23T13:37:00Z")
    done = client.run(ended="2026-11-23T13:36:00Z")
    assert done["ended"] > done["began"]
    assert client.run(ended="0s")["written"] is False


def test_it_may_be_for_one_panel(client: Client) -> None:
    client.run(dashboard="d-pg", panel=7)
    assert (client.only()["dashboardUID"], client.only()["panelId"]) == ("d-pg", 7)
    client.run(dashboard="d-app")
    assert len(client.grafana.annotations) == 2
    client.run(dashboard="d-app")
    assert len(client.grafana.annotations) == 2


def test_a_user_may_log_in(client: Client) -> None:
    client.grafana.login = f"Basic {b64encode(b'admin:made-up').decode()}"
    assert client.run(token=None, user="admin", password="made-up")["created"] is True


def test_grafanas_own_words_are_told_and_no_token(client: Client) -> None:
    with pytest.raises(ModuleFailed) as failed:
        client.run(token="glsa-another")
    assert failed.value.message == "Grafana says: Invalid API key (status 401)"
    assert failed.value.found == {"status": 401}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(502, "<html>bad  gateway</html>"), r"Grafana says: <html>bad gateway</html> \(st"),
        (Answer(302, "", {"Location": "/login"}), r"Grafana says: Found \(status 302\)"),
        (Answer(200, "<html>log in</html>"), "answers, but not with JSON; is it the API's URL?"),
        (Answer(422, {"message": "bad", "error": "tags"}), r"says: bad: tags \(status 422\)"),
    ],
)
def test_what_is_no_answer_of_the_api(client: Client, answer: Answer, message: str) -> None:
    client.grafana.instead.append(answer)
    with pytest.raises(ModuleFailed, match=message):
        client.run()


def test_it_waits_as_long_as_grafana_wants(client: Client) -> None:
    client.grafana.instead.append(Answer(429, {}, {"Retry-After": "0"}))
    assert client.run()["created"] is True


def test_nobody_there() -> None:
    args = {"url": f"http://127.0.0.1:{free_port()}", "key": KEY, "text": "x"}
    with pytest.raises(DialRefused):
        record("grafana_annotation", args, here())


def test_what_is_shown_before() -> None:
    args = {"url": "http://x", "key": KEY, "text": "Backend is down", "token": TOKEN}
    change = module("grafana_annotation", {**args, "dashboard": "d-pg"}).decide()  # type: ignore[attr-defined]
    assert change.summary == "dashboard d-pg: Backend is down begins"
    assert TOKEN not in repr(change)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"token": "t", "user": "u", "password": "p"}, "token and user are both given"),
        ({"user": "u"}, "user and password go together"),
        ({"panel": 7}, "panel needs the dashboard"),
        ({"began": "5m", "ended": "10m"}, "ended is before began"),
        ({"key": ""}, "length"),
        ({"url": "http://"}, "no host or port"),
    ],
)
def test_what_makes_no_sense_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        module("grafana_annotation", {"url": "http://x", "key": KEY, "text": "x", **args})
