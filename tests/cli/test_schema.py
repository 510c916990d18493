from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from engine.cli.schema import command
from engine.language.source import read

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    result = CliRunner().invoke(command, [], catch_exceptions=False)
    schema = json.loads(result.output)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda p: p.name)
def test_the_shipped_playbooks_are_valid(validator: Draft202012Validator, path: Path) -> None:
    assert list(validator.iter_errors(read(path).value)) == []


def test_a_misspelled_argument_is_not(validator: Draft202012Validator) -> None:
    book = {"name": "a", "hosts": "all", "investigate": [{"http_probe": {"urll": "http://x"}}]}
    assert not validator.is_valid(book)
