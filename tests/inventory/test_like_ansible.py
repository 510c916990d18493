"""For inventories that both accept, quell understands what ansible-core does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.cli.inventory import graph, listing
from engine.inventory import load
from tests.inventory.cases import FOR_PATTERNS, LISTINGS, PATTERNS

pytestmark = pytest.mark.slow

DATES = {"yaml_types"}
"""Dates are text: `--graph --vars` shows them with a T, as JSON does."""


@pytest.mark.parametrize("case", LISTINGS)
def test_list_is_that_of_ansible_inventory(case: str, ansible: dict[str, Any]) -> None:
    assert listing(load(LISTINGS[case])) == json.loads(ansible["listings"][case])


@pytest.mark.parametrize("case", sorted(LISTINGS.keys() - DATES))
def test_graph_is_that_of_ansible_inventory(case: str, ansible: dict[str, Any]) -> None:
    lines = graph(load(LISTINGS[case]), "all", with_vars=True)
    assert list(lines) == ansible["graphs"][case].split("\n")


@pytest.mark.parametrize("number", range(len(PATTERNS)), ids=lambda number: str(PATTERNS[number]))
def test_pattern_names_the_hosts_that_ansible_finds(number: int, ansible: dict[str, Any]) -> None:
    found = load([FOR_PATTERNS]).match(*PATTERNS[number])
    assert list(found) == ansible["matches"]["patterns"][number]
