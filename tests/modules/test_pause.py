from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.contract import Question
from modules.pause import Pause
from tests.modules.sequence import module


@pytest.mark.parametrize("args", ["5m", 300, {"for": "5m"}])
def test_it_waits_for_a_time(args: Any) -> None:
    pause = module("pause", args)
    assert isinstance(pause, Pause)
    assert pause.stops_for() == 300.0


def test_or_for_a_person() -> None:
    pause = module("pause", {"prompt": "Is it quiet?"})
    assert isinstance(pause, Pause)
    assert pause.stops_for() == Question("Is it quiet?", wants="go on")


@pytest.mark.parametrize("args", [{}, {"prompt": " "}, {"for": "5m", "prompt": "Well?"}])
def test_but_not_for_both_or_neither(args: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="either for, a time, or prompt, a question"):
        module("pause", args)


@pytest.mark.parametrize("length", ["0s", 0, "25h"])
def test_a_time_has_an_end(length: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="more than 0, and no more than a day"):
        module("pause", length)
