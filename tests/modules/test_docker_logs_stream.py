"""docker_logs on what an engine sends, as it comes: long, broken off, and in every form."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import LinkLost, ModuleFailed
from tests.modules.fake_engine import described, fake_engine
from tests.modules.fakes import here
from tests.modules.sequence import module, probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAMP = b"2026-11-23T13:37:00.000000001Z "
LOGS = f"/containers/{'0123456789abcdef' * 4}/logs"


def frame(text: bytes, kind: int = 1, stamp: bytes = STAMP) -> bytes:
    return struct.pack(">B3xI", kind, len(stamp + text)) + stamp + text


def look(
    chunks: Iterable[bytes],
    *,
    tty: bool = False,
    within: float = 30,
    **args: Any,
) -> Any:
    container = described(Config={"Image": "app:1", "Tty": tty})
    with fake_engine({"/containers/backend/json": container, LOGS: lambda: iter(chunks)}) as engine:
        given = {"container": "backend", "socket": engine.socket_path, **args}
        return probe("docker_logs", given, here(within=within))


def measured(chunks: Iterable[bytes], **args: Any) -> tuple[Any, int]:
    """What comes of it, and how many bytes that took at most."""
    look([frame(b"what is imported on the first look is not counted\n")])
    tracemalloc.start()
    try:
        outcome = look(chunks, **args)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return outcome, peak


def texts(outcome: Any) -> list[str]:
    return [line["text"] for line in outcome.seen["lines"]]


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_frames_are_put_together_however_they_come(size: int) -> None:
    data = b"".join(
        [frame(b"one\n"), frame(b"two\n", 2), frame("drei – ü\n".encode()), frame(b"four", 2)]
    )
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    outcome = look(chunks)
    assert texts(outcome) == ["one", "two", "drei – ü", "four"]
    streams = [line["stream"] for line in outcome.seen["lines"]]
    assert streams == ["stdout", "stderr", "stdout", "stderr"]
    assert outcome.seen["first"] == outcome.seen["last"] == STAMP.decode().strip()


def test_a_long_line_comes_in_parts_with_others_between() -> None:
    outcome = look([frame(b"a" * 500), frame(b"in between\n", 2), frame(b"b" * 300 + b"\n")])
    assert texts(outcome) == ["in between", "a" * 500 + "b" * 300]


def test_parts_may_come_without_a_time() -> None:
    outcome = look([frame(b"not so "), frame(b"long\n", stamp=b"")])
    assert texts(outcome) == ["not so long"]


def test_a_line_without_a_time_is_a_line() -> None:
    outcome = look([frame(b"error: no time\n", stamp=b"")], pattern="no time")
    assert outcome.seen["lines"] == [{"time": None, "stream": "stdout", "text": "error: no time"}]
    assert outcome.finding == "1 line matches"


def test_a_terminals_lines_come_as_they_are() -> None:
    long = STAMP + b"x" * 400
    outcome = look([STAMP + b"one\r\n" + STAMP, b"two\r", b"\n", long + long + b"\r\n"], tty=True)
    assert texts(outcome) == ["one", "two", "x" * 800]
    assert {line["time"] for line in outcome.seen["lines"]} == {STAMP.decode().strip()}


@pytest.mark.parametrize("tty", [False, True])
def test_what_is_no_text_is_told_all_the_same(tty: bool) -> None:
    line = b"\xff\xfe error \x00 \x1b[31m\n"
    outcome = look([STAMP + line if tty else frame(line)], tty=tty, pattern="error")
    assert texts(outcome) == ["\ufffd\ufffd error \x00 \x1b[31m"]


def test_what_the_engine_says_of_itself_is_no_line() -> None:
    trouble = frame(b"Error grabbing logs: invalid character\n", 3, stamp=b"")
    with pytest.raises(ModuleFailed, match="Docker says: Error grabbing logs: invalid character"):
        look([frame(b"one\n"), trouble])


def test_what_is_no_log_is_said() -> None:
    with pytest.raises(ModuleFailed, match="no log of Docker's: a frame of 1702391916 bytes"):
        look([b"\x01\x00\x00\x00expl" + b"x" * 100])


@pytest.mark.slow
def test_nothing_is_held_of_a_long_log() -> None:
    chunk = frame(b"served " + b"x" * 8000 + b"\n") * 10
    outcome, peak = measured(itertools.repeat(chunk, 100), pattern="served")
    assert outcome.seen["matches"] == 1000
    assert peak < 3 * 2**20  # of 8


@pytest.mark.parametrize("tty", [False, True])
def test_nothing_is_held_of_a_long_line(tty: bool) -> None:
    part = b"x" * 16384

    def chunks() -> Iterator[bytes]:
        yield STAMP if tty else frame(b"")
        for _ in range(500):
            yield part if tty else frame(part)
        yield b"\n" if tty else frame(b"\n")
        yield STAMP + b"end\n" if tty else frame(b"end\n")

    outcome, peak = measured(chunks(), tty=tty)
    assert [text[:3] for text in texts(outcome)] == ["xxx", "end"]
    assert peak < 3 * 2**20


@pytest.mark.sweep
def test_a_gigabyte_is_read_in_little_memory() -> None:
    chunk = frame(b"level=info msg=ok " + b"x" * 1000 + b"\n") * 100
    many = 2**30 // len(chunk)
    outcome, peak = measured(itertools.repeat(chunk, many), within=3000, pattern="msg")
    assert outcome.seen["matches"] == 100 * many
    assert peak < 3 * 2**20


@pytest.mark.slow
def test_a_log_that_does_not_end_in_time_is_told_as_far_as_it_was_read() -> None:
    container = described()
    with fake_engine({"/containers/backend/json": container}) as engine:

        def trickle() -> Iterator[bytes]:
            while not engine.over.wait(0.05):
                yield frame(b"tick\n")

        engine.answers[LOGS] = trickle
        given = {"container": "backend", "socket": engine.socket_path, "pattern": "tick"}
        with pytest.raises(ModuleFailed) as failed:
            probe("docker_logs", given, here(within=2))
    assert failed.value.message.startswith("not done within 2 s: ")
    assert "narrow it with tail or since" in failed.value.message
    found = failed.value.found
    assert found["matches"] == found["looked"] != 0


@pytest.mark.slow
def test_an_engine_that_falls_silent_is_waited_for_until_the_deadline() -> None:
    container = described()
    with fake_engine({"/containers/backend/json": container}) as engine:

        def stall() -> Iterator[bytes]:
            yield frame(b"one\n")
            engine.over.wait()

        engine.answers[LOGS] = stall
        given = {"container": "backend", "socket": engine.socket_path}
        with pytest.raises(ModuleFailed, match="not done within 2 s: 1 line read"):
            probe("docker_logs", given, here(within=2))


def test_an_engine_that_breaks_off_is_a_lost_link() -> None:
    def half() -> Iterator[bytes]:
        yield frame(b"one\n")
        raise ConnectionResetError

    with pytest.raises(LinkLost, match="Docker did not answer"):
        look(half())


def test_lines_that_differ_in_numbers_are_of_one_kind() -> None:
    lines = [frame(b"request %d took %dms: timeout\n" % (n, 7 * n)) for n in range(1, 30)]
    lines += [frame(b"error: pool is full\n")] * 3
    outcome = look(lines, pattern="timeout|error")
    assert outcome.seen["commonest"] == [
        {"count": 29, "text": "request 29 took 203ms: timeout"},
        {"count": 3, "text": "error: pool is full"},
    ]
    assert outcome.summary == '32 of 32 lines: "request 29 took 203ms: timeout" × 29 …'


@pytest.mark.slow
def test_ever_new_kinds_are_not_held() -> None:
    words = ["".join(word) * 100 for word in itertools.product("abcdefgh", repeat=4)]
    lines = [frame(f"error {word}\n".encode()) for word in (*words, *words[:1] * 5)]
    outcome, peak = measured(lines, pattern="error")
    assert outcome.seen["matches"] == 8**4 + 5
    assert outcome.seen["commonest"][0] == {"count": 6, "text": f"error {words[0]}"}
    assert peak < 3 * 2**20  # of more than 5


def test_a_pattern_that_would_freeze_others_does_not() -> None:
    nasty = b"error" + b"a" * 30_000
    outcome = look([frame(nasty + b"\n")] * 20, pattern="(?i)(a+)+$|error.*timeout.*retry.*x")
    assert outcome.seen["matches"] == 20


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"pattern": "(?=x)"}, "not an RE2 pattern"),
        ({"pattern": {"a": "("}}, "not an RE2 pattern"),
        ({"exclude": "("}, "not an RE2 pattern"),
        ({"tail": 0}, "tail"),
        ({"keep": 1001}, "keep"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-13-01T00:00:00Z"}, "not a time"),
        ({"stream": "tty"}, "stream"),
        ({"container": "a b"}, "container"),
    ],
)
def test_what_is_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        module("docker_logs", {"container": "backend", **args})
    assert message in str(refused.value)
