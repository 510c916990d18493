"""Whatever a host says: a module sees something, or says in words that it cannot; no traceback."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.connections.local import LocalConnection
from engine.contract import Action, GuardRefused, Observing, to_plain
from engine.errors import DialRefused, HostError
from engine.registry import Registry
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import example, module

if TYPE_CHECKING:
    from engine.connections.base import Address, Argv, Finished, OsFamily, Script
    from tests.modules.fakes import Answer

pytestmark = pytest.mark.slow

COMMANDS: dict[str, list[dict[str, Any]]] = {
    "command": [{"argv": ["uptime"], "probe": True}, {"argv": ["uptime"], "creates": "/etc/x*"}],
    "disk_usage": [{}, {"paths": ["/", "/proc"], "max_percent": 85}],
    "dns_probe": [
        {"name": "localhost"},
        {"name": "localhost", "type": "MX", "server": "127.0.0.1"},
    ],
    "file_set": [{"path": "/etc/hostname", "content": "x"}],
    "log_search": [{"path": "/etc/*.conf", "pattern": "a"}, {"path": "/etc/passwd", "since": "5m"}],
    "memory_usage": [{"max_percent": 90}],
    "port_check": [{"port": 8080}],
    "port_kill": [{"port": 8080}],
    "process_list": [{"name": "sh"}, {}],
    "service_restart": [{"name": "app"}],
    "service_status": [{"name": "app"}],
    "shell": [{"script": "uptime", "probe": True}],
}
"""Modules that run commands, and what they are asked."""

STREAMS: dict[str, list[dict[str, Any]]] = {
    "http_probe": [{"url": "http://localhost:1/"}, {"url": "http://localhost:1/", "body": "x"}],
    "metrics": [{"url": "http://localhost:1/metrics", "name": "up"}],
    "prometheus_query": [{"url": "http://localhost:1", "query": "up"}],
    "tcp_probe": [{"port": 1, "matches": "x"}, {"port": 1, "send": "PING"}],
    "websocket_probe": [{"url": "ws://localhost:1/ws"}],
}
"""Modules that speak with a server through a stream."""

WORDS = st.sampled_from(
    [
        *("0", "1", "-1", "42", "999999999999999999999", "1.5e9", "nan", "", "*", "-", "/", "%"),
        *("tcp", "LISTEN", "127.0.0.1:8080", "[::]:8080", "pid", "python3", "(deleted)", "100%"),
        *("MainPID=1", "ActiveState=active", "MemTotal:", "kB", "1024", "[]", "{}", "null"),
        *("NAME", "ANSWER", "status: NXDOMAIN", "IN", "A", "localhost.", "é", "\udcff", "\x1b[2J"),
    ]
)
SPACES = st.sampled_from([" ", "\t", "\n", "\0", "\r\n", ":", ",", "=", "|", "  ", "\n\n", ""])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)
TEXTS = (
    st.lists(st.tuples(WORDS, SPACES), max_size=30).map(lambda pairs: "".join(map("".join, pairs)))
    | JSON.map(json.dumps)
    | st.binary(max_size=80).map(lambda data: data.decode("utf-8", "surrogateescape"))
)
STATUSES = st.sampled_from([0, 0, 0, 1, 2, 127, -9])
ANSWERS = st.lists(st.tuples(STATUSES, TEXTS, TEXTS), min_size=1, max_size=4)


def look(name: str, args: dict[str, Any], connection: FakeConnection) -> None:
    """See something, or say in words why not; anything else is raised."""
    subject = module(name, args)
    assert isinstance(subject, Observing)
    with contextlib.suppress(HostError, GuardRefused):
        seen = subject.observe(target(connection))
        subject.finding(seen)
        subject.summary(seen)
        json.dumps(to_plain(seen))
        if isinstance(subject, Action):
            subject.decide(seen)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_answer_to_a_command(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(COMMANDS)))
    args = data.draw(st.sampled_from(COMMANDS[name]))
    families: list[OsFamily] = ["linux", "macos", "windows"]
    family = data.draw(st.sampled_from(families))
    look(name, args, FakeConnection(data.draw(ANSWERS), family))


class Listening(LocalConnection):
    """This machine, whose answers are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Answer] = []

    def run(self, command: Argv | Script, **kwargs: Any) -> Finished:
        finished = super().run(command, **kwargs)
        out, err = (
            (stream.head + stream.tail).decode("utf-8", "surrogateescape")
            for stream in (finished.stdout, finished.stderr)
        )
        self.heard.append((finished.status, out, err))
        return finished


@functools.cache
def real(name: str, number: int) -> list[Answer]:
    """What this machine answers."""
    connection = Listening()
    subject = module(name, COMMANDS[name][number])
    assert isinstance(subject, Observing)
    with contextlib.suppress(HostError):  # there may be no systemd: that is an answer, too
        subject.observe(target(connection))
    return connection.heard


def slipped(data: st.DataObject, text: str) -> str:
    """A text, a little damaged."""
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 1, 3, 20, 500])))
        text = text[:start] + data.draw(WORDS | SPACES) + text[end:]
    return text


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_slip_in_a_real_answer(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(COMMANDS)))
    number = data.draw(st.integers(0, len(COMMANDS[name]) - 1))
    heard = real(name, number)
    answers = [(status, slipped(data, out), err) for status, out, err in heard]
    look(name, COMMANDS[name][number], FakeConnection(answers or [(0, "", "")]))


class Serving(FakeConnection):
    """A host whose servers say something and hang up."""

    def __init__(self, says: bytes) -> None:
        super().__init__()
        self.says = says

    def dial(self, address: Address, *, timeout: float, become: Any = None) -> socket.socket:
        del address, become
        if not self.says:
            raise DialRefused("localhost:1: Connection refused")
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout)
        with theirs:
            theirs.sendall(self.says)
            theirs.shutdown(socket.SHUT_WR)
        return ours


HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://[/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 ",
        b"",
    ]
)
SERIES = st.sampled_from(
    [
        "up 1\n",
        'up{job="a"} nan\n',
        "# TYPE up counter\n",
        'up{job="a',
        "up{} +Inf 1e99\n",
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}',
        '{"status":"success","data":{"resultType":"matrix","result":[]}}',
        '{"status":"error","error":5}',
    ]
)
BODIES = TEXTS | st.lists(SERIES | WORDS | SPACES, max_size=8).map("".join)


@given(st.data(), HEADS, BODIES)
@settings(max_examples=60, deadline=None)
def test_any_answer_of_a_server(data: st.DataObject, head: bytes, body: str) -> None:
    name = data.draw(st.sampled_from(sorted(STREAMS)))
    args = data.draw(st.sampled_from(STREAMS[name]))
    look(name, args, Serving(head + body.encode("utf-8", "surrogateescape")))


def test_every_module_that_looks_through_a_command_or_a_stream_is_asked() -> None:
    others = {"assert", "set", "tls_probe", "http_request"}
    kinds = {name: Registry()[name] for name in Registry().names()}
    looking = {name for name, entry in kinds.items() if issubclass(entry.cls, Observing)}
    clients = {name for name in looking if name.startswith(("docker_", "pg_"))}
    assert looking - clients - others == {*COMMANDS, *STREAMS}
    assert all(example(name) for name in looking)
