"""Questions for a Windows host, asked through the PowerShell that every one of them has."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from engine.connections.base import Argv
from engine.errors import ModuleFailed
from engine.typed import from_json

if TYPE_CHECKING:
    from engine.contract.target import Target

Answer = TypeVar("Answer")

LONGEST = 8000
"""Characters of a command line that cmd takes, which may stand in between."""

# What is caught is written as plain text; PowerShell itself would wrap it in XML.
_FRAME = """\
$ProgressPreference = 'SilentlyContinue'
$ErrorActionPreference = 'Stop'
try {{ [Console]::OutputEncoding = New-Object Text.UTF8Encoding $false }} catch {{ }}
try {{
$given = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{given}')) | ConvertFrom-Json
{text}
}} catch {{ [Console]::Error.WriteLine($_.Exception.Message); exit 1 }}
"""


def powershell(text: str, **given: Any) -> Argv:
    """A command that runs PowerShell text on a Windows host, whatever its default shell is.

    Args:
        text: for PowerShell 5.1 or later. An error in it ends it with exit status 1.
        given: plain values, which the text has as `$given.name`; they are never part of it.

    Raises:
        ModuleFailed: that is more than a command line holds.
    """
    data = base64.b64encode(msgspec.json.encode(given)).decode()
    script = _FRAME.format(given=data, text=text.strip())
    encoded = base64.b64encode(script.encode("utf-16-le")).decode()
    options = ("-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded)
    argv = Argv(("powershell.exe", *options))
    if len(" ".join(argv.args)) > LONGEST:
        raise ModuleFailed("the arguments are too long for a Windows command line")
    return argv


def ask_powershell(
    target: Target, text: str, shape: type[Answer], *, keep: int | None = None, **given: Any
) -> Answer:
    """What PowerShell text answers as JSON.

    Args:
        target: a Windows host.
        text: as for `powershell`.
        shape: what the JSON is to be.
        keep: bytes of the answer to keep; None for the usual.
        given: as for `powershell`.

    Raises:
        ModuleFailed: it failed there, or answered something else.
    """
    finished = target.run(powershell(text, **given), keep=keep)
    if finished.status:
        raise ModuleFailed(
            f"PowerShell says: {finished.stderr.text.strip() or f'exit status {finished.status}'}"
        )
    if finished.stdout.omitted:
        raise ModuleFailed("the host answers more than is kept")
    try:
        return from_json(finished.stdout.head + finished.stdout.tail, shape)
    except msgspec.DecodeError as error:
        raise ModuleFailed(f"PowerShell's answer is not as expected: {error}") from error
