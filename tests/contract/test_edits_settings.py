"""Lines, INI files, and files of variables."""

from __future__ import annotations

import pytest

from engine.contract import ModuleFailed
from engine.contract.edits import (
    difference,
    remove_lines,
    remove_option,
    remove_variable,
    set_line,
    set_option,
    set_variable,
)


@pytest.mark.parametrize(
    ("text", "regexp", "places", "expected"),
    [
        ("a=1\nb=2\na=3\n", "^a=", {}, "a=1\nb=2\na=9\n"),
        ("b=2\n", "^a=", {}, "b=2\na=9\n"),
        ("b=2\n", None, {}, "b=2\na=9\n"),
        ("", None, {}, "a=9\n"),
        ("b=2", None, {}, "b=2\na=9\n"),
        ("a=1", "^a=", {}, "a=9"),
        ("a=9\nb=2\n", "^c", {}, "a=9\nb=2\n"),
        ("b\nc\nb\nd\n", None, {"after": "^b"}, "b\nc\nb\na=9\nd\n"),
        ("b\nc\nb\nd\n", None, {"before": "^b"}, "b\nc\na=9\nb\nd\n"),
        ("b\n", None, {"before": "BOF"}, "a=9\nb\n"),
        ("b\n", None, {"after": "^z"}, "b\na=9\n"),
        ("b\n", None, {"before": "^z"}, "b\na=9\n"),
    ],
)
def test_a_line(text: str, regexp: str | None, places: dict[str, str], expected: str) -> None:
    found = set_line(text, "a=9", regexp, **places)
    assert found == expected
    assert set_line(found, "a=9", regexp, **places) == expected


def test_a_pattern_that_would_replace_one_line_after_the_other_is_refused() -> None:
    with pytest.raises(ModuleFailed, match="regexp matches line 1 as well"):
        set_line("a=1\na=2\n", "b=9", "^a=")


def test_lines_go() -> None:
    assert remove_lines("a\nb\na\n", "a", None) == "b\n"
    assert remove_lines("ab\nb\nac\n", None, "^a") == "b\n"
    assert remove_lines("a\n", "a", None) == ""
    assert remove_lines("b", "a", None) == "b"


PHP = """\
[PHP]
;memory_limit = 64M
memory_limit = 128M
date.timezone =
disable_functions=

[opcache]
opcache.enable=1
"""


@pytest.mark.parametrize(
    ("section", "key", "value", "old", "new"),
    [
        ("PHP", "memory_limit", "256M", "memory_limit = 128M", "memory_limit = 256M"),
        ("PHP", "date.timezone", "UTC", "date.timezone =\n", "date.timezone =UTC\n"),
        ("PHP", "disable_functions", "exec", "disable_functions=", "disable_functions=exec"),
        ("PHP", "new", "1", "functions=\n", "functions=\nnew=1\n"),
        ("opcache", "opcache.size", "2", "enable=1\n", "enable=1\nopcache.size=2\n"),
        ("curl", "ca", "/x", "enable=1\n", "enable=1\n\n[curl]\nca=/x\n"),
        (None, "top", "1", "[PHP]", "top=1\n[PHP]"),
    ],
)
def test_an_option(section: str | None, key: str, value: str, old: str, new: str) -> None:
    found = set_option(PHP, section, key, value)
    assert found == PHP.replace(old, new, 1)
    assert set_option(found, section, key, value) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "[a]\nk = v\n"),
        ("[a]", "[a]\nk = v\n"),
        ("[a]\nk: 1\n", "[a]\nk: v\n"),
        ("[a]\nk = 1 # why\n", "[a]\nk = v # why\n"),
        ("[a]\nk = 1#no\n", "[a]\nk = v\n"),
        ("[a]\n  b = 1\n", "[a]\n  b = 1\n  k = v\n"),
        ("[a]\nb = 1\n[c]\n[a]\nk = 1\n", "[a]\nb = 1\n[c]\n[a]\nk = v\n"),
        ("[ab]\nk = 1\n", "[ab]\nk = 1\n\n[a]\nk = v\n"),
    ],
)
def test_how_an_option_is_written(text: str, expected: str) -> None:
    assert set_option(text, "a", "k", "v") == expected


