"""Keys of JSON and YAML files."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import ModuleFailed
from engine.contract.edits import JSON, YAML, Syntax, remove_key, set_key

COMPOSE = """\
# the system
server:
  port: 8080   # the port
  name: "x"
  empty:
  tags: [a, b]
  opts: {a: 1}
list:
  - name: one
    image: a:1
  - name: two
    image: b:1  # two's
text: |
  # not a comment
  hello
last:
  deep:
    x: 1 # foot
# tail
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("server.port", 9090, "port: 8080", "port: 9090"),
        ("server.name", "yes", '"x"', "'yes'"),
        ("server.empty", 5, "empty:", "empty: 5"),
        ("server.empty.a.b", [1], "empty:", "empty:\n    a:\n      b:\n      - 1"),
        ("server.tags", "none", "[a, b]", "none"),
        ("server.tags.0", "z", "[a, b]", "[z, b]"),
        ("server.opts.b", {"c": [1]}, "{a: 1}", "{a: 1, b: {c: [1]}}"),
        ("server.more", "2", "{a: 1}\n", "{a: 1}\n  more: '2'\n"),
        ("list.0.image", "c:2", "a:1", "c:2"),
        ("list.1.ports", [1], "# two's\n", "# two's\n    ports:\n    - 1\n"),
        ("list.0", "s", "name: one\n    image: a:1", "s"),
        ("text", "one\ntwo\n", "|\n  # not a comment\n  hello", '"one\\ntwo\\n"'),
        ("last.deep.y", True, "# foot\n", "# foot\n    y: true\n"),
        ("last", {"z": "k\nl\n"}, "  deep:\n    x: 1 #", "  z: |\n    k\n    l #"),
        ("new.a", 1.5, "# foot\n", "# foot\nnew:\n  a: 1.5\n"),
        ("server.name", "x", "", ""),
    ],
)
def test_a_key_of_a_yaml_file(path: str, value: Any, old: str, new: str) -> None:
    if path == "last":
        with pytest.raises(ModuleFailed, match="without changing more"):
            set_key(COMPOSE, path.split("."), value, YAML)
        return
    found = set_key(COMPOSE, path.split("."), value, YAML)
    assert found == COMPOSE.replace(old, new, 1)
    assert set_key(found, path.split("."), value, YAML) == found


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("server.port", "  port: 8080   # the port\n", ""),
        ("list.0.name", "- name: one\n    image: a:1", "- image: a:1"),
        ("last.deep.x", "deep:\n    x: 1", "deep: {}"),
        ("text", "text: |\n  # not a comment\n  hello\n", ""),
        ("server.opts.a", "{a: 1}", "{}"),
        ("nothing.here", "", ""),
    ],
)
def test_a_key_of_a_yaml_file_goes(path: str, old: str, new: str) -> None:
    assert remove_key(COMPOSE, path.split("."), YAML) == COMPOSE.replace(old, new, 1)


def test_a_place_in_a_list_is_not_removed_by_its_number() -> None:
    with pytest.raises(ModuleFailed, match=r"list\.1: what follows it in the list would take"):
        remove_key(COMPOSE, ["list", 1], YAML)


