from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.modules import command
from engine.errors import InputError
from engine.registry import Registry

LOOK = """\
look — probe

Look at something. It only reads.

Arguments
  url         a URL such as http://localhost, required
                where to look.
  port        a port number such as 8080, default 80
                the TCP port, of the service.
  method      GET or HEAD, default GET
  matches     an RE2 pattern, optional
  max_time    a duration such as 10s, default 10s
  memory      a size such as 512m, default 1g
  status      a whole number or a list, optional
  headers     a mapping, optional
  verify_tls  true or false, default true
  words       a list, optional
  data        any value, optional

Example
  name: Look at it
  look: {url: "http://localhost:8080/"}
"""
MODULES = Path(__file__).parents[1] / "language" / "modules"


def modules(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_list_has_every_module_and_what_it_is() -> None:
    lines = modules().splitlines()
    assert [line.split()[0] for line in lines] == Registry().names()
    told = [" ".join(line.split()) for line in lines]
    assert any(line.startswith("port_kill action End the processes that") for line in told)


def test_the_reference_of_a_module() -> None:
    assert modules("look", "-M", str(MODULES)) == LOOK


@pytest.mark.parametrize("name", Registry().names())
def test_every_shipped_module_has_a_whole_reference(name: str) -> None:
    told = json.loads(modules(name, "--format", "json"))
    assert told["name"] == name
    assert told["example"]
    assert told["summary"].endswith(".")
    assert all(argument["description"] for argument in told["arguments"])


def test_arguments_come_in_the_order_in_which_they_are_told() -> None:
    told = json.loads(modules("command", "--format", "json"))
    assert [argument["name"] for argument in told["arguments"]][:3] == ["argv", "chdir", "env"]


def test_all_references_as_json() -> None:
    assert [each["name"] for each in json.loads(modules("--format", "json"))] == Registry().names()


def test_an_unknown_module_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r'no module "http_prob" — did you mean "http_probe"\?'):
        modules("http_prob")
