from __future__ import annotations

import pytest

from engine.language.expressions import Unreadable
from engine.language.matchers import Matcher, read_matchers

LABELS = {"alertname": "DiskFull", "severity": "critical", "note": 'a "b", c', "path": r"C:\x"}


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('alertname="DiskFull"', [("alertname", "=", "DiskFull")]),
        ("alertname=DiskFull", [("alertname", "=", "DiskFull")]),
        (" a = b ", [("a", "=", "b")]),
        ("a=", [("a", "=", "")]),
        ('a!=""', [("a", "!=", "")]),
        ("a=~b|c", [("a", "=~", "b|c")]),
        ('a!~"b, c"', [("a", "!~", "b, c")]),
        ("a=b=c", [("a", "=", "b=c")]),
        ("a=two words, b=c", [("a", "=", "two words"), ("b", "=", "c")]),
        ('{a="b", c!="d",}', [("a", "=", "b"), ("c", "!=", "d")]),
        (r'a="say \"hi\", \\ and \n"', [("a", "=", 'say "hi", \\ and \n')]),
        (r'a=~"x\.y\d+"', [("a", "=~", r"x\.y\d+")]),
        ('"with space"="x"', [("with space", "=", "x")]),
        ("naïve=x", [("naïve", "=", "x")]),
        ("a:b_1=x", [("a:b_1", "=", "x")]),
        ('a="}"', [("a", "=", "}")]),
    ],
)
def test_texts_are_matchers(text: str, matchers: list[tuple[str, str, str]]) -> None:
    found = read_matchers(text)
    assert [(m.name, m.operator, m.value) for m in found] == matchers


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "a matcher is missing"),
        ("{}", 0, "a matcher is missing"),
        ("=x", 0, "the name of a label is missing"),
        ("a=b,,c=d", 4, "the name of a label is missing"),
        ("severity", 8, "one of =, !=, =~ and !~ is missing"),
        ("a ~ b", 2, "one of =, !=, =~ and !~ is missing"),
        ('a="b', 2, "a quote is never closed"),
        ('a=b"c"', 3, "a quote stands inside of a value"),
        ('a="b" c="d"', 6, "a comma is missing between two matchers"),
        ("{a=b", 0, "{ is never closed"),
        ('a=~"(b"', 3, "is not a pattern that RE2 takes: missing ): (b"),
    ],
)
def test_what_is_wrong_is_found_in_the_text(text: str, offset: int, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_matchers(text)
    assert (caught.value.fault.offset, caught.value.fault.message) == (offset, message)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('alertname="DiskFull"', True),
        ('alertname="Disk"', False),
        ('alertname!="Disk"', True),
        ('alertname=~"Disk"', False),
        ('alertname=~"Disk.*"', True),
        ('alertname=~"Other|DiskFull"', True),
        ('alertname=~"Disk|Full"', False),
        ('alertname!~"Disk"', True),
        ('alertname!~"Disk.*"', False),
        ('missing=""', True),
        ('missing=~".*"', True),
        ('missing!="x"', True),
        ('missing=~".+"', False),
        (r'note="a \"b\", c"', True),
        (r'path="C:\\x"', True),
        (r'path=~"C:\\\\x"', True),
    ],
)
def test_labels_match_as_in_alertmanager(text: str, *, holds: bool) -> None:
    [matcher] = read_matchers(text)
    assert matcher.matches(LABELS) is holds


def test_a_matcher_reads_back_as_it_is_written() -> None:
    matcher = Matcher("a", "=~", 'x\\.y"z\n')
    assert read_matchers(str(matcher)) == (matcher,)


def test_a_pattern_meets_long_labels_without_delay() -> None:
    [matcher] = read_matchers('a=~"(x+)+y"')
    assert not matcher.matches({"a": "x" * 100_000})
