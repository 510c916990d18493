from __future__ import annotations

import importlib

import pytest

from engine.contract import ModuleFailed
from engine.contract.extras import from_extra


def test_a_client_that_is_missing_is_said_with_how_to_get_it() -> None:
    with pytest.raises(ModuleFailed) as failed, from_extra("slack"):
        importlib.import_module("no_such_client")
    told = "no_such_client is not installed; get it with: pip install 'quell[slack]'"
    assert failed.value.message == told


def test_what_is_there_is_imported_and_its_own_errors_are_its_own() -> None:
    with from_extra("slack"):
        assert importlib.import_module("json").loads("1") == 1
    with pytest.raises(ZeroDivisionError), from_extra("slack"):
        raise ZeroDivisionError
