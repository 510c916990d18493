"""What a Windows host is asked through PowerShell."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from engine.connections.base import Argv

if TYPE_CHECKING:
    from engine.connections.base import Script


def script_of(command: Argv | Script) -> tuple[str, dict[str, Any]]:
    """The text that PowerShell runs, and the values that it is given."""
    assert isinstance(command, Argv)
    assert command.args[0] == "powershell.exe"
    assert command.args[-2] == "-EncodedCommand"
    text = base64.b64decode(command.args[-1]).decode("utf-16-le")
    given = re.search(r"FromBase64String\('([A-Za-z0-9+/=]*)'\)", text)
    assert given is not None
    values: dict[str, Any] = json.loads(base64.b64decode(given[1]))
    return text, values
