from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from engine.errors import LinkLost, Unreachable
from tests.lab.ports import free_port
from tests.modules.certificates import Authority
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.servers import http_server, saying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.modules.sequence import Outcome


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http_server() as at:
        yield at


def ask(url: str, **args: Any) -> Outcome:
    return probe("http_probe", {"url": url, **args}, here())


def test_an_answer(url: str) -> None:
    outcome = ask(f"{url}/json")
    assert outcome.seen["status"] == 200
    assert outcome.seen["json"] == {"status": "ok", "pool": {"free": 3}}
    assert outcome.seen["body"] == '{"status": "ok", "pool": {"free": 3}}'
    assert outcome.seen["headers"]["x-served-by"] == "test"
    assert outcome.seen["url"] == f"{url}/json"
    assert outcome.seen["error"] is None
    assert 0 < outcome.seen["elapsed"] < 10
    assert outcome.finding is None
    assert outcome.summary.startswith("200 in ")


@pytest.mark.parametrize(
    ("status", "expected", "finding"),
    [
        (200, None, None),
        (299, None, None),
        (301, None, "status 301, expected 2xx"),
        (404, None, "status 404, expected 2xx"),
        (503, None, "status 503, expected 2xx"),
        (503, 503, None),
        (200, 503, "status 200, expected 503"),
        (401, [200, 401], None),
        (500, [200, 401], "status 500, expected 200 or 401"),
    ],
)
def test_the_status_is_judged(
    status: int, expected: int | list[int] | None, finding: str | None, url: str
) -> None:
    outcome = ask(f"{url}/status/{status}", status=expected)
    assert outcome.seen["status"] == status
    assert outcome.finding == finding


@pytest.mark.parametrize(
    ("pattern", "finding"),
    [
        ('"status":\\s*"ok"', None),
        ("(?i)OK", None),
        ("^ok$", "the body does not match '^ok$'"),
    ],
)
def test_the_body_is_judged(pattern: str, finding: str | None, url: str) -> None:
    assert ask(f"{url}/json", matches=pattern).finding == finding


def test_a_body_is_bounded(url: str) -> None:
    whole = ask(f"{url}/body/65536")
    assert (len(whole.seen["body"]), whole.seen["truncated"]) == (65536, False)
    outcome = ask(f"{url}/body/10000000", matches="y")
    assert (len(outcome.seen["body"]), outcome.seen["truncated"]) == (65536, True)
    assert outcome.finding == "the first 64 KiB of the body does not match 'y'"


def test_a_body_that_never_ends_is_bounded() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with saying(head, *[b"x" * 65536] * 50) as url:
        assert len(ask(url).seen["body"]) == 65536


@pytest.mark.parametrize(
    ("data", "text", "parsed"),
    [
        (b"null", "null", None),
        (b"[1, 2]", "[1, 2]", [1, 2]),
        (b"not json", "not json", None),
        (b"", "", None),
        (b"\xff\xfe", "\ufffd\ufffd", None),
        (b"[" * 20000, "[" * 20000, None),
        ("é".encode(), "é", None),
    ],
)
def test_any_body_is_kept(data: bytes, text: str, parsed: object, url: str) -> None:
    outcome = ask(f"{url}/bytes/{data.hex()}")
    assert (outcome.seen["body"], outcome.seen["json"]) == (text, parsed)


