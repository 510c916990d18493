from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.language.source import Document, parse, read
from tests.language.playbooks import problems

if TYPE_CHECKING:
    from pathlib import Path


def wrong(text: str | bytes) -> list[str]:
    """The problems with a text: fatal or not, without the file's name and the source lines."""
    data = text if isinstance(text, bytes) else text.encode()
    try:
        found = parse("f", data).problems
    except InputError as error:
        found = error.problems
    return [str(problem).split("\n    ", 1)[0].removeprefix("f:").strip() for problem in found]


SCALARS: list[tuple[str, Any]] = [
    ("no", "no"),
    ("on", "on"),
    ("Yes", "Yes"),
    ("true", True),
    ("FALSE", False),
    ("~", None),
    ("null", None),
    ("", None),
    ("22:22", "22:22"),
    ("2024-01-01", "2024-01-01"),
    ("2024-13-45", "2024-13-45"),
    ("0o17", 15),
    ("0o8", "0o8"),
    ("017", 17),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("+12", 12),
    ("-7", -7),
    ("1e3", 1000.0),
    (".5", 0.5),
    ("1.", 1.0),
    (".inf", float("inf")),
    ("-.INF", float("-inf")),
    ("1.2.3", "1.2.3"),
    ("-", None),
    ("=", "="),
    ("'1'", "1"),
    ('"true"', "true"),
    ('"\\u202e"', "\u202e"),
]

SYNTAX = [
    ("a:\n\tb: 1", "2:1: a tab indents this line — YAML is indented with spaces only"),
    ("a: >-\n\tx", "2:1: a tab indents this line — YAML is indented with spaces only"),
    ("a: 1\n \tb: 2", "2:2: a tab indents this line — YAML is indented with spaces only"),
    ("a: b: c", '1:5: unexpected ":" inside a value — put a text that holds ": " in quotes'),
    (
        "a: b\n  c: d",
        "2:4: a key where none can stand — "
        'check the indentation, or a missing ":" on the line above',
    ),
    ("name: x\nhosts db\nb: 1", '2:1: this line has no ":" after its key — write "key: value"'),
    ('a: "x', "1:4: this quote is never closed"),
    ("a: [1, 2", '1:4: this "[" is never closed'),
    ("a: {b: 1", '1:4: this "{" is never closed'),
    (
        "a: [1,\n b: {c: d}\n e\nf: 1",
        '3:2: expected "," or "]": the "[" of line 1 is open — '
        "put texts with special characters in quotes",
    ),
    (
        "- a\nb: 1",
        '2:1: expected "- ", as in the list that starts on line 1 — check the indentation',
    ),
    (
        "a:\n  - b\n c: 1",
        "3:2: this does not belong to the mapping that starts on line 1 — check the indentation",
    ),
    ("a: 'it's'", "1:8: text after the end of the value — put the whole value in quotes"),
    ("a: @x", '1:4: a value cannot start with "@" — put it in quotes'),
    ("a: `x", '1:4: a value cannot start with "`" — put it in quotes'),
    ("a: ]", '1:4: unexpected "]" — put it in quotes if it is text'),
    (
        'a: "\\q"',
        '1:5: unknown escape "\\q" in double quotes — single quotes take a backslash as it is',
    ),
    ("é: [}", '1:5: unexpected "}" — put it in quotes if it is text'),
    ("{a: 1}}", "1:7: the document has ended before this — one file holds one document"),
    ("--- a\n--- b", "2:1: a second document starts here — one file holds one playbook"),
    ("%FOO\n---\na", "1:5: not valid YAML: found unknown directive name"),
]

REFUSED = [
    ("a: 1\nb: 2\na: 3\n", '3:1: duplicate key "a" — it stands on line 1, column 1 already'),
    ("a: {b: 1, b: 2}", '1:11: duplicate key "b" — it stands on line 1, column 5 already'),
    ("80: x", "1:1: the key 80 is not text — put it in quotes"),
    ("null: x", "1:1: the key null is not text — put it in quotes"),
    ("? [a]\n: b", "1:3: a key must be text, not a mapping or a list"),
    ("a: &x b\n*x : c", "2:1: a key must be text, not an alias"),
    ("a: {{ x }}", '1:5: a template must stand in quotes — write "{{ … }}"'),
    ('"{{ x }}": 1', "1:1: a key cannot be a template"),
    (
        "a: !vault x",
        "1:4: is no encrypted text: it must begin with $ANSIBLE_VAULT;1.1;AES256 or 1.2",
    ),
    (
        "a: !!python/object/apply:os.system [id]",
        "1:4: the tag !!python/object/apply:os.system is not allowed — tags make no plain values",
    ),
    ("a: !!str 1", "1:4: the tag !!str is not allowed — tags make no plain values"),
    ("a: ! 1", "1:4: the tag ! is not allowed — tags make no plain values"),
    (
        "a: &x {b: 1}\nc:\n  <<: *x",
        "3:3: merge keys (<<) are not part of YAML 1.2 — an alias can stand for a whole value only",
    ),
    (
        "hosts: *all",
        "1:8: *all stands for nothing: there is no &all before it — put it in quotes if it is text",
    ),
    ("a: &x [*x]", "1:8: *x contains itself"),
    (
        f"a: {'9' * 400}",
        "1:4: a number of 400 digits is too long — put it in quotes if it is text",
    ),
    ("[" * 3000, "1:33: is nested more than 32 levels deep"),
    ("{a: " * 3000, "1:129: is nested more than 32 levels deep"),
    ("- " * 40 + "a", "1:65: is nested more than 32 levels deep"),
    (
        "a: &x " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*x" + "]" * 20,
        "2:24: is nested more than 32 levels deep",
    ),
    ("a: [" + "x," * 50_000 + "]", "1:100001: holds more than 50000 values, aliases written out"),
    ("[" + "[]," * 50_001 + "]", "1:149999: holds more than 50000 values, aliases written out"),
]

