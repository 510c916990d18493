"""Commands as text for cmd and PowerShell; what cmd makes of it is seen on a real one."""

from __future__ import annotations

import base64
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Become, Script
from engine.connections.local import LocalConnection
from engine.connections.windows.orders import Local, Order, end, local, order
from engine.errors import BecomeRefused, HostError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "quell-00ff"


def made(command: Argv | Script, login: str = "cmd", language: str = "cmd") -> Order:
    return order(command, NAME, login, language)  # type: ignore[arg-type]


def text_of(line: str) -> str:
    """The PowerShell text in a line."""
    found = re.search(r"-EncodedCommand ([A-Za-z0-9+/=]+)", line)
    assert found is not None
    return base64.b64decode(found[1]).decode("utf-16-le")


def test_a_plain_command_is_one_line() -> None:
    found = made(Argv(("whoami", "/all"), cwd=r"C:\Program Files (x86)"))
    assert found.files == {}
    assert found.line == (
        rf"echo {NAME} 0&echo {NAME} 0 >&2&"
        r'cd /d "C:\Program Files (x86)"&(if errorlevel 1 exit 126)&"whoami" /all'
    )


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("", '""'),
        ("two words", '"two words"'),
        ("a\\b\\", "a\\b\\"),
        ("two words\\", '"two words\\\\"'),
        ('say "it"', '"say \\"it\\""'),
        ('\\"', '"\\\\\\""'),
        ("a=b", '"a=b"'),
    ],
)
def test_an_argument_is_quoted_as_programs_read_it(argument: str, quoted: str) -> None:
    line = made(Argv(("x.exe", argument))).line
    assert line.endswith('"x.exe" ' + quoted.replace('"', '^"'))


def test_what_is_special_to_cmd_is_escaped() -> None:
    line = made(Argv(("x.exe", "()^<>&|"))).line
    assert line.endswith('"x.exe" ^(^)^^^<^>^&^|')


@pytest.mark.parametrize(
    "command",
    [
        Argv(("x", "%PATH%")),
        Argv(("x", "!x!")),
        Argv(("x",), cwd="C:\\%TEMP%"),
        Argv(("x",), env={"A": "secret"}),
        Script("echo", args=("secret",)),
    ],
)
def test_what_no_line_can_hold_is_in_a_file_that_removes_itself(command: Argv | Script) -> None:
    found = made(command)
    file = found.files[f"{NAME}.cmd"].decode()
    assert found.line.endswith(f'cd /d "%USERPROFILE%"&cmd.exe /d /q /e:on /v:off /c {NAME}.cmd')
    assert file.startswith('@del "%~f0"&')
    assert file.count("\n") == 1
    assert "secret" not in found.line


def test_a_percent_sign_is_twofold_in_a_file() -> None:
    file = made(Argv(("x.exe", "%PATH:a=b%"))).files[f"{NAME}.cmd"].decode()
    assert '"x.exe" ^"%%PATH:a=b%%^"&call exit %%errorlevel%%\r\n' in file


def test_a_file_is_ascii_whatever_it_holds() -> None:
    found = made(Script("echo ☃ ü☃", args=("ü",)))
    assert "set QUELL_U0=☃&set QUELL_U1=ü☃&set QUELL_U2=ü&" in found.line
    assert found.files[f"{NAME}-script.cmd"].endswith(b"echo %QUELL_U0% %QUELL_U1%\r\n")
    assert b'set ^"1=%QUELL_U2%^"&' in found.files[f"{NAME}.cmd"]
    assert "$env:QUELL_U2=-join[char[]](252);" in made(Script("☃ ü☃", ("ü",)), "powershell").line


def test_a_script_for_cmd_keeps_its_text_and_its_values_apart() -> None:
    found = made(Script("echo !1! %%i\nexit /b 3", args=("a&b",), env={"NAME": "c|d"}))
    assert found.left == (f"{NAME}-script.cmd",)
    assert found.files[f"{NAME}-script.cmd"] == (
        b"@echo off\r\nsetlocal EnableExtensions EnableDelayedExpansion\r\n"
        b"echo !1! %%i\r\nexit /b 3\r\n"
    )
    runner = found.files[f"{NAME}.cmd"].decode()
    assert 'set ^"NAME=c^|d^"&set ^"1=a^&b^"&' in runner
    assert runner.endswith(f'"%~dp0{NAME}-script.cmd"\r\n')


@pytest.mark.parametrize("login", ["cmd", "powershell"])
def test_powershell_gets_its_order_in_a_file(login: str) -> None:
    script = Script("$args[0]", args=("'; calc; '",), env={"A": "$(calc)"}, cwd="C:\\x")
    found = made(script, login, "powershell")
    assert json.loads(found.files[f"{NAME}.json"]) == {
        "text": "$args[0]",
        "args": ["'; calc; '"],
        "env": [{"name": "A", "value": "$(calc)"}],
        "cwd": "C:\\x",
    }
    assert "calc" not in text_of(found.line)
    assert f"Join-Path $env:USERPROFILE '{NAME}.json'" in text_of(found.line)
    assert NAME in found.line  # by which it can be ended


