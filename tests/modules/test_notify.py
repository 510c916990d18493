"""notify through apprise itself, to a service that takes JSON."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.modules.fakes import here
from tests.modules.sequence import module, record
from tests.modules.standin import Answer, Asked, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    # Apprise loads all its plug-ins, and one of their libraries is behind the times.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]
TOKEN = "k9f3-secret-path"


class Hook(StandIn):
    """What apprise's `json://` speaks to."""

    def __init__(self) -> None:
        super().__init__()
        self.routes = {f"POST /{TOKEN}": self._take, f"POST /{TOKEN}/": self._take}
        self.taken: list[dict[str, Any]] = []

    def _take(self, asked: Asked) -> Answer:
        self.taken.append(asked.json())
        return Answer(200)


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def url(hook: Hook) -> Iterator[str]:
    with hook.serve() as url:
        yield f"{url.replace('http:', 'json:')}/{TOKEN}"


def notify(to: object, **args: Any) -> Any:
    return record("notify", {"to": to, "message": "Backend is down", **args}, here()).done


def test_a_service_is_told(hook: Hook, url: str) -> None:
    done = notify(url, title="Incident")
    (taken,) = hook.taken
    assert (taken["title"], taken["message"], taken["type"]) == (
        "Incident",
        "Backend is down",
        "info",
    )
    assert done == {"sent": ["JSON"], "type": "info"}


@pytest.mark.parametrize(
    ("args", "type_"),
    [
        ({"severity": "P1"}, "failure"),
        ({"severity": "P2"}, "failure"),
        ({"severity": "P3"}, "warning"),
        ({"severity": "P4"}, "info"),
        ({"severity": None}, "info"),
        ({"severity": "P1", "type": "success"}, "success"),
    ],
)
def test_the_severity_says_what_it_looks_like(
    hook: Hook, url: str, args: dict[str, Any], type_: str
) -> None:
    notify(url, **args)
    assert hook.taken[0]["type"] == type_


def test_several_are_told_in_a_list_or_in_one_variable(hook: Hook, url: str) -> None:
    assert notify([url, url])["sent"] == ["JSON", "JSON"]
    assert notify(f"{url}, {url}")["sent"] == ["JSON", "JSON"]
    assert len(hook.taken) == 4


def test_who_cannot_be_told_is_said_and_the_others_are_told(hook: Hook, url: str) -> None:
    hook.instead.append(Answer(503))
    with pytest.raises(ModuleFailed) as failed:
        notify([url, url])
    assert failed.value.message.startswith("1 of 2 not told: JSON: Failed to send JSON POST")
    assert "error=503" in failed.value.message
    assert failed.value.found["sent"] == ["JSON"]
    assert len(failed.value.found["not_told"]) == 1  # type: ignore[arg-type]
    assert len(hook.taken) == 1


def test_nothing_of_a_url_is_told(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    change = module("notify", {"to": url, "message": "m", "title": "Incident"}).decide()  # type: ignore[attr-defined]
    assert change.summary == "notify json: Incident"
    assert TOKEN not in repr(change)
    closed = f"json://someone:{TOKEN}@localhost:1/{TOKEN}"
    with pytest.raises(ModuleFailed) as failed:
        notify(closed)
    assert "onnection error" in failed.value.message
    assert TOKEN not in failed.value.message
    assert capfd.readouterr().err == ""


def test_a_complaint_with_the_token_in_it_is_masked(
    url: str, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complain(*_: object, **__: object) -> bool:
        logging.getLogger("apprise").warning("cannot post to /%s", TOKEN)
        return False

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", complain)
    with pytest.raises(ModuleFailed, match=r"JSON: cannot post to /\*\*\*$"):
        notify(url)
    assert hook.asked == []


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("carrier-pigeon://home", "to, number 1: apprise takes no such carrier-pigeon URL"),
        ("hooks.slack.com/services", r"to, number 1: apprise takes no such \(no\) URL"),
    ],
)
def test_what_is_no_url_of_apprise(to: str, message: str) -> None:
    with pytest.raises(ModuleFailed, match=message):
        notify(to)


@pytest.mark.parametrize("args", [{"to": []}, {"message": ""}, {"severity": "P5"}])
def test_what_makes_no_sense_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("notify", {"to": "json://localhost", "message": "m", **args})


def test_a_service_gets_no_more_time_than_there_is(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[Any] = []

    def note(service: Any, *_: object, **__: object) -> bool:
        times.append(service.request_timeout)
        return True

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", note)
    args = {"to": url, "message": "m"}
    record("notify", args, here(within=2))
    ((connect, read),) = times
    assert max(connect, read) <= 2
