"""50 secrets of every kind, each way that a run can end, and each verbosity: none is ever found."""

from __future__ import annotations

import base64
import json
import secrets
import string
import textwrap
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from engine.vault import Key, seal
from tests.end_to_end.quell import Quell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = Key("default", b"open sesame")
HOW_MANY = 10
SOURCES = ("env", "vault", "whole", "extra", "secret")
_ODD = "\"'\\&<>%+/ $`{}[]|;#ü"


def canary(number: int) -> str:
    """A secret that is not like any other: plain, odd, long, or in several lines."""
    alphabet = string.ascii_letters + string.digits
    plain = "".join(secrets.choice(alphabet) for _ in range(12))
    shapes = (
        plain,
        f"{plain}{_ODD}{plain}",
        "".join(secrets.choice(alphabet) for _ in range(200)),
        f"-----BEGIN {plain}\n{plain[::-1]}0\n{plain}1-----",
        f"{{{{ {plain} }}}}",
    )
    return shapes[number % len(shapes)]


CANARIES = {f"{source}_{n}": canary(n) for source in SOURCES for n in range(HOW_MANY)}
ENVIRONMENT = {name.upper(): text for name, text in CANARIES.items() if name.startswith("env")}


def of(source: str) -> dict[str, str]:
    return {name: text for name, text in CANARIES.items() if name.startswith(source)}


def vaulted(text: str) -> str:
    return "!vault |\n" + textwrap.indent(seal(text, KEY), " " * 4)


def uses() -> str:
    """All of them, as a list of arguments."""
    names = [name for name in CANARIES if not name.startswith("env")]
    texts = [*names, *(f"env.{name}" for name in ENVIRONMENT)]
    return json.dumps([f"{{{{ {text} }}}}" for text in texts])


def book() -> str:
    inputs = [f"  {name}: {{secret: true}}" for name in of("secret")]
    sealed = [f"  {name}: {vaulted(text)}" for name, text in of("vault").items()]
    return "\n".join(
        [
            "name: Leaks",
            "hosts: app",
            "inputs:",
            *inputs,
            *(f"  {name}: {{default: none}}" for name in of("extra")),
            "  script: {default: 'exit 0'}",
            "vars:",
            *sealed,
            f"  all: {uses()}",
            textwrap.dedent(BODY),
        ]
    )


BODY = """\
investigate:
  - {name: Said, shell: {probe: true, script: 'printf "%s\\n" "$@"', args: "{{ all }}"}}
  - {name: Said to nobody, shell: {probe: true, script: 'printf "%s\\n" "$@" >&2; exit 3',
      args: "{{ all }}"}}
  - {name: As JSON, shell: {probe: true, script: 'printf "%s\\n" "$1"',
      args: ["{{ all | to_json }}"]}, register: json}
  - {name: In base64, loop: "all",
      shell: {probe: true, script: 'printf "user:%s" "$1" | base64 -w0', args: ["{{ item }}"]}}
  - {name: As a URL, loop: "all", loop_control: {label: "{{ item | urlencode }}"},
      shell: {probe: true, script: 'printf %s "$1"', args: ["{{ item | urlencode }}"]}}
  - {name: In no template, assert: "all | length == 0"}
  - {name: Not found, http_probe: {url: "http://localhost:9/{{ all[0] | urlencode }}"}}
severity: [{level: P1, when: all, because: "it is so"}]
mitigate:
  - {name: Changes, shell: {script: 'test -n "$1"', args: "{{ all }}"}}
  - {name: May break, shell: {script: 'printf "%s\\n" "$@"; eval "$END"', args: "{{ all }}",
      env: {END: "{{ script }}"}}}
"""


@pytest.fixture
def quell(tmp_path: Path) -> Iterator[Quell]:
    (tmp_path / "book.yml").write_text(book())
    (tmp_path / "hosts.yml").write_text(
        "app: {hosts: {localhost: }, vars: {ansible_connection: local}}\n"
    )
    variables = tmp_path / "group_vars"
    variables.mkdir()
    (variables / "app.yml").write_text(seal(json.dumps(of("whole")), KEY))
    (tmp_path / "extra.yml").write_text(
        "\n".join(f"{name}: {vaulted(text)}" for name, text in of("extra").items())
    )
    (tmp_path / "secret.json").write_text(seal(json.dumps(of("secret")), KEY))
    (tmp_path / "password").write_bytes(KEY.password)
    home = tmp_path / "home"
    home.mkdir()
    command = Quell(home)
    yield command
    command.close()


def forms(text: str) -> set[str]:
    """How a secret might be found: as it is, and as others write it; each line of it."""
    found = set()
    for each in (text, *text.splitlines()):
        found |= {each, json.dumps(each)[1:-1], urllib.parse.quote(each)}
        found.add(base64.b64encode(each.encode()).decode().rstrip("=")[:-1])
        found.add(base64.b64encode(b"user:" + each.encode()).decode()[7:-4])
    return found


def found_in(text: str) -> list[str]:
    return [
        name for name, secret in CANARIES.items() if any(form in text for form in forms(secret))
    ]


GOOD, BAD, DEAD = "script='exit 0'", "script='exit 4'", "script='kill -9 $$'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--yes", "-e", GOOD], 0),
        (["--yes", "-e", BAD, "-v"], 2),
        (["--yes", "-e", DEAD, "-vvv", "--diff"], 2),
        (["--yes", "-e", BAD, "-vv", "--json"], 2),
        (["--check", "-vvv", "--diff"], 0),
        (["-e", GOOD, "-vvv"], 3),
        (["--list-tasks"], 0),
        (["-e", "prot=x"], 1),
    ],
)
def test_none_is_found(quell: Quell, tmp_path: Path, flags: list[str], code: int) -> None:
    given = [
        *("-i", tmp_path / "hosts.yml", "-e", f"@{tmp_path}/extra.yml"),
        *("-e", f"@{tmp_path}/secret.json", "--vault-password-file", tmp_path / "password"),
    ]
    variables = {"timeout": 60.0, "inside": None, "stdin": "", **ENVIRONMENT}
    ended = quell("run", tmp_path / "book.yml", *given, *flags, **variables)  # type: ignore[arg-type]
    assert ended.code == code, ended.stderr[-2000:]
    said = ended.stdout + ended.stderr
    assert found_in(said) == []
    if code in (0, 2, 3) and "--list-tasks" not in flags:
        assert "********" in said
        kept = [path.read_bytes() for path in quell.home.rglob("*") if path.is_file()]
        assert found_in("\n".join(part.decode("utf-8", "replace") for part in kept)) == []
        for options in ([], ["--json"]):
            shown = quell("show", *options).stdout
            assert "Said" in shown
            assert found_in(shown) == []
