from __future__ import annotations

import msgspec
import pytest

from engine.contract import Question
from modules.manual import Manual
from tests.modules.sequence import module


def test_a_text_is_what_is_to_be_done() -> None:
    manual = module("manual", {"text": "Write the report"})
    assert isinstance(manual, Manual)
    assert manual.stops_for() == Question("Write the report")


def test_it_may_be_somebodys() -> None:
    manual = module("manual", {"text": "Write the report", "owner": "lead"})
    assert isinstance(manual, Manual)
    assert manual.stops_for() == Question("Write the report", "lead", "done")


@pytest.mark.parametrize("text", ["", "  "])
def test_it_says_what_is_to_be_done(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="text must say what is to be done"):
        module("manual", {"text": text})