def test_a_request_is_sent_as_said(url: str) -> None:
    args = {"method": "POST", "headers": {"X-Token": "a b"}, "json": {"deep": [1]}}
    told = ask(f"{url}/echo", **args).seen["json"]
    assert told["method"] == "POST"
    assert told["headers"]["x-token"] == "a b"
    assert told["headers"]["content-type"] == "application/json"
    assert told["body"] == '{"deep":[1]}'
    assert ask(f"{url}/echo", method="POST", body="raw").seen["json"]["body"] == "raw"
    assert ask(f"{url}/echo", method="HEAD").seen["body"] == ""


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "get"])
def test_methods_that_change_are_not_offered(method: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
        module("http_probe", {"url": "http://x", "method": method})


def test_redirects_are_followed_when_asked_for(url: str) -> None:
    assert ask(f"{url}/redirect/json").seen["status"] == 302
    followed = ask(f"{url}/redirect/json", follow_redirects=True)
    assert (followed.seen["status"], followed.seen["url"]) == (200, f"{url}/json")


def test_a_redirect_to_nowhere_is_no_answer() -> None:
    with saying(b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n") as url:
        outcome = ask(url, follow_redirects=True)
    assert outcome.seen["status"] is None
    assert "ftp" in outcome.seen["error"]


def test_a_redirect_loop_is_no_answer(url: str) -> None:
    outcome = ask(f"{url}/redirect/redirect", follow_redirects=True, max_time="20s")
    assert outcome.seen["status"] is None
    assert "redirects" in outcome.seen["error"]


def test_a_closed_port_is_evidence() -> None:
    outcome = ask(f"http://127.0.0.1:{free_port()}/")
    assert outcome.seen["status"] is None
    assert outcome.finding is not None
    assert "refused" in outcome.finding
    assert outcome.finding.startswith("no answer: ")
    assert "refused" in outcome.summary


def test_a_name_that_does_not_exist_is_evidence() -> None:
    assert ask("http://no-such-host.invalid/").seen["status"] is None


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_what_is_not_an_answer_is_evidence(answer: bytes) -> None:
    with saying(answer) as url:
        outcome = ask(url)
    assert outcome.seen["status"] is None
    assert outcome.seen["error"]
    assert outcome.finding == f"no answer: {outcome.seen['error']}"


def test_a_slow_answer_is_none(url: str) -> None:
    outcome = ask(f"{url}/slow/1", max_time="100ms")
    assert outcome.seen["status"] is None
    assert outcome.seen["error"] == "no answer within 0.1 s"
    assert ask(f"{url}/slow/0.01", max_time="10s").seen["body"] == "at last"


@pytest.mark.slow
def test_a_body_that_drips_is_no_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with saying(head, *[b"x"] * 20, pause=0.05) as url:
        assert ask(url, max_time="200ms").seen["error"] == "no answer within 0.2 s"


@pytest.mark.slow
def test_headers_that_drip_are_no_answer() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with saying(*[bytes([byte]) for byte in answer], pause=0.01) as url:
        assert ask(url, max_time="200ms").seen["error"] == "no answer within 0.2 s"


def test_tls_is_checked_unless_said_otherwise(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with http_server(authority.issue("127.0.0.1")) as url:
        outcome = ask(f"{url}/json")
        assert outcome.seen["status"] is None
        assert "certificate verify failed" in outcome.seen["error"]
        assert ask(f"{url}/json", ca=str(authority.path)).seen["status"] == 200
        assert ask(f"{url}/json", verify=False).seen["status"] == 200


def test_a_missing_authority_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match=r"none\.pem"):
        ask("https://127.0.0.1:1/", ca=str(tmp_path / "none.pem"))


@pytest.mark.parametrize("error", [Unreachable("no route"), LinkLost("the link died")])
def test_a_host_that_cannot_be_reached_is_no_evidence_of_the_server(error: Exception) -> None:
    with pytest.raises(type(error)):
        probe("http_probe", {"url": "http://localhost/"}, target(FakeConnection(refuse=error)))


@pytest.mark.parametrize(
    "args",
    [
        {"url": "ftp://x"},
        {"url": "localhost:80"},
        {"url": "http://x", "status": 99},
        {"url": "http://x", "status": "ok"},
        {"url": "http://x", "headers": {"a b": "c"}},
        {"url": "http://x", "headers": {"a": "b\r\nc: d"}},
        {"url": "http://x", "matches": "(?=x)"},
        {"url": "http://x", "body": "x", "json": 1},
        {"url": "http://x", "max_time": "soon"},
        {"url": "http://x", "unknown": 1},
        {},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("http_probe", args)


@pytest.mark.parametrize(
    "url", ["http://[", "http://", "http://a:99999/", "https://:80/", "http://a:0/", "http://a:b/"]
)
def test_an_impossible_url_is_refused(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("http_probe", {"url": url})


def test_a_url_cannot_bring_headers_of_its_own(url: str) -> None:
    with pytest.raises(ModuleFailed, match="non-printable"):
        ask(f"{url}/echo\r\nX-Forged: 1")
