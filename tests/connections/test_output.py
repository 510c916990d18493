"""Output is bounded, and begins where the command does."""

from __future__ import annotations

import pytest

from engine.connections.output import Framed, Keeper, Marked


def fed(keeper: Keeper, *chunks: bytes) -> Keeper:
    for chunk in chunks:
        keeper.feed(chunk)
    return keeper


def test_short_output_is_kept_whole() -> None:
    output = fed(Keeper(head=10, tail=5), b"01234", b"56789").output()
    assert (output.head, output.tail, output.size) == (b"0123456789", b"", 10)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_long_output_keeps_head_and_tail(size: int) -> None:
    data = bytes(range(100))
    chunks = [data[start : start + size] for start in range(0, 100, size)]
    output = fed(Keeper(head=10, tail=5), *chunks).output()
    assert (output.head, output.tail, output.size) == (data[:10], data[-5:], 100)
    assert output.omitted == 85


def test_output_just_over_the_head_has_no_gap() -> None:
    output = fed(Keeper(head=10, tail=5), b"0123456789abc").output()
    assert (output.head, output.tail, output.omitted) == (b"0123456789", b"abc", 0)
    assert output.text == "0123456789abc"


def test_a_listener_hears_all_of_it() -> None:
    heard: list[bytes] = []
    fed(Keeper(head=1, tail=1, tell=heard.append), b"abc", b"", b"def")
    assert heard == [b"abc", b"def"]


def test_a_start_up_files_noise_is_dropped() -> None:
    keeper = Keeper()
    marked = Marked("m4rk", keeper)
    for chunk in (b"Welcome!\nm4", b"rk 47", b"11\nhel", b"lo"):
        marked.feed(chunk)
    marked.finish()
    assert marked.pid == 4711
    assert keeper.output().head == b"hello"


def test_without_a_marker_all_is_output() -> None:
    keeper = Keeper()
    marked = Marked("m4rk", keeper)
    marked.feed(b"This account is not available.\n")
    marked.finish()
    assert marked.pid is None
    assert keeper.output().head == b"This account is not available.\n"


@pytest.mark.parametrize("size", [1, 7, 100])
def test_an_echo_of_the_line_that_starts_it_is_noise(size: int) -> None:
    keeper = Keeper()
    marked = Marked("m4rk", keeper)
    said = b"exec sh -s m4rk ; echo on\r\nm4rk 4711\r\nm4rk 1\n"
    for start in range(0, len(said), size):
        marked.feed(said[start : start + size])
    assert (marked.pid, keeper.output().head) == (4711, b"m4rk 1\n")


def test_endless_noise_is_not_kept_waiting() -> None:
    keeper = Keeper()
    marked = Marked("m4rk", keeper)
    for _ in range(100):
        marked.feed(bytes(1000))
    assert keeper.output().size == 100_000


MARK = b"=m4rk"
STREAM = b"+\nbefore= =m4r \0\xff=m4rk 7 \n"


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_a_frame_ends_at_its_mark_wherever_the_chunks_end(size: int) -> None:
    ended: list[bool] = []
    keeper, framed = Keeper(), Framed(b"+\n", lambda: ended.append(True))
    framed.begin(MARK, keeper)
    for start in range(0, len(STREAM), size):
        framed.feed(STREAM[start : start + size])
    assert keeper.output().head == b"before= =m4r \0\xff"
    assert (framed.end, framed.stray, ended) == (b" 7 ", False, [True])


def test_a_frame_is_followed_by_the_next() -> None:
    framed = Framed(b"", lambda: None)
    for text in (b"one", b"two"):
        keeper = Keeper()
        framed.begin(MARK, keeper)
        framed.feed(text + MARK + b"\n")
        assert (keeper.output().head, framed.end) == (text, b"")
        framed.leave()


def test_what_stands_in_no_frame_is_noticed() -> None:
    behind, between = Framed(b"", lambda: None), Framed(b"", lambda: None)
    keeper = Keeper()
    behind.begin(MARK, keeper)
    behind.feed(b"out" + MARK + b"\nlate")
    assert (keeper.output().head, behind.stray) == (b"outlate", True)
    between.feed(b"late")
    assert between.stray


def test_without_the_greeting_all_is_output() -> None:
    keeper, framed = Keeper(), Framed(b"+\n", lambda: None)
    framed.begin(MARK, keeper)
    framed.feed(b"This account is not available.\n")
    assert not framed.greeted
    assert keeper.output().head == b"This account is not available.\n"
