from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inventory import load
from tests.inventory.cases import FOR_PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable

APP = tuple(f"app{number}.example.com" for number in range(1, 5))

DIFFERENCES: dict[str, tuple[str, ...]] = {
    "db[:1]": ("db1", "db2"),
    "db[:0]": ("db1",),
    "db[-2:]": ("db2", "db3"),
    "*[-1]": (APP[3],),
    "db*[0:3]": ("db1", "db2", "db3"),
    "!fe80::1,&ipv6": ("fe80::2",),
}
"""Patterns that Ansible takes otherwise: as sets of characters, or counting a host twice."""


@pytest.mark.parametrize("pattern", DIFFERENCES)
def test_slices_include_both_ends_and_count_a_host_once(pattern: str) -> None:
    assert load([FOR_PATTERNS]).match(pattern) == DIFFERENCES[pattern]


def test_several_patterns_are_united_in_order() -> None:
    assert load([FOR_PATTERNS]).match(["db1,loner", "app:!db2"]) == ("db1", "loner", *APP)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("dbb", 'no host or group is named "dbb" — did you mean "db"?'),
        (
            "app1.exmple.com",
            'no host or group is named "app1.exmple.com" — did you mean "app1.example.com"?',
        ),
        ("xyzzy", 'no host or group is named "xyzzy"'),
        ("db:!db9", 'no host or group is named "db9" — did you mean "db"?'),
        ("db1 db2", 'no host or group is named "db1 db2" — did you mean "db2"?'),
        ("smtp*", 'no host or group matches "smtp*"'),
        ("~smtp", 'no host or group matches "~smtp"'),
        (
            "~(",
            '"~(" is not a regular expression: missing ), unterminated subpattern at position 0',
        ),
        ("nobody", 'group "nobody" has no hosts'),
        ("db:nobody", 'group "nobody" has no hosts'),
        ("db:&nobody", 'group "nobody" has no hosts'),
        ("db[3]", '"db[3]" is out of range: the hosts are [0] to [2]'),
        ("db[-4]", '"db[-4]" is out of range: the hosts are [0] to [2]'),
        ("db[2:0]", '"db[2:0]" is out of range: the hosts are [0] to [2]'),
        ("db[0-1]", '"db[0-1]" is not a subscript — write "db[0:1]" for the slice'),
        ("db[-2:-1]", '"db[-2:-1]" is not a subscript'),
        ("loner[1]", '"loner[1]" is out of range: the hosts are [0] to [0]'),
        ("we[1]", 'no host or group is named "we" — did you mean "web2"?'),
        ("lone[:z1]", 'no host or group matches "lone[:z1]"'),
        ("!", '"!" names nothing'),
        ("", "the host pattern is empty"),
        (" , ", "the host pattern is empty"),
        ("db:!db", '"db:!db" leaves no host'),
        (
            "dbb,xyzzy",
            'no host or group is named "dbb" — did you mean "db"?\n'
            'no host or group is named "xyzzy"',
        ),
    ],
)
def test_a_pattern_that_names_nothing_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load([FOR_PATTERNS]).match(pattern)


def test_a_set_of_digits_that_looks_like_a_subscript_is_refused() -> None:
    message = (
        '"db[12]" is a subscript of "db", and nothing is named that — name the hosts: "db1,db2"'
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load(["db1,db2,db3"]).match("db[12]")


def test_excluding_an_empty_group_is_no_error() -> None:
    assert load([FOR_PATTERNS]).match("db:!nobody") == ("db1", "db2", "db3")


def test_all_of_an_inventory_without_hosts() -> None:
    with pytest.raises(InputError, match=r"^the inventory has no hosts — name one with -i$"):
        load([]).match("all")


def test_implicit_localhost_is_there_when_named_and_not_in_all() -> None:
    inventory = load(["web1,web2"])
    assert inventory.match("localhost") == ("localhost",)
    assert inventory.match("all") == ("web1", "web2")


def test_a_localhost_of_the_inventory_goes_before_the_implicit_one() -> None:
    assert load(["127.0.0.1,web1"]).match("localhost") == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("dbb", '--limit: no host or group is named "dbb" — did you mean "db"?'),
        ("db,xyzzy", '--limit: no host or group is named "xyzzy"'),
        ("app", '--limit: "app" leaves none of the hosts of "db"'),
        ("", "--limit: names no host"),
        ("@nosuch", "nosuch: cannot be read: no such file or directory"),
        ("@empty", "empty: names no host — it is a file of --limit"),
        (
            "@typo",
            'typo:3:1: no host or group is named "dbx1" — did you mean "db1"?\n    dbx1\n    ^',
        ),
    ],
)
def test_a_limit_that_names_nothing_is_an_error(
    limit: str, message: str, written: Callable[[str, str], str]
) -> None:
    written("empty", "\n \n")
    written("typo", "db2\n\ndbx1\n")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load([FOR_PATTERNS]).match("db", limit)


def test_limit_takes_terms_from_a_file(written: Callable[[str, str], str]) -> None:
    written("retry", "db3\n\n  db1  \n")
    assert load([FOR_PATTERNS]).match("site", "@retry,app[0]") == ("db1", "db3", APP[0])


def outcome(pattern: str) -> tuple[str, ...]:
    try:
        return load([FOR_PATTERNS]).match(pattern)
    except InputError as error:
        return tuple(problem.message for problem in error.problems if not problem.path)


@pytest.mark.slow
@given(st.text(alphabet="adb1:,[]!&~*?-.^$(){}|+\\ ", max_size=20))
@example("db[" + "9" * 5000 + "]")
@example("~a{99999999999}")
@example("~[[a]")
def test_any_pattern_names_hosts_or_is_an_input_error(pattern: str) -> None:
    assert outcome(pattern)
