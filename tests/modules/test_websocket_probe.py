from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from websockets.sync.server import serve

from engine.contract import ModuleFailed
from engine.errors import LinkLost, Unreachable
from tests.lab.ports import free_port
from tests.modules.certificates import Authority
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.servers import http_server, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.http11 import Response
    from websockets.sync.server import ServerConnection

    from engine.connections.links import Links
    from tests.lab.lab import Lab
    from tests.modules.sequence import Outcome

SERVER = """
import os, socket
from websockets.sync.server import serve

def talk(client):
    client.send(f"{socket.gethostname()} heard {client.recv()}")
    for _ in client:
        pass
    os._exit(0)

with serve(talk, "localhost", 0, family=socket.AF_INET) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
"""
QUIET = logging.getLogger("quiet")
QUIET.setLevel(logging.CRITICAL)


@contextmanager
def speaking(
    talk: Callable[[ServerConnection], None], *, scheme: str = "ws", **options: Any
) -> Iterator[str]:
    """A real WebSocket server that talks so with each client; gives its URL."""

    with serve(talk, "127.0.0.1", 0, logger=QUIET, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"{scheme}://127.0.0.1:{server.socket.getsockname()[1]}/ws"
        server.shutdown()
        thread.join()


def ask(url: str, **args: Any) -> Outcome:
    return probe("websocket_probe", {"url": url, **args}, here())


ANSWERS: dict[str, str | bytes] = {"ping": "pong", "binary": b"\xffpong"}


def listen(client: ServerConnection) -> None:
    for message in client:
        client.send(ANSWERS.get(str(message), "what?"))


def test_one_that_opens() -> None:
    with speaking(listen) as url:
        outcome = ask(url)
    seen = outcome.seen
    assert (seen["opened"], seen["status"], seen["error"]) == (True, 101, None)
    assert 0 < seen["opening"] <= seen["elapsed"] < 10
    assert (seen["messages"], seen["matched"], seen["close_code"]) == ([], None, None)
    assert outcome.finding is None
    assert outcome.summary.startswith("open in ")


def test_a_message_and_its_answer() -> None:
    with speaking(listen) as url:
        outcome = ask(url, send="ping", matches="^pong$")
        assert ask(url, send="binary", matches="pong").seen["messages"] == ["\ufffdpong"]
    assert outcome.seen["messages"] == ["pong"]
    assert outcome.seen["matched"] is True
    assert outcome.finding is None
    assert outcome.summary.endswith(", 1 message")


def test_messages_are_read_until_one_matches() -> None:
    def count(client: ServerConnection) -> None:
        for number in range(50):
            client.send(f"number {number}")
        listen(client)

    with speaking(count) as url:
        outcome = ask(url, matches="number 40$")
    assert outcome.finding is None
    assert outcome.seen["messages"] == [f"number {number}" for number in range(20)]


def test_a_message_in_parts_is_one() -> None:
    def parts(client: ServerConnection) -> None:
        client.send(iter(["po", "n", "g"]))
        client.ping()
        listen(client)

    with speaking(parts) as url:
        assert ask(url, matches="^pong$").seen["messages"] == ["pong"]


@pytest.mark.slow
def test_another_message_is_a_finding() -> None:
    with speaking(listen) as url:
        outcome = ask(url, send="hello", matches="^pong$", max_time="500ms")
    assert outcome.seen["opened"] is True
    assert outcome.seen["messages"] == ["what?"]
    assert str(outcome.finding).startswith("no message matches '^pong$' (no answer within ")


def test_a_server_that_closes_it_is_a_finding() -> None:
    with speaking(lambda client: client.close(1013, "too many clients")) as url:
        outcome = ask(url, matches="x")
    assert (outcome.seen["close_code"], outcome.seen["close_reason"]) == (1013, "too many clients")
    closed = "the server closed it with 1013: too many clients"
    assert outcome.seen["error"] == closed
    assert outcome.finding == f"nothing came, and so no message matches 'x' ({closed})"
    assert outcome.summary.endswith(f", {closed}")


def test_a_server_that_hangs_up_is_a_finding() -> None:
    with speaking(lambda client: client.socket.shutdown(socket.SHUT_RDWR)) as url:
        outcome = ask(url, matches="x")
    assert outcome.seen["opened"] is True
    assert outcome.seen["close_code"] is None
    assert "unexpected end of stream" in str(outcome.finding)


def test_a_message_that_is_too_long_is_not_taken() -> None:
    with speaking(lambda client: client.send("x" * 70_000)) as url:
        outcome = ask(url, matches="x")
    assert outcome.seen["messages"] == []
    assert "exceeds limit of 65536 bytes" in str(outcome.finding)


def test_the_server_hears_our_goodbye() -> None:
    heard: list[int | None] = []

    def talk(client: ServerConnection) -> None:
        for _ in client:
            pass
        heard.append(client.close_code)

    with speaking(talk) as url:
        ask(url)
    assert heard == [1000]


def test_headers_and_subprotocols_are_sent_as_said() -> None:
    def tell(client: ServerConnection) -> None:
        assert client.request is not None
        names = ("Origin", "X-Token", "Host")
        client.send(" ".join(str(client.request.headers.get_all(name)) for name in names))
        listen(client)

    args: dict[str, Any] = {
        "headers": {"Origin": "https://shop.example.com", "X-Token": "a b", "host": "shop"},
        "subprotocols": ["v2.chat", "v1.chat"],
        "matches": ".",
    }
    with speaking(tell, subprotocols=["v1.chat"]) as url:
        outcome = ask(url, **args)
    assert outcome.seen["subprotocol"] == "v1.chat"
    assert outcome.seen["messages"] == ["['https://shop.example.com'] ['a b'] ['shop']"]


def test_a_server_that_refuses_is_a_finding() -> None:
    def refuse(client: ServerConnection, _: object) -> Response:
        return client.respond(503, "overloaded\n")

    with speaking(listen, process_request=refuse) as url:
        outcome = ask(url)
    assert (outcome.seen["opened"], outcome.seen["status"]) == (False, 503)
    assert outcome.finding == "the WebSocket does not open: status 503, expected 101"
    assert outcome.summary == outcome.finding


def test_a_server_that_speaks_no_websocket_is_a_finding() -> None:
    with http_server() as url:
        outcome = ask(f"{url.replace('http', 'ws')}/json")
    assert outcome.finding == "the WebSocket does not open: status 200, expected 101"
    with saying(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        outcome = ask(url.replace("http", "ws"))
    assert outcome.finding == ("the WebSocket does not open: did not receive a valid HTTP response")
    with saying(b"HTTP/1.1 101 Switching Protocols\r\n\r\n") as url:
        outcome = ask(url.replace("http", "ws"))
    assert str(outcome.finding).startswith("the WebSocket does not open: ")


def test_a_closed_port_is_evidence() -> None:
    port = free_port()
    outcome = ask(f"ws://127.0.0.1:{port}/")
    refused = f"127.0.0.1:{port}: Connection refused"
    assert outcome.finding == f"the WebSocket does not open: {refused}"
    assert outcome.summary == outcome.finding


def test_a_server_that_never_answers_is_evidence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        outcome = ask(f"ws://127.0.0.1:{mute.getsockname()[1]}/", max_time="200ms")
    assert outcome.finding == "the WebSocket does not open: no answer within 0.2 s"


def test_tls_is_checked_unless_said_otherwise(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.issue("127.0.0.1")
    with speaking(listen, scheme="wss", ssl=context) as url:
        refused = ask(url)
        assert ask(url, ca=str(authority.path), send="ping", matches="pong").finding is None
        assert ask(url, verify=False).finding is None
    assert refused.finding == (
        "the WebSocket does not open: no TLS: the certificate is not trusted: "
        "unable to get local issuer certificate"
    )


@pytest.mark.parametrize("error", [Unreachable("no route"), LinkLost("the link died")])
def test_a_host_that_cannot_be_reached_is_no_evidence_of_the_server(error: Exception) -> None:
    with pytest.raises(type(error)):
        probe("websocket_probe", {"url": "ws://x/"}, target(FakeConnection(refuse=error)))


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"url": "http://x/"},
        {"url": "ws://"},
        {"url": "ws://a b/"},
        {"url": "ws://x/#y"},
        {"url": "ws://a:99999/"},
        {"url": "ws://a:0/"},
        {"url": "ws://x/", "matches": "("},
        {"url": "ws://x/", "headers": {"a b": "c"}},
        {"url": "ws://x/", "headers": {"a": "b\r\nc: d"}},
        {"url": "ws://x/", "subprotocols": ["a b"]},
        {"url": "ws://x/", "max_time": "soon"},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("websocket_probe", args)


def test_an_account_without_a_password_is_refused() -> None:
    with pytest.raises(ModuleFailed, match="username provided without password"):
        ask("ws://alice@127.0.0.1/")


@pytest.mark.lab
def test_a_server_that_only_the_host_sees(lab: Lab, links: Links) -> None:
    server = lab.h1.start([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    server.stdout.close()
    args = {"url": f"ws://localhost:{port}/", "send": "who?", "matches": "^h1 heard who"}
    assert probe("websocket_probe", args, target(links.get("h1"))).finding is None
    server.wait(20)