def test_an_option_that_is_not_plain_is_refused() -> None:
    with pytest.raises(ModuleFailed, match=r"\[a\] k is in lines 2, 3: which one"):
        set_option("[a]\nk=1\nk=2\n", "a", "k", "v")
    for text in ("[a]\nk = 1\n    2\n", "[a]\nk = 1\\\n"):
        with pytest.raises(ModuleFailed, match="goes over several lines"):
            set_option(text, "a", "k", "v")


def test_an_option_goes() -> None:
    assert remove_option(PHP, "PHP", "memory_limit") == PHP.replace("memory_limit = 128M\n", "")
    assert remove_option(PHP, "opcache", "memory_limit") == PHP


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("", "x", "A=x\n"),
        ("B=1", "x", "B=1\nA=x\n"),
        ("A=1\nB=2\n", "x", "A=x\nB=2\n"),
        ("export A=1\n", "x", "export A=x\n"),
        ('A="1" # why\n', "x", 'A="x" # why\n'),
        ("A='1'\n", "x y", "A='x y'\n"),
        ("A=1 # why\n", "x y", "A='x y' # why\n"),
        ("A=\n", "it's", 'A="it\'s"\n'),
        ('A="1"\n', '$a"`\\', 'A="\\$a\\"\\`\\\\"\n'),
        ("A=1\nA=2\n", "x", "A=1\nA=x\n"),
        ("#A=1\n", "x", "#A=1\nA=x\n"),
        ("AA=1\n", "x", "AA=1\nA=x\n"),
        ("A=1\n", "", "A=\n"),
    ],
)
def test_a_variable(text: str, value: str, expected: str) -> None:
    found = set_variable(text, "A", value)
    assert found == expected
    assert set_variable(found, "A", value) == expected


def test_a_variable_that_is_more_than_a_value_is_refused() -> None:
    for text in ("A=$(id -u) x\n", "A='1\n2'\n", "A=a'b'\n"):
        with pytest.raises(ModuleFailed, match="line 1: A is not a plain value"):
            set_variable(text, "A", "x")


def test_a_variable_goes() -> None:
    assert remove_variable("A=1\nB=2\nexport A=3\n#A=4\n", "A") == "B=2\n#A=4\n"
    assert remove_variable("B=2", "A") == "B=2"


@pytest.mark.parametrize(
    ("old", "new", "summary"),
    [
        (b"a\nb\nc\n", b"a\nx\nc\n", "line 2: b → x"),
        (b"a\n", b"a\nb\n", "line 2: add b"),
        (b"a\nb\nc\n", b"a\nc\n", "line 2: remove b"),
        (b"a\nb\n", b"c\nd\ne\n", "from line 1 on: 2 lines → 3 lines"),
        (b"", b"a\n", "line 1: add a"),
        (b"token: abc\n", b"token: def\n", "line 1: token: *** → token: ***"),
        (b"a", b"a\n", "from line 2 on: 0 lines → 0 lines"),
    ],
)
def test_what_an_edit_changes_in_a_few_words(old: bytes, new: bytes, summary: str) -> None:
    assert difference(old, new).summary == summary


def test_what_an_edit_changes_is_shown_with_what_is_around_it_and_no_more() -> None:
    old = [str(number) for number in range(1000)]
    new = [*old[:500], "x", *old[501:]]
    found = difference("\n".join(old).encode(), "\n".join(new).encode())
    assert found.before.split("\n") == ["498", "499", "500", "501", "502"]
    assert found.after.split("\n") == ["498", "499", "x", "501", "502"]
    found = difference("\n".join(old).encode(), b"")
    assert found.before.count("\n") == 100
    assert found.before.endswith("… 900 more lines …")
