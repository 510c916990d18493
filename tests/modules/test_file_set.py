from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.modules.fakes import here
from tests.modules.sequence import Outcome, act, module

pytestmark = pytest.mark.slow  # all of it together: each starts programs

INI = """\
; the application
[server]
port = 8080
workers = 4 ; for each core

[database]
pool_size = 10
"""


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "app.ini"
    path.write_text(INI)
    return path


def set_in(path: Path, **args: Any) -> Outcome:
    return act("file_set", {"path": str(path), **args}, here())


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.quell~"))


def test_a_key_is_set_and_all_else_stays(ini: Path) -> None:
    outcome = set_in(ini, section="server", key="workers", value=8)
    assert ini.read_text() == INI.replace("workers = 4", "workers = 8")
    assert outcome.unconfirmed is None
    assert outcome.change is not None
    assert outcome.change.summary == (
        f"{ini}: line 4: workers = 4 ; for each core → workers = 8 ; for each core"
    )
    assert outcome.change.before.split("\n")[2] == "workers = 4 ; for each core"
    assert outcome.change.after.split("\n")[2] == "workers = 8 ; for each core"
    assert outcome.change.reversible


def test_nothing_is_to_be_done_a_second_time(ini: Path) -> None:
    args = {"section": "server", "key": "workers", "value": 8}
    set_in(ini, **args)
    again = set_in(ini, **args)
    assert again.change is None
    assert again.seen["exists"] is True
    assert len(backups(ini)) == 1


def test_looking_writes_nothing(ini: Path) -> None:
    subject = module("file_set", {"path": str(ini), "content": "other"})
    assert subject.decide(subject.observe(here())) is not None  # type: ignore[attr-defined]
    assert ini.read_text() == INI
    assert list(ini.parent.iterdir()) == [ini]


def test_owner_mode_and_attributes_stay(ini: Path) -> None:
    ini.chmod(0o640)
    os.chown(ini, 12345, 54321)
    set_in(ini, content="new\n")
    found = ini.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 54321, 0o640)
    assert ini.read_text() == "new\n"


def test_who_reads_the_old_file_is_not_disturbed(ini: Path) -> None:
    with ini.open() as reader:
        set_in(ini, content="new\n")
        assert reader.read() == INI