def test_for_powershell_as_the_accounts_shell_all_goes_by_file() -> None:
    found = made(Argv(("whoami",)), "powershell")
    assert found.line == (
        f"[Console]::Out.WriteLine('{NAME} 0');[Console]::Error.WriteLine('{NAME} 0');"
        f"Set-Location -LiteralPath $env:USERPROFILE;"
        f"cmd.exe /d /q /e:on /v:off /c {NAME}.cmd;exit $LASTEXITCODE"
    )


@pytest.mark.parametrize(
    ("executable", "program"),
    [
        ("powershell", "powershell.exe"),
        ("pwsh", "pwsh.exe"),
        (r"C:\Program Files\PowerShell\7\pwsh.exe", "pwsh.exe"),
    ],
)
def test_a_script_says_who_reads_it(executable: str, program: str) -> None:
    assert f"&{program} -NoLogo" in made(Script("x", executable=executable)).line
    assert made(Script("x", executable="cmd.exe"), language="powershell").left


def test_who_reads_no_scripts_on_windows_is_refused() -> None:
    with pytest.raises(HostError, match=r"has cmd, powershell and pwsh .* not '/bin/bash'"):
        made(Script("x", executable="/bin/bash"))


def test_an_end_does_not_name_what_it_looks_for() -> None:
    assert NAME not in end(NAME, "cmd")
    assert f"CommandLine LIKE '%{NAME}%'" in text_of(end(NAME, "cmd"))


@pytest.mark.parametrize("program", ["x.bat", "x.CMD", r"C:\dir\x.cmd"])
@pytest.mark.parametrize("argument", ['"&calc&', "%PATH%", "a^b", "!x!", "(", "a|b", "<x"])
def test_a_batch_file_is_not_given_what_it_would_run(program: str, argument: str) -> None:
    with pytest.raises(HostError, match="is a batch file, which runs what is behind"):
        made(Argv((program, argument)))
    assert f'"{program}" "a=b" x' in made(Argv((program, "a=b", "x"))).line.replace("^", "")


@pytest.mark.parametrize("program", ["npm", "x.bat ", "x.bat.", "python3.11", "x.bat::$DATA"])
def test_no_batch_file_is_found_by_another_name(program: str) -> None:
    assert f'"{program}.exe"' in made(Argv((program, "&calc"))).line
    assert f'"{program}"' in made(Argv((program, "install"))).line


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Argv(("x", "a\nb")), "cannot be given a newline or what is no text: 'a"),
        (Argv(("x", "a\0b")), "cannot be given a newline"),
        (Argv(("x", "%\x1a")), "cannot be given a newline"),
        (Argv(("x", "\udcff")), "what is no text"),
        (Argv(("x\n",)), "cannot be given a newline"),
        (Argv(("x",), env={"A": "a\nb"}), "cannot be given a newline"),
        (Argv(("x",), env={"A=B": "c"}), "not an environment variable's name"),
        (Argv(("x",), cwd='C:\\"x'), "not a directory's name on Windows"),
        (Argv(("x",), cwd="C:\\\n"), "cannot be given a newline"),
        (Argv(('x"',)), "not a program's name on Windows"),
        (Argv(("",)), "not a program's name on Windows"),
        (Argv(("x", "y" * 8000)), "can be 8000 characters long, not 80"),
        (Argv(("x", "%" * 5000)), "can be 8000 characters long, not 100"),
        (Script("echo", args=("a\nb",)), "cannot be given a newline"),
        (Script("echo\x1a"), "can hold no control characters"),
        (Script("echo " + "x" * 8000), "no line of more than 8000"),
    ],
)
def test_what_cannot_be_said_to_cmd_is_refused(command: Argv | Script, message: str) -> None:
    with pytest.raises(HostError, match=message):
        made(command)


def test_on_a_windows_controller_a_program_is_started_as_it_is(tmp_path: Path) -> None:
    assert local(Argv(("x", "%PATH%&")), tmp_path, "cmd") == Local(["x", "%PATH%&"])
    with pytest.raises(HostError, match="is a batch file"):
        local(Argv(("x.cmd", "%PATH%&")), tmp_path, "cmd")


def test_on_a_windows_controller_a_script_is_in_a_file(tmp_path: Path) -> None:
    script = Script("echo !1! ☃", args=("&calc",), env={"A": "b"})
    made = local(script, tmp_path, "cmd")
    file = tmp_path / "script.cmd"
    assert made.argv == f'cmd.exe /d /q /e:on /v:off /s /c ""{file}""'
    assert made.files[file].endswith(b"echo !1! %QUELL_U0%\r\n")
    assert made.env == {"1": "&calc", "QUELL_U0": "☃"}

    made = local(script, tmp_path, "powershell")
    assert isinstance(made.argv, str)
    assert f"$file = '{tmp_path / 'order.json'}'" in text_of(made.argv)
    assert json.loads(made.files[tmp_path / "order.json"])["args"] == ["&calc"]


def test_a_windows_controller_keeps_what_is_wanted_and_becomes_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    here = LocalConnection()
    printed = Argv((sys.executable, "-c", "print('abcdef', end='')"))
    heard: list[bytes] = []
    finished = here.run(printed, timeout=30, keep=3, listener=lambda _, data: heard.append(data))
    assert (finished.stdout.head, finished.stdout.omitted) == (b"abc", 3)
    assert b"".join(heard) == b"abcdef"
    with pytest.raises(BecomeRefused, match="become is not supported on Windows hosts"):
        here.run(printed, timeout=30, become=Become("Administrator"))
