from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inventory import ini, load
from engine.inventory.draft import Draft
from engine.inventory.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (
            "[web]\nw1 note=two words",
            'hosts:2:13: "words" is not name=value — quote a value with spaces\n'
            "    w1 note=two words\n                ^",
        ),
        (
            "[web:chidlren]\ndb",
            "hosts:1:1: section [web:chidlren] is of no known kind — "
            'did you mean "children"?\n    [web:chidlren]\n    ^',
        ),
        (
            "[web servers]\nw1",
            "hosts:1:1: [web servers] is not a section: [group], [group:children], [group:vars]\n"
            "    [web servers]\n    ^",
        ),
        (
            "[site:children]\nwbe\n[web]\nw1",
            'hosts:2:1: group "wbe" is not declared — did you mean "web"?\n    wbe\n    ^',
        ),
        (
            "[web:vars]\nx=1\n[app]\na1",
            "hosts:1:1: [web:vars] is for a group that is not declared\n    [web:vars]\n    ^",
        ),
        (
            "[a:children]\nb\n[b:children]\na",
            'hosts:4:1: group "a" in "b" would make a loop\n    a\n    ^',
        ),
        ("w1\n  w2[3:1]", 'hosts:2:3: range "[3:1]" ends before it begins\n      w2[3:1]\n      ^'),
        ("w1 x='open", "hosts:1:1: no closing quotation in this line\n    w1 x='open\n    ^"),
        ("[g:vars]\nnonsense\n[g]", 'hosts:2:1: "nonsense" is not name=value\n    nonsense\n    ^'),
        (
            "[g]\n[g:vars]\nansible_group_priority=high",
            "hosts:3:1: ansible_group_priority must be a whole number, not 'high'\n"
            "    ansible_group_priority=high\n    ^",
        ),
        ("---\nw1:x", 'hosts:1:1: "---" is not a host name: it begins with "-"'),
    ],
)
def test_a_broken_line_is_shown_with_what_is_wrong(
    lines: str, error: str, written: Callable[[str, str], str]
) -> None:
    source = written("hosts.ini", lines)
    with pytest.raises(InputError) as raised:
        load([source])
    assert str(raised.value).replace("hosts.ini", "hosts").startswith(error)


def test_every_problem_is_reported_in_the_order_of_the_lines(
    written: Callable[[str, str], str],
) -> None:
    source = written("hosts", "w1:x\n[site:children]\nnone\n[web]\nw[2:1]\nw3 y\n")
    with pytest.raises(InputError) as raised:
        load([source])
    assert [problem.line for problem in raised.value.problems] == [1, 3, 5, 6]


def test_lines_under_a_broken_section_are_not_reported_one_by_one(
    written: Callable[[str, str], str],
) -> None:
    source = written("hosts", "[web:var]\na = b c\nd\n[db]\nd1\n")
    with pytest.raises(InputError) as raised:
        load([source])
    assert [problem.line for problem in raised.value.problems] == [1]


def test_a_comment_may_be_in_another_encoding_but_nothing_else(
    written: Callable[[str, str | bytes], str],
) -> None:
    assert load([written("fine", b"# caf\xe9\nw1\n")]).hosts == ("w1",)
    with pytest.raises(InputError, match=r"^broken:2:1: is not UTF-8 text"):
        load([written("broken", b"w1\ncaf\xe9\n")])


@pytest.mark.slow
@given(st.text(alphabet="[]:ab1=\"'\\# \n\té{}", max_size=60))
def test_any_text_gives_hosts_or_problems_with_their_lines(text: str) -> None:
    problems = ini.parse(Text("hosts", text), Draft())
    assert all(problem.line and problem.message for problem in problems)