def test_the_old_file_is_kept_and_can_be_put_back(ini: Path) -> None:
    ini.chmod(0o600)
    done = set_in(ini, content="new\n").done
    kept = Path(done["backup"])
    assert (kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (INI, 0o600)
    assert set_in(ini, copy_of=done["backup"], backup=0).unconfirmed is None
    assert ini.read_text() == INI
    assert backups(ini) == [kept]


def test_only_so_many_old_files_are_kept(ini: Path) -> None:
    other = ini.with_name("app.ini.20260101T000000Z-beef.bak")
    other.write_text("mine")
    for number in range(4):
        ini.with_name(f"app.ini.2026010{number + 1}T000000Z-0000.quell~").write_text(str(number))
    done = set_in(ini, content="new\n", backup=2).done
    assert [path.read_text() for path in backups(ini)] == ["3", INI]
    assert str(backups(ini)[-1]) == done["backup"]
    assert other.exists()


def test_without_a_backup_it_cannot_be_undone(ini: Path) -> None:
    outcome = set_in(ini, content="new\n", backup=0)
    assert outcome.change is not None
    assert not outcome.change.reversible
    assert outcome.done["backup"] == ""
    assert list(ini.parent.iterdir()) == [ini]


def test_a_link_stays_and_its_file_is_changed(ini: Path) -> None:
    (ini.parent / "links").mkdir()
    first, second = ini.parent / "links" / "first", ini.parent / "second"
    first.symlink_to("../second")
    second.symlink_to(ini)
    outcome = set_in(first, line="extra = 1")
    assert first.is_symlink()
    assert second.is_symlink()
    assert ini.read_text() == f"{INI}extra = 1\n"
    assert outcome.change is not None
    assert [each.name for each in outcome.change.on] == [str(ini), str(first)]


def test_content_that_would_replace_another_than_was_shown_is_not_written(ini: Path) -> None:
    args = {"path": str(ini), "content": "new\n"}
    with pytest.raises(ModuleFailed, match="no longer what was shown; nothing was done"):
        act("file_set", args, here(), meanwhile=lambda: ini.write_text("theirs\n"))
    assert ini.read_text() == "theirs\n"


def test_a_line_that_is_another_by_now_is_left_alone(ini: Path) -> None:
    theirs = INI.replace("workers = 4", "workers = 16")
    args = {"path": str(ini), "section": "server", "key": "workers", "value": 8}
    with pytest.raises(ModuleFailed, match="no longer what was shown; nothing was done"):
        act("file_set", args, here(), meanwhile=lambda: ini.write_text(theirs))
    assert ini.read_text() == theirs


def test_what_others_change_elsewhere_in_the_file_stays(ini: Path) -> None:
    theirs = INI.replace("port = 8080", "port = 9090") + "more = 1\n"
    args = {"path": str(ini), "section": "server", "key": "workers", "value": 8}
    act("file_set", args, here(), meanwhile=lambda: ini.write_text(theirs))
    assert ini.read_text() == theirs.replace("workers = 4", "workers = 8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app.json", '{\n  "a": 1\n}\n'),
        ("app.yml", "a: 1\n"),
        ("app.ini", "a = 1\n"),
        ("app.env", "a=1\n"),
    ],
)
def test_several_changes_of_one_file_are_shown_before_the_first_is_made(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    edits: list[Any] = [
        module("file_set", {"path": str(path), "key": key, "value": value})
        for key, value in (("b", 2), ("a", 5), ("c", 3))
    ]
    shown = [edit.decide(edit.observe(here())) for edit in edits]
    for edit, change in zip(edits, shown, strict=True):
        assert edit.decide(edit.observe(here())).on == change.on
        edit.apply(here(), change)
    assert [edit.decide(edit.observe(here())) for edit in edits] == [None, None, None]


def test_what_validates_changes_the_file_itself(ini: Path) -> None:
    edit = ["sh", "-c", f'echo theirs >{ini}; test -f "$1"', "sh", "%s"]
    with pytest.raises(ModuleFailed, match="has changed since; nothing was done"):
        set_in(ini, content="new\n", validate=edit)
    assert ini.read_text() == "theirs\n"
    assert list(ini.parent.iterdir()) == [ini]


def test_content_that_is_not_valid_never_takes_the_place(ini: Path) -> None:
    check = ["sh", "-c", 'grep -q "^port" "$1" || { echo "no port in $1"; exit 7; }', "sh", "%s"]
    with pytest.raises(ModuleFailed, match=r"nothing was changed: no port in .*\nexit status 7"):
        set_in(ini, content="nothing\n", validate=check)
    assert ini.read_text() == INI
    assert list(ini.parent.iterdir()) == [ini]
    assert set_in(ini, content="port = 1\n", validate=check).unconfirmed is None


def test_what_validates_sees_the_suffix_and_no_shell(ini: Path) -> None:
    trace = ini.parent / "trace"
    assert (
        set_in(ini, content="x", validate=f"sh -c 'echo $1 >{trace}' '$(id)' %s").unconfirmed
        is None
    )
    name = Path(trace.read_text().strip()).name
    assert name.startswith(".")
    assert name.endswith(".app.ini")


def test_a_file_is_made_only_if_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "new.env"
    with pytest.raises(ModuleFailed, match="no such file; create: true makes it"):
        set_in(path, key="A", value=1)
    outcome = set_in(path, key="A", value=1, create=True, mode="0600")
    assert path.read_text() == "A=1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert outcome.change is not None
    assert outcome.change.summary == f"{path}: make it, mode 0600"
    assert not outcome.change.reversible


def test_a_file_that_was_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.env"
    args = {"path": str(path), "content": "A=1\n", "create": True}
    with pytest.raises(ModuleFailed, match="no longer what was shown; nothing was done"):
        act("file_set", args, here(), meanwhile=lambda: path.write_text("B=1\n"))
    assert path.read_text() == "B=1\n"


def test_any_content_can_be_replaced_but_only_text_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\x00\xff\n")
    with pytest.raises(ModuleFailed, match="not UTF-8 text: byte 1"):
        set_in(path, line="x")
    path.write_bytes(b"a\x00\n")
    with pytest.raises(ModuleFailed, match="NUL bytes"):
        set_in(path, line="x")
    path.write_bytes(b"\x00\xff\n")
    outcome = set_in(path, content="text\n")
    assert path.read_bytes() == b"text\n"
    assert outcome.change is not None
    assert (outcome.change.before, outcome.change.after) == ("3 bytes", "5 bytes")
    assert set_in(path, copy_of=outcome.done["backup"]).unconfirmed is None
    assert path.read_bytes() == b"\x00\xff\n"


def test_an_empty_content_is_a_content(ini: Path) -> None:
    assert set_in(ini, content="").unconfirmed is None
    assert ini.read_bytes() == b""


def test_line_ends_and_byte_order_mark_stay(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.write_bytes(b"\xef\xbb\xbf[a]\r\nb = 1\r\n")
    set_in(path, section="a", key="c", value="2")
    assert path.read_bytes() == b"\xef\xbb\xbf[a]\r\nb = 1\r\nc = 2\r\n"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ModuleFailed, match="larger than 1048576 bytes"):
        set_in(path, line="x")
    path.write_bytes(b"x\n" * 2**19)
    with pytest.raises(ModuleFailed, match="would be larger than 1048576 bytes"):
        set_in(path, line="y")
    assert set_in(path, content="y\n" * 2**19, backup=0).unconfirmed is None


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (".", "it is a directory"),
        ("none/file", "there is no directory"),
        ("pipe", "no regular file"),
    ],
)
def test_what_is_no_file_is_said(tmp_path: Path, place: str, why: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModuleFailed, match=why):
        set_in(tmp_path / place, line="x", create=True)


