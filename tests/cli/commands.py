"""Commands as they are typed, in this process."""

from __future__ import annotations

import pytest

from engine.cli.main import main


def quell(*arguments: str) -> object:
    """Run one to its end; gives its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code
