"""Inputs that come from an alert: where from, typed like `-e`, and hostile ones refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.language import fill, head
from tests.language.playbooks import loaded, problems

if TYPE_CHECKING:
    from pathlib import Path

    from engine.language.model import Playbook

BOOK = """
name: a
hosts: all
inputs:
  database: {from: labels.datname, max_length: 2000}
  port: {type: integer, from: 'labels["the port"]', default: 5432, maximum: 65535}
  level: {from: labels.severity, enum: [page, critical, "-v"], default: page}
  names: {type: array, from: annotations.names, default: []}
  began: {from: startsAt, default: ""}
  plain: {default: x}
investigate: [{look: {url: "http://x"}}]
"""
ALERT: dict[str, Any] = {
    "title": "T",
    "labels": {"datname": "app", "the port": "6432", "severity": "critical"},
    "annotations": {"names": "[a, b]"},
    "startsAt": "2026-11-23T13:37:00Z",
}


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    return loaded(tmp_path, BOOK)


def with_label(name: str, text: str) -> dict[str, Any]:
    return {**ALERT, "labels": {**ALERT["labels"], name: text}}


def refusals(playbook: Playbook, alert: dict[str, Any] | None) -> list[str]:
    with pytest.raises(InputError) as caught:
        fill(playbook, {}, alert=alert)
    return [str(p).split("\n    ", 1)[0].replace(playbook.path, "F") for p in caught.value.problems]


def test_they_take_the_inputs_types(playbook: Playbook) -> None:
    assert fill(playbook, {}, alert=ALERT) == {
        "database": "app",
        "port": 6432,
        "level": "critical",
        "names": ["a", "b"],
        "began": "2026-11-23T13:37:00Z",
        "plain": "x",
    }


def test_what_is_given_goes_first(playbook: Playbook) -> None:
    filled = fill(playbook, {"database": "-own", "port": "1"}, alert=ALERT)
    assert (filled["database"], filled["port"]) == ("-own", 1)


def test_what_the_alert_does_not_have_is_the_default(playbook: Playbook) -> None:
    bare = {"labels": {"datname": "app", "severity": ""}, "annotations": {}, "startsAt": None}
    filled = fill(playbook, {}, alert=bare)
    assert (filled["port"], filled["level"], filled["began"]) == (5432, "page", "")


def test_without_a_default_it_is_missing(playbook: Playbook) -> None:
    near = {"labels": {"datnam": "app"}}
    assert refusals(playbook, near) == [
        'F:4:3: input "database" is missing: the alert has no label "datname"'
        ' — did you mean "datnam"? Else give it with -e database=…'
    ]
    assert refusals(playbook, {"labels": {}}) == [
        'F:4:3: input "database" is missing: the alert has no label "datname"'
        " — give it with -e database=…"
    ]
    assert refusals(playbook, None) == [
        'F:4:3: input "database" is missing — give it with -e database=…, or the alert with --alert'
    ]


@pytest.mark.parametrize(
    ("label", "text", "problem"),
    [
        ("the port", "99999", "port must be at most 65535, not 99999"),
        ("the port", "80; rm", 'port must be a whole number, not "80; rm"'),
        ("severity", "info", 'level must be page, critical or -v, not "info"'),
    ],
)
def test_a_value_of_the_wrong_kind(playbook: Playbook, label: str, text: str, problem: str) -> None:
    line = {"the port": 5, "severity": 6}[label]
    assert refusals(playbook, with_label(label, text)) == [
        f'F:{line}:3: the alert\'s label "{label}": {problem}'
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-oProxyCommand=x", 'begins with "-": a program would take it for an option'),
        ("a\nb", "has a control or invisible character (U+000A)"),
        ("a\x00b", "has a control or invisible character (U+0000)"),
        ("\u202eppa", "has a control or invisible character (U+202E)"),
        ("\x1b[31m", "has a control or invisible character (U+001B)"),
    ],
)
def test_text_that_would_be_more_than_text(playbook: Playbook, text: str, why: str) -> None:
    [refusal] = refusals(playbook, with_label("datname", text))
    assert refusal == f'F:4:3: the alert\'s label "datname" {why} — or give it: -e database=…'


def test_a_list_is_looked_into(playbook: Playbook) -> None:
    for text in ('["a", "-x"]', '[{"-k": 1}]', '[["a\\nb"]]'):
        [refusal] = refusals(playbook, {**ALERT, "annotations": {"names": text}})
        assert refusal.startswith('F:7:3: the alert\'s annotation "names" ')


def test_long_text_is_refused_unless_its_input_allows_it(tmp_path: Path) -> None:
    playbook = loaded(tmp_path, BOOK)
    fill(playbook, {}, alert=with_label("datname", "x" * 2000))
    playbook = loaded(tmp_path, BOOK.replace(", max_length: 2000", ""))
    fill(playbook, {}, alert=with_label("datname", "x" * 1000))
    [refusal] = refusals(playbook, with_label("datname", "x" * 65_536))
    assert 'label "datname" has 65536 characters, more than 1000' in refusal


def test_what_is_listed_may_be_anything(playbook: Playbook) -> None:
    assert fill(playbook, {}, alert=with_label("severity", "-v"))["level"] == "-v"


@pytest.mark.parametrize("text", ["$(x)", "; reboot", "{{ 7*7 }}", "'", "`id`", "%PATH%"])
def test_other_text_stays_as_it_is(playbook: Playbook, text: str) -> None:
    assert fill(playbook, {}, alert=with_label("datname", text))["database"] == text


@pytest.mark.parametrize(
    ("script", "column", "said"),
    [
        ("{{ alert.labels.x }}", 30, '"alert"'),
        ("x {{ database }}", 32, '"database"'),
        ("{{ longer }}", 30, '"longer" uses "database", which'),
    ],
)
def test_nothing_of_it_becomes_a_program(
    tmp_path: Path, script: str, column: int, said: str
) -> None:
    book = BOOK.replace("hosts: all", 'hosts: all\nvars: {longer: "x-{{ database }}"}')
    book += f"mitigate: [run: {{script: '{script}', args: ['{{{{ database }}}}']}}]\n"
    assert problems(tmp_path, book) == [
        f"12:{column}: {said} is what an alert says, and this text is run as a program"
        " — give it as one of args, env or params: there it stays a value"
    ]


def test_numbers_and_listed_words_may_be_in_a_program(tmp_path: Path) -> None:
    run = "mitigate: [{run: 'x {{ port }} {{ level }} {{ plain }}'}]\n"
    assert loaded(tmp_path, BOOK + run).tasks("mitigate")


def test_an_included_file_has_no_alert(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text(
        "inputs:\n  a: {from: labels.a, default: x}\ntasks: [{look: {url: 'http://x'}}]\n"
    )
    found = problems(tmp_path, "name: a\nhosts: all\ninvestigate: [{include: more.yml}]\n")
    assert [problem.partition(": ")[2] for problem in found] == [
        '"from" goes with the inputs of a playbook — what includes this file gives its inputs'
    ]


def test_the_head_of_a_playbook_needs_no_modules(tmp_path: Path) -> None:
    path = tmp_path / "book.yml"
    path.write_text(BOOK.replace("look:", "nothing:") + "triggers: [{match: [a=b, 'c=d, e=f']}]\n")
    found = head(path)
    assert [[str(m) for m in trigger] for trigger in found.triggers] == [
        ['a="b"', 'c="d"', 'e="f"']
    ]
    assert fill(found, {}, alert=ALERT)["database"] == "app"