def test_links_in_a_circle_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ModuleFailed, match="too many links"):
        set_in(tmp_path / "a", line="x")


def test_nasty_names_are_names(tmp_path: Path) -> None:
    for name in ("-rf", "a b", "$(touch trace)", "it's", 'quo"te', "*", "é"):
        path = tmp_path / name
        path.write_text("old\n")
        assert set_in(path, content="new\n", backup=1).unconfirmed is None
        assert path.read_text() == "new\n"
    assert len(list(tmp_path.iterdir())) == 14


def test_what_looks_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("DB_PASSWORD=first\nLEVEL=info\n")
    outcome = set_in(path, key="DB_PASSWORD", value="second")
    assert path.read_text() == "DB_PASSWORD=second\nLEVEL=info\n"
    told = msgspec.json.encode(outcome.change).decode() + str(outcome.done)
    assert "first" not in told
    assert "second" not in told
    assert "LEVEL=info" in told


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({}, "give one of"),
        ({"line": "a", "content": "b"}, "give one of"),
        ({"regexp": "a"}, "say with line"),
        ({"regexp": "(", "line": "a"}, "RE2"),
        ({"line": "a\nb"}, r"\^\[\^"),
        ({"line": "a", "insertafter": "a", "insertbefore": "b"}, "not both"),
        ({"content": "a", "insertafter": "a"}, "goes with line"),
        ({"content": "a", "state": "absent"}, "a file is not removed"),
        ({"content": "a", "value": 1}, "go with key"),
        ({"key": "a", "format": "ini"}, "give it a value"),
        ({"key": "a", "format": "ini", "value": 1, "state": "absent"}, "give it a value"),
        ({"key": "a", "value": 1}, "say with format"),
        ({"key": "a", "value": 1, "format": "json", "section": "x"}, "json files have none"),
        ({"key": "a..b", "value": 1, "format": "json"}, "empty name"),
        ({"key": ["a"], "value": 1, "format": "env"}, "plain names"),
        ({"key": "a", "value": [1], "format": "env"}, "lines of text"),
        ({"key": "a", "value": "1\n2", "format": "ini"}, "lines of text"),
        ({"content": "a", "validate": ["true"]}, "%s must say"),
        ({"content": "a", "mode": "rw"}, "0-7"),
        ({"content": "a", "path": "relative"}, "A-Za-z"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(args: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        module("file_set", {"path": "/etc/app", **args})
