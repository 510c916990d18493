from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.inventory import yaml
from engine.inventory.text import Text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "a: 1\nb: 2\na: 3",
            'x:3:1: duplicate key "a" — it is first on line 1\n    a: 3\n    ^',
        ),
        (
            "web:\n\tw1:",
            "x:2:1: a tab in the indentation — YAML takes spaces only\n    \tw1:\n    ^",
        ),
        (
            "p: !vault |\n  $ANSIBLE",
            "x:1:4: is no encrypted text: it must begin with $ANSIBLE_VAULT;1.1;AES256 or 1.2\n"
            "    p: !vault |\n       ^",
        ),
        (
            "p: !!python/object:os.system x",
            'x:1:4: tag "!!python/object:os.system" is not supported\n'
            "    p: !!python/object:os.system x\n       ^",
        ),
        ("p: !!set {a}", 'x:1:4: tag "!!set" is not supported\n    p: !!set {a}\n       ^'),
        (
            "d: 2024-13-45",
            'x:1:4: "2024-13-45" is not a valid timestamp\n    d: 2024-13-45\n       ^',
        ),
        ("d: !!int x", 'x:1:4: "x" is not a valid int\n    d: !!int x\n       ^'),
        ("a: *b", 'x:1:4: alias "*b" has no anchor before it\n    a: *b\n       ^'),
        ("a: &a [*a]", 'x:1:8: alias "*a" has no anchor before it\n    a: &a [*a]\n           ^'),
        ("? [a]\n: 1", "x:1:3: a mapping's key must be a scalar\n    ? [a]\n      ^"),
        ("<<: 5", 'x:1:1: "<<" takes a mapping or a list of mappings\n    <<: 5\n    ^'),
        (
            "a: b: c",
            "x:1:5: mapping values are not allowed in this context\n    a: b: c\n        ^",
        ),
        (
            "a: 1\n---\nb: 2",
            "x:2:1: a second document: an inventory file holds one\n    ---\n    ^",
        ),
        ("a: 1\nb: \x01", "x:2:1: character #x0001 is not allowed in YAML\n    b: \x01\n    ^"),
        ("a: \udce9", "x:1:1: is not UTF-8 text"),
        ('{"a": 1, "a": 2}', 'x:1:10: duplicate key "a" — it is first on line 1'),
    ],
)
def test_what_cannot_be_read_is_shown_where_it_is(text: str, error: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(error)}"):
        yaml.parse(Text("x", text))


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as raised:
        yaml.parse(Text("x", "a: !vault x\nb: {c: 1, c: 2}\nd: *none\n"))
    assert [problem.line for problem in raised.value.problems] == [1, 2, 3]


@pytest.mark.parametrize("text", ["[" * 3000, "- " * 100_000, '{"a":' * 3000 + "1" + "}" * 3000])
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(InputError, match="nested deeper than 64"):
        yaml.parse(Text("x", text))


def test_aliases_are_bounded_by_what_they_stand_for() -> None:
    lines = ["l0: &l0 [" + "x, " * 9 + "x]"]
    lines += [f"l{n}: &l{n} [" + f"*l{n - 1}, " * 9 + f"*l{n - 1}]" for n in range(1, 10)]
    with pytest.raises(InputError, match=r"^x:7:10: more than 2000000 values, aliases expanded"):
        yaml.parse(Text("x", "\n".join(lines)))


def test_a_key_that_is_merged_in_may_be_given_again() -> None:
    assert yaml.parse(Text("x", "a: &a {k: 1, l: 1}\nb: {<<: *a, k: 2}")) == {
        "a": {"k": 1, "l": 1},
        "b": {"k": 2, "l": 1},
    }


def outcome(text: str) -> object:
    try:
        return yaml.parse(Text("x", text))
    except InputError as error:
        return str(error)


@pytest.mark.slow
@given(st.text(alphabet="ab1:-[]{}&*!|>'\"#\n\t ?,<~.", max_size=40))
@example("!!bool maybe")
@example("!!timestamp x")
@example("!!int ''")
@example("1" * 5000)
@example('"\\ud83d"')
def test_any_text_is_a_value_or_problems_with_their_lines(text: str) -> None:
    assert isinstance(outcome(text), dict | list | str | int | float | None)