PACKAGE = """\
{
\t"a": 1.0,
\t"b": {"c": [1, 2], "d": "\\u00e9"},
\t"e": {
\t\t"f": null
\t},
\t"z": {}
}
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("a", 2, "1.0", "2"),
        ("b.c", {"x": "é"}, "[1, 2]", '{"x": "é"}'),
        ("b.n", None, '"\\u00e9"', '"\\u00e9", "n": null'),
        ("b.c.1", 9, "2]", "9]"),
        ("e.f.g", [1], "null", '{\n\t\t\t"g": [\n\t\t\t\t1\n\t\t\t]\n\t\t}'),
        ("e.i", {"k": 1}, "null", 'null,\n\t\t"i": {\n\t\t\t"k": 1\n\t\t}'),
        ("z.y", 1, "{}", '{"y": 1}'),
        ("new", "x", "{}", '{},\n\t"new": "x"'),
    ],
)
def test_a_key_of_a_json_file(path: str, value: Any, old: str, new: str) -> None:
    found = set_key(PACKAGE, path.split("."), value, JSON)
    assert found == PACKAGE.replace(old, new, 1)
    assert set_key(found, path.split("."), value, JSON) == found


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("a", '"a": 1.0,\n\t', ""),
        ("b.d", ', "d": "\\u00e9"', ""),
        ("e.f", '{\n\t\t"f": null\n\t}', "{}"),
        ("z", ',\n\t"z": {}', ""),
    ],
)
def test_a_key_of_a_json_file_goes(path: str, old: str, new: str) -> None:
    assert remove_key(PACKAGE, path.split("."), JSON) == PACKAGE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a:\n  b: 1\n"),
        ("# note", "# note\na:\n  b: 1\n"),
        ("---\n", "---\na:\n  b: 1\n"),
        ("c: 1", "c: 1\na:\n  b: 1\n"),
        ("{}\n", "{a: {b: 1}}\n"),
        ("a: {c: 1,\n    d: 2}\n", "a: {c: 1,\n    d: 2, b: 1}\n"),
        ("x: &x 1\ny: *x\n", "x: &x 1\ny: *x\na:\n  b: 1\n"),
        ("a: !vault |\n  abc\nb: !Ref x\n", None),
        ("on: 1\na: {}\n", "on: 1\na: {b: 1}\n"),
        ("é: ü\na:\n  c: ñ\n", "é: ü\na:\n  c: ñ\n  b: 1\n"),
    ],
)
def test_how_a_new_key_is_written(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ModuleFailed, match=r"a\.b: a is a scalar without 'b'"):
            set_key(text, ["a", "b"], 1, YAML)
    else:
        assert set_key(text, ["a", "b"], 1, YAML) == expected
    assert json.loads(set_key("", ["a", "b"], 1, JSON)) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "path", "why"),
    [
        ("x: &x 1\ny: *x\n", "x", "an alias"),
        ("x: &x {a: 1}\ny: *x\n", "y.a", "an alias"),
        ("a: 1\n---\nb: 2\n", "a", "it holds 2 documents"),
        ("a: [1\n", "a", "it cannot be read as YAML: line 2"),
        ("a: 'se\x07cret'\n", "a", "characters in it that YAML does not have"),
        ("- 1\n", "a", "the whole is a sequence without 'a'"),
        ("a: [1]\n", "a.1", "a is a sequence without '1'"),
        ("a: &a [*a]\n", "a", "more than 50000 parts"),
    ],
)
def test_a_yaml_file_that_cannot_be_edited_is_said(text: str, path: str, why: str) -> None:
    with pytest.raises(ModuleFailed, match=why):
        set_key(text, path.split("."), 5, YAML)


def test_a_file_that_grows_by_its_aliases_costs_nothing() -> None:
    bomb = "a0: &a0 [x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    with pytest.raises(ModuleFailed, match="more than 50000 parts"):
        set_key(bomb, ["b"], 1, YAML)


@pytest.mark.parametrize("syntax", [JSON, YAML])
def test_a_file_that_is_too_deep_is_said(syntax: Any) -> None:
    with pytest.raises(ModuleFailed, match="cannot be read"):
        set_key("[" * 5000, ["b"], 1, syntax)


@pytest.mark.parametrize("text", ["{", '{"a": 1} 2', '{"a" 1}', "[1,]", "{a: 1}", '{"a": 1,}'])
def test_a_json_file_that_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(ModuleFailed, match="cannot be read as JSON"):
        set_key(text, ["a"], 1, JSON)


_SCALARS = st.none() | st.booleans() | st.integers() | st.text("ab1: #-{['\"\n\té", max_size=6)
_NAMES = st.sampled_from(["a", "b", "c d", "1", "yes", "#x", "é"])
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
_FILES = st.dictionaries(_NAMES, _TREES, max_size=4)
_PATHS = st.lists(_NAMES, min_size=1, max_size=3)


class Blocked(Exception):
    """A scalar stands where a mapping must be, or a sequence has no such place."""


def _plain(tree: Any, path: list[str], value: Any) -> Any:
    """The same by hand."""
    if not path:
        return value
    step, *rest = path
    if isinstance(tree, list):
        if not step.isdecimal() or int(step) >= len(tree):
            raise Blocked
        return [*tree[: int(step)], _plain(tree[int(step)], rest, value), *tree[int(step) + 1 :]]
    if not isinstance(tree, dict | None):
        raise Blocked
    return {**(tree or {}), step: _plain((tree or {}).get(step), rest, value)}


def _check(text: str, tree: Any, path: list[str], value: Any, syntax: Syntax, load: Any) -> None:
    try:
        expected = _plain(tree, path, value)
    except Blocked:
        with pytest.raises(ModuleFailed, match=r" is a (scalar|sequence) without "):
            set_key(text, path, value, syntax)
        return
    found = set_key(text, path, value, syntax)
    assert load(found) == expected
    assert set_key(found, path, value, syntax) == found
    if isinstance(_at(expected, path[:-1]), list):
        return
    removed = remove_key(found, path, syntax)
    assert remove_key(removed, path, syntax) == removed
    assert load(set_key(removed, path, value, syntax)) == expected


def _at(tree: Any, path: list[str]) -> Any:
    for step in path:
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


@pytest.mark.parametrize("text", ["\n", "a\n\n", "a\n\u2028"])
def test_text_that_ends_with_an_empty_line_can_be_set_last(text: str) -> None:
    value = [text]
    found = set_key("a: null\n", ["b"], value, YAML)
    assert yaml.safe_load(found) == {"a": None, "b": value}
    assert set_key(remove_key(found, ["b"], YAML), ["b"], value, YAML) == found


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(tree=_FILES, path=_PATHS, value=_TREES, flow=st.sampled_from([True, False, None]))
def test_any_yaml_file_means_the_same_but_for_the_key(
    tree: dict[str, Any], path: list[str], value: Any, flow: bool | None
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    _check(text, tree, path, value, YAML, yaml.safe_load)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(tree=_FILES, path=_PATHS, value=_TREES, indent=st.sampled_from([None, 2, 4, "\t"]))
def test_any_json_file_means_the_same_but_for_the_key(
    tree: dict[str, Any], path: list[str], value: Any, indent: int | str | None
) -> None:
    _check(json.dumps(tree, indent=indent), tree, path, value, JSON, json.loads)
