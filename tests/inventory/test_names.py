from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.inventory.names import MAX_HOSTS, expand


@pytest.mark.parametrize(
    ("text", "hosts", "port"),
    [
        ("db1", ["db1"], None),
        ("db1:2222", ["db1"], 2222),
        ("db[01:10:4]", ["db01", "db05", "db09"], None),
        ("db[9:11]", ["db9", "db10", "db11"], None),
        ("db[:2]", ["db0", "db1", "db2"], None),
        ("db-[a:e:2].x", ["db-a.x", "db-c.x", "db-e.x"], None),
        ("[a:b][1:2]", ["a1", "a2", "b1", "b2"], None),
        ("db[1:2]:22", ["db1", "db2"], 22),
        ("fe80::1", ["fe80::1"], None),
        ("fe80::1%eth0", ["fe80::1%eth0"], None),
        ("[fe80::1]:22", ["fe80::1"], 22),
        ("fe80::[8:9]", ["fe80::8", "fe80::9"], None),
        ("user@db1", ["user@db1"], None),
    ],
)
def test_a_name_stands_for_hosts_and_a_port(text: str, hosts: list[str], port: int | None) -> None:
    assert expand(text) == (hosts, port)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a host needs a name"),
        ("-oProxyCommand=x", '"-oProxyCommand=x" is not a host name: it begins with "-"'),
        ("db:", '"db:" is not a host name, with or without :port'),
        ("db:ssh", '"db:ssh" is not a host name, with or without :port'),
        ("db:0", "port 0 is not between 1 and 65535"),
        ("db:65536", "port 65536 is not between 1 and 65535"),
        ("db[3:1]", 'range "[3:1]" ends before it begins'),
        ("db[1]", 'range "[1]" is not begin:end or begin:end:step'),
        ("db[1:]", 'range "[1:]" is not begin:end or begin:end:step'),
        ("db[01:100]", 'range "[01:100]" has ends of different widths'),
        ("db[1:9:0]", 'range "[1:9:0]" has a step that is not a number above 0'),
        ("db[a:9]", 'range "[a:9]" is neither of numbers nor of single letters'),
        ("db[[1", '"db[[1" has a "[" without its "]"'),
        ("db[0:100000]", f'range "[0:100000]" stands for more than {MAX_HOSTS} hosts'),
        ("[0:999][0:999]", f'"[0:999][0:999]" stands for 1000000 hosts; {MAX_HOSTS} is the most'),
    ],
)
def test_what_is_no_name_is_said_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expand(text)


def outcome(text: str) -> list[str] | str:
    try:
        return expand(text)[0]
    except ValueError as error:
        return str(error)


@pytest.mark.slow
@given(st.integers(0, 999), st.integers(0, 99), st.integers(1, 9))
def test_a_range_counts_like_range(first: int, count: int, step: int) -> None:
    hosts, _ = expand(f"h[{first:04}:{first + count:04}:{step}]")
    assert hosts == [f"h{number:04}" for number in range(first, first + count + 1, step)]


@pytest.mark.slow
@given(st.text(alphabet="ab09:[]-.é\x00 ", max_size=24))
def test_any_text_is_hosts_or_a_value_error(text: str) -> None:
    assert outcome(text)
