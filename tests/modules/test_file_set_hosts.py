"""`file_set` on hosts with other shells, with other accounts, and on Windows."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.acting import Acting
from engine.connections.base import Become
from engine.contract import ModuleFailed
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import act
from tests.modules.shells import SHELLS, Shell
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.connections.links import Links
    from tests.lab.lab import Lab

PATHS = "/usr/bin:/bin:/usr/sbin:/sbin"


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_does_it(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.ini"
    path.write_text("[a]\nb = 1\n")
    path.chmod(0o640)
    args: dict[str, Any] = {"path": str(path), "section": "a", "key": "b", "value": 2, "backup": 1}
    args["validate"] = ["grep", "-q", "b = 2", "%s"]
    outcome = act("file_set", args, target(Shell(through=SHELLS[shell], path=PATHS)))
    assert outcome.unconfirmed is None
    assert path.read_text() == "[a]\nb = 2\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_busybox_alone_does_it(tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    path = tmp_path / "app.env"
    path.write_text("A=1\n")
    names = "cat cp chmod cut dirname basename grep head id ln mv pwd readlink rm sha256sum stat"
    for name in names.split():
        (bin_ / name).symlink_to("/bin/busybox")
    host = target(Shell(through=SHELLS["busybox"], path=str(bin_)))
    assert act("file_set", {"path": str(path), "key": "A", "value": 2}, host).unconfirmed is None
    assert path.read_text() == "A=2\n"


@pytest.mark.lab
def test_over_ssh_an_account_changes_what_is_its_own(lab_accounts: Lab, links: Links) -> None:
    host = lab_accounts.h1
    host.write("/srv/kept/own.env", "A=1\n")
    host.write("/srv/kept/roots.env", "A=1\n", 0o644)
    host.exec(["sh", "-c", "chown nobody:nogroup /srv/kept /srv/kept/own.env"], check=True)
    nobody = target(Acting(links.get("h1"), Become(user="nobody")))
    args = {"key": "A", "value": "2", "backup": 0}
    assert act("file_set", {**args, "path": "/srv/kept/own.env"}, nobody).unconfirmed is None
    assert host.exec(["cat", "/srv/kept/own.env"]).stdout == "A=2\n"
    with pytest.raises(ModuleFailed, match=r"its mode and owner \(644 0:0\) cannot be kept"):
        act("file_set", {**args, "path": "/srv/kept/roots.env"}, nobody)
    assert host.exec(["ls", "-A", "/srv/kept"]).stdout.split() == ["own.env", "roots.env"]
    root = target(links.get("h1"))
    assert act("file_set", {**args, "path": "/srv/kept/roots.env"}, root).unconfirmed is None


@pytest.mark.lab
def test_over_ssh_a_file_that_may_not_be_read_is_said(lab_accounts: Lab, links: Links) -> None:
    lab_accounts.h1.write("/srv/secret.env", "A=1\n", 0o600)
    nobody = target(Acting(links.get("h1"), Become(user="nobody")))
    with pytest.raises(ModuleFailed, match="may not be read by nobody: needs become"):
        act("file_set", {"path": "/srv/secret.env", "key": "A", "value": 2}, nobody)


PATH = r"C:\App\app.ini"


def seen(text: bytes, *, exists: bool = True) -> tuple[int, str, str]:
    """What the looking text answers."""
    data = base64.b64encode(text).decode()
    inode = "638000000000000000" if exists else ""
    answer = {"path": PATH, "exists": exists, "data": data, "inode": inode}
    return (0, json.dumps(answer) + "\r\n", "")


def test_windows_is_asked_by_powershell_and_given_the_content() -> None:
    old, new = b"[a]\r\nb=1\r\n", b"[a]\r\nb=2\r\n"
    host = FakeConnection([seen(old), seen(old), (0, "", ""), seen(new)], family="windows")
    args = {"path": PATH, "section": "a", "key": "b", "value": 2, "validate": ["check", "%s"]}
    outcome = act("file_set", args, target(host))
    assert outcome.unconfirmed is None
    text, given = script_of(host.commands[0])
    assert "[IO.File]::Open($path" in text
    assert given["path"] == PATH
    text, given = script_of(host.commands[2])
    assert "[IO.File]::Replace($given.copy, $path, $backup)" in text
    assert host.given[2] == new
    assert given["inode"] == "638000000000000000"
    assert given["old"] == hashlib.sha256(old).hexdigest()
    assert given["new"] == hashlib.sha256(new).hexdigest()
    assert given["copy"].startswith("C:\\App\\.")
    assert given["copy"].endswith(".app.ini")
    assert given["validate"] == ["check", given["copy"]]
    assert given["backup"] == outcome.done["backup"]
    assert outcome.done["backup"].startswith(f"{PATH}.20")


def test_windows_says_why_it_cannot() -> None:
    args = {"path": PATH, "content": "x"}
    host = FakeConnection([(1, "", "it is a directory\r\n")], family="windows")
    with pytest.raises(ModuleFailed, match=r"app\.ini: PowerShell says: it is a directory"):
        act("file_set", args, target(host))
    host = FakeConnection([seen(b""), seen(b""), (3, "", "")], family="windows")
    with pytest.raises(ModuleFailed, match="has changed since; nothing was done"):
        act("file_set", args, target(host))
    host = FakeConnection([seen(b"", exists=False)], family="windows")
    with pytest.raises(ModuleFailed, match="create: true makes it"):
        act("file_set", args, target(host))
