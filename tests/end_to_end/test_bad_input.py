"""Whatever is wrong with what was given is said at once, and nothing is contacted or recorded."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main
from tests.end_to_end.quell import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

# The first task would leave a file: the test that none of these runs has contacted a host.
GOOD = """\
name: Book
hosts: app
investigate:
  - shell: {probe: true, script: touch seen, chdir: "%s"}
"""
TYPED = "inputs:\n  n: {type: integer, maximum: 5}\n" + GOOD
_LETTERS = "abcdefghi"
BOMB = (
    "name: Book\nhosts: app\nvars:\n  a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"  {own}: &{own} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, own in itertools.pairwise(_LETTERS)
    )
    + GOOD.split("\n", 2)[2]
)

PLAYBOOKS = {
    "unknown module": (
        GOOD + "  - shel: uptime\n",
        ':5:5: no module "shel" — did you mean "shell"?',
    ),
    "misspelled keyword": (
        GOOD + "  - {shell: {probe: true, script: a}, regster: x}\n",
        ':5:39: unknown key "regster" — did you mean "register"?',
    ),
    "misspelled argument": (
        GOOD + "  - http_probe: {url: http://x, statsu: 200}\n",
        ':5:33: http_probe has no argument "statsu" — did you mean "status"?',
    ),
    "wrong type": (
        GOOD + "  - http_probe: {url: http://x, follow_redirects: 3}\n",
        ":5:51: follow_redirects must be true or false, not 3",
    ),
    "duplicate key": (
        GOOD + "hosts: db\n",
        ':5:1: duplicate key "hosts" — it stands on line 2, column 1 already',
    ),
    "unknown name": (
        GOOD + "  - {shell: {probe: true, script: 'echo {{ nmae }}'}}\n",
        ':5:44: unknown name "nmae"',
    ),
    "tab": (
        GOOD + "\t- shell: a\n",
        ":5:1: a tab indents this line — YAML is indented with spaces only",
    ),
    "empty": ("", ": is empty"),
    "alias bomb": (BOMB, ":8:30: holds more than 50000 values, aliases written out"),
    "3 000 brackets": ("[" * 3000, ":1:33: is nested more than 32 levels deep"),
    "action in investigate": (
        GOOD + "  - shell: reboot\n",
        ":5:5: investigate may hold probes and checkpoints only: shell is an action — "
        "say probe: true if it only reads",
    ),
    "half a matcher": (
        "triggers:\n  - match: ['severity']\n" + GOOD,
        ":2:22: one of =, !=, =~ and !~ is missing — "
        'such as alertname="DiskFull" or severity=~"critical|page"',
    ),
    "what an alert says as a program": (
        GOOD + "  - {shell: {probe: true, script: 'echo {{ alert.title }}'}}\n",
        ':5:44: "alert" is what an alert says, and this text is run as a program — '
        "give it as one of args, env or params: there it stays a value",
    ),
    "argument that a template makes wrong": (
        GOOD + "mitigate:\n  - port_kill: {port: '{{ 70000 }}'}\n",
        ":6:5: port_kill: port must be at most 65535, not 70000",
    ),
    "input that is missing": (
        "inputs:\n  who: {type: string}\n" + GOOD,
        ':2:3: input "who" is missing — give it with -e who=…',
    ),
    "unknown group": (
        GOOD.replace("hosts: app", "hosts: apps"),
        ':2:8: hosts: no host or group is named "apps" — did you mean "app"?',
    ),
}
"""What is wrong with a playbook → its text, and what is said after its name."""

ARGUMENTS = {
    "input of the wrong type": (
        ["-e", "n=many"],
        '{book}:2:3: -e n: n must be a whole number, not "many"',
    ),
    "input that is too large": (["-e", "n=7"], "{book}:2:3: -e n: n must be at most 5, not 7"),
    "input that there is not": (
        ["-e", "n=1", "-e", "m=1"],
        '-e m: the playbook has no input "m"',
    ),
    "input without a value": (["-e", "n"], "-e n: needs name=value — or YAML, or @file"),
    "file of inputs that is missing": (
        ["-e", "@none"],
        "none: cannot be read: no such file or directory",
    ),
    "unknown host in --limit": (
        ["-e", "n=1", "--limit", "localhots"],
        '--limit: no host or group is named "localhots" — did you mean "localhost"?',
    ),
    "one bad term in --limit": (
        ["-e", "n=1", "--limit", "localhost,web9"],
        '--limit: no host or group is named "web9"',
    ),
    "unknown tag": (["-e", "n=1", "-t", "quick"], 'no task has the tag "quick"'),
    "phase that is not there": (
        ["-e", "n=1", "--only", "mitigate"],
        "--only: the playbook has no phase mitigate — it has investigate",
    ),
    "missing inventory": (
        ["-e", "n=1", "-i", "production.ini"],
        "{here}/production.ini: no such inventory",
    ),
    "empty group": (
        ["-e", "n=1", "-i", "empty.yml"],
        '{book}:4:8: hosts: group "app" has no hosts',
    ),
    "module path that is no directory": (
        ["-e", "n=1", "-M", "/none"],
        "--module-path: /none is not a directory",
    ),
    "journal of another kind": (
        ["-e", "n=1", "--journal", "mysql://ann:secret@db/quell"],
        "--journal: no journal can be at mysql://… — give a path, sqlite:///PATH or "
        "postgresql://USER@HOST/DATABASE",
    ),
    "misspelled option": (["--chek"], "Usage: quell run [OPTIONS] PLAYBOOK"),
}
"""What is wrong with the command line → its arguments, and the first line of what is said."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the command is called in, with its user's home elsewhere."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def says(here: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The first line of what it says, with nothing done."""
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments])
    said = capsys.readouterr()
    assert ended.value.code == 1, said.err
    assert said.out == ""
    assert not (here / "seen").exists()
    assert not (here.parent / "state" / "quell" / "journal.db").exists()
    return said.err.splitlines()[0]


@pytest.mark.parametrize("wrong", PLAYBOOKS)
def test_a_playbook(wrong: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, message = PLAYBOOKS[wrong]
    book = here / "book.yml"
    book.write_text(text.replace("%s", str(here)))
    assert says(here, capsys, str(book), "-i", str(LOCAL)) == f"{book}{message}"


@pytest.mark.parametrize("wrong", ARGUMENTS)
def test_the_command_line(wrong: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = ARGUMENTS[wrong]
    book = here / "book.yml"
    book.write_text(TYPED.replace("%s", str(here)))
    (here / "empty.yml").write_text("app:\n  hosts:\ndb:\n  hosts: {localhost: }\n")
    inventory = [] if "-i" in arguments else ["-i", str(LOCAL)]
    said = says(here, capsys, str(book), *inventory, *arguments)
    assert said == message.format(book=book, here=here)


def test_a_binary_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = here / "book.yml"
    book.write_bytes(b"\x7fELF\x02\x01\x01\x00\x80\xff")
    assert says(here, capsys, str(book)) == f"{book}: is a binary file, not text"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.yml", "none.yml: cannot be read: no such file or directory"),
        (".", ": cannot be read: is a directory"),
    ],
)
def test_no_playbook(
    name: str, message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = says(here, capsys, name, "-i", str(LOCAL))
    assert said == (f"{here}/{message}" if name == "none.yml" else f"{here}{message}")


def test_all_problems_of_a_playbook_are_told_at_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "book.yml").write_text(
        GOOD + "  - shel: uptime\n  - {shell: {probe: true, script: a}, regster: x}\n"
    )
    with pytest.raises(SystemExit):
        main(["run", "book.yml", "-i", str(LOCAL)])
    said = capsys.readouterr().err
    assert 'no module "shel"' in said
    assert 'unknown key "regster"' in said
