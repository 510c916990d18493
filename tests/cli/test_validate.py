from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli.validate import command
from engine.errors import InputError

GOOD = 'name: a\nhosts: db\ninvestigate: [{http_probe: {url: "http://x/"}, register: x}]\n'
BAD = 'name: a\nhosts: db\ninvestigate: [{http_prob: {url: "http://x/"}}]\nhsots: x\n'
TRUSTED = "name: a\nhosts: db\ninvestigate: [{shell: {script: uptime, probe: true}}]\n"


def validate(*arguments: str | Path) -> Result:
    """Run it; the group turns what the command returns into the exit code, so it is kept here."""
    result = CliRunner().invoke(
        command, [str(a) for a in arguments], standalone_mode=False, catch_exceptions=False
    )
    result.exit_code = result.return_value
    return result


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_valid_playbook(tmp_path: Path) -> None:
    result = validate(write(tmp_path / "a.yml", GOOD))
    assert (result.exit_code, result.output) == (0, "1 playbook, 0 problems\n")


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yml", BAD)
    result = validate(path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f'{path}:3:16: no module "http_prob" — did you mean "http_probe"?',
        '    investigate: [{http_prob: {url: "http://x/"}}]',
        "                   ^",
        f'{path}:4:1: unknown key "hsots" — did you mean "hosts"?',
        "    hsots: x",
        "    ^",
        "1 playbook, 2 problems",
    ]


def test_a_directory_is_searched(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", GOOD)
    write(tmp_path / "b" / "c.yaml", GOOD)
    write(tmp_path / "notes.txt", "no playbook")
    write(tmp_path / "group_vars" / "all.yml", "x: 1")
    write(tmp_path / ".ci" / "build.yml", "x: 1")
    assert validate(tmp_path).output == "2 playbooks, 0 problems\n"


def test_a_file_that_is_named_twice_is_checked_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yml", GOOD)
    assert validate(path, path, tmp_path).output == "1 playbook, 0 problems\n"


def test_paths_without_playbooks_are_problems(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = validate(tmp_path / "empty", tmp_path / "nowhere.yml")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{tmp_path}/empty: holds no playbook (*.yml, *.yaml)",
        f"{tmp_path}/nowhere.yml: does not exist",
        "0 playbooks, 2 problems",
    ]


def test_a_notice_is_no_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yml", TRUSTED)
    result = validate(path)
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == (
        f"notice: {path}:3:15: this shell is trusted to only read (probe: true)"
    )


def test_json_for_machines(tmp_path: Path) -> None:
    bad, trusted = write(tmp_path / "a.yml", BAD), write(tmp_path / "b.yml", TRUSTED)
    result = validate(tmp_path, "--format", "json")
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert told["playbooks"] == 2
    assert told["problems"][0] == {
        "path": str(bad),
        "line": 3,
        "column": 16,
        "message": 'no module "http_prob"',
        "hint": 'did you mean "http_probe"?',
        "source": 'investigate: [{http_prob: {url: "http://x/"}}]',
    }
    assert [notice["path"] for notice in told["notices"]] == [str(trusted)]


def test_an_inventory_tells_variables_and_hosts(tmp_path: Path) -> None:
    inventory = write(tmp_path / "hosts", "[db]\ndb1 rack=4\n")
    named = GOOD.replace("register: x", "when: rack == 4")
    path = write(tmp_path / "a.yml", named)
    assert "if hosts have it, give their inventory with -i" in validate(path).output
    assert validate(path, "-i", inventory).output == "1 playbook, 0 problems\n"
    write(path, named.replace("hosts: db", "hosts: bd"))
    result = validate(path, "-i", inventory)
    assert result.exit_code == 1
    assert result.output.startswith(f"{path}:2:8: hosts: no host or group is named")


def test_modules_of_a_path(tmp_path: Path) -> None:
    modules = Path(__file__).parents[1] / "language" / "modules"
    path = write(tmp_path / "a.yml", "name: a\nhosts: all\nmitigate: [{kill: {port: 1}}]\n")
    assert validate(path).exit_code == 1
    assert validate(path, "-M", modules).exit_code == 0
    with pytest.raises(InputError, match="--module-path: nowhere is not a directory"):
        validate(path, "-M", "nowhere")


def test_what_a_terminal_would_obey_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yml", f'{GOOD}"\\e[2J\\u202e": x\n')
    output = validate(path).output
    assert "\x1b" not in output
    assert 'unknown key "\\e[2J\\u202e"' in output