FILES = [
    (b"", "is empty"),
    (b" \n\n", "is empty"),
    (b"# nothing yet\n", "is empty: it holds comments only"),
    (b"\x7fELF\x02\x01\x00\x00", "is a binary file, not text"),
    ("a: 1".encode("utf-16"), "is UTF-16 — save it as UTF-8"),
    (b"a: 1\nb: caf\xe9\n", "2:7: is not UTF-8: byte 0xe9 — save it as UTF-8"),
    (b"a" * (1024 * 1024 + 1), "is larger than 1024 KiB"),
    (
        b"a: \x1b[2J",
        "1:4: invisible character U+001B (control character) — "
        'remove it, or write "\\u001b" in double quotes where it is meant',
    ),
]

HIDDEN = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
"""The twelve code points that change the direction of text (CVE-2021-42574)."""

INVISIBLE = [0x200B, 0x200C, 0x200D, 0x2060, 0x00AD, 0x3164, 0x0085, 0x2028, 0xE0041]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse("f", f"a: {text}\n".encode()).value["a"] if text != "-" else None
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("text", "problem"), [*SYNTAX, *REFUSED])
def test_text_that_is_refused(text: str, problem: str) -> None:
    assert wrong(text) == [problem]


@pytest.mark.parametrize(("data", "problem"), FILES)
def test_a_file_that_is_refused(data: bytes, problem: str) -> None:
    assert wrong(data) == [problem]


@pytest.mark.parametrize("code", [*HIDDEN, *INVISIBLE])
def test_characters_that_hide_something_are_refused(code: int) -> None:
    [problem] = wrong(f"name: a\nhosts: al{chr(code)}l # {chr(code)}\n")
    assert problem.startswith(f"2:10: invisible character U+{code:04X} (")


def test_the_shown_line_has_no_hidden_characters() -> None:
    with pytest.raises(InputError) as caught:
        parse("f", "hosts: a\u202eb\n".encode())
    assert str(caught.value).splitlines()[1:] == [
        "    hosts: a\N{REPLACEMENT CHARACTER}b",
        "            ^",
    ]


def test_emoji_and_other_scripts_are_text() -> None:
    text = "a: ⚠️ Ошибка 数据库 🔥\n"
    assert parse("f", text.encode()).value == {"a": "⚠️ Ошибка 数据库 🔥"}


def test_a_byte_order_mark_is_no_text() -> None:
    document = parse("f", b"\xef\xbb\xbfa: 1\n")
    assert document.value == {"a": 1}
    assert document.place(("a",)).column == 4


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    [problem] = wrong("\n".join(lines))
    assert problem.endswith("holds more than 50000 values, aliases written out")


def test_anchors_work_within_the_bounds() -> None:
    document = parse("f", b"a: &x {b: [1, 2]}\nc: *x\n")
    assert document.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert document.place(("c", "b", 1)).line == 1


def test_several_problems_of_one_text_are_told() -> None:
    assert wrong("a: !x 1\na: 2\n80: 3\nb: [") == [
        "1:4: the tag !x is not allowed — tags make no plain values",
        '2:1: duplicate key "a" — it stands on line 1, column 1 already',
        "3:1: the key 80 is not text — put it in quotes",
        "5:1: the file ends too early — close what is open",
    ]


@pytest.fixture
def document() -> Document:
    return parse(
        "f", b"name: a\ntasks:\n  - {url: 'x y', port: 80}\n  - text: |\n      one\n      two\n"
    )


def test_every_value_and_key_has_its_place(document: Document) -> None:
    value = document.place(("tasks", 0, "port"))
    key = document.key(("tasks", 0, "port"))
    assert (value.line, value.column) == (3, 24)
    assert (key.line, key.column) == (3, 18)


def test_the_place_of_what_is_absent_is_that_of_its_owner(document: Document) -> None:
    place = document.place(("tasks", 0, "nothing", "here"))
    assert (place.line, place.column) == (3, 5)


def test_a_place_inside_a_quoted_text(document: Document) -> None:
    place = document.inside(("tasks", 0, "url"), 2)
    assert (place.line, place.column) == (3, 14)


def test_a_place_inside_a_block_of_text(document: Document) -> None:
    place = document.inside(("tasks", 1, "text"), len("one\nt"))
    assert (place.line, place.column) == (6, 8)


def test_a_place_inside_folded_text_is_where_it_starts() -> None:
    place = parse("f", b"a: one\n  two\n").inside(("a",), 5)
    assert (place.line, place.column) == (1, 4)


def test_a_long_line_is_shown_cut() -> None:
    place = parse("f", f"a: {'x' * 1000}\n".encode()).place(("a",))
    assert len(place.source) == 201


def test_a_directory_is_no_playbook(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: is a directory"):
        read(tmp_path)


def test_load_tells_what_is_wrong_with_the_yaml_and_the_rest(tmp_path: Path) -> None:
    text = "name: a\nname: b\nhosts: all\ninvestigate: [{lok: {}}]\n"
    assert problems(tmp_path, text) == [
        '2:1: duplicate key "name" — it stands on line 1, column 1 already',
        '4:16: no module "lok" — did you mean "look"?',
    ]
