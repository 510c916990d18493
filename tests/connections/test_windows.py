"""A Windows host: real sshd, real cmd.exe, and programs that say what they were given."""

from __future__ import annotations

import contextlib
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from engine.connections.base import Argv, Become, Pipe, Platform, Script, Tcp, Unix
from engine.connections.links import Links
from engine.connections.windows.host import WindowsHost as WindowsCommands
from engine.errors import BecomeRefused, DeadlineExceeded, DialRefused, HostError
from tests.connections.helpers import eventually, settings_for
from tests.lab.windows import DRIVE, HOME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection
    from tests.lab.windows import WindowsHost

pytestmark = pytest.mark.lab

ATTACKS = (
    '"&calc&',
    '"&calc&"',
    "&calc",
    "&&calc",
    "|calc",
    "||calc",
    '" & calc & "',
    '\\"&calc&\\"',
    '^"&calc',
    "^&calc",
    "%PATH%",
    "%PATH",
    "%%PATH%%",
    "%PATH:~0,3%",
    "%PATH:C=&calc&%",
    "%CMDCMDLINE:~-1%&calc",
    '%CMDCMDLINE:"=^&calc^&%',
    "%cd:~,%",
    "%*",
    "%1",
    "%~f0",
    "!PATH!",
    "^!PATH^!",
    ")&calc&(",
    "(calc)",
    ">C:\\canary",
    '">C:\\canary',
    "<C:\\none",
    "^",
    "^^",
    "a^",
    "\\",
    "\\\\",
    'a\\\\"b',
    "C:\\dir with space\\",
    "",
    " ",
    "\t",
    '"',
    '""',
    "'",
    "`calc`",
    "$(calc)",
    "*",
    "?",
    "/?",
    "--",
    "-x",
    "a,b;c=d",
    "ünï ☃ 日本 😀",
    "“&calc&”",
    "\x0b\x0c\x1b\x7f",
    "@calc",
    "rem",
    "~",
    "#",
)
ALPHABET = 'ab \t""\'\\\\%%^^&&|<>()!!=;,:~*?@$`/-.[]{}é☃'


def corpus() -> list[str]:
    """The attacks, and some hundred more of the same characters; always the same ones."""
    source = random.Random(24576)  # noqa: S311 - no secret
    made = ("".join(source.choices(ALPHABET, k=source.randint(1, 24))) for _ in range(400))
    return [*ATTACKS, *made]


def without_percent(arguments: list[str]) -> list[str]:
    return [text for text in arguments if not {"%", "!"} & set(text)]


@pytest.fixture(scope="module")
def links(windows: WindowsHost) -> Iterator[Links]:
    settings = {
        "win": settings_for(windows),
        "first": settings_for(windows),
        "ps": settings_for(windows, ansible_shell_type="powershell"),
    }
    opened = Links(settings)
    yield opened
    opened.close()


@pytest.fixture
def win(links: Links) -> Connection:
    return links.get("win")


def given(connection: Connection, *arguments: str, **more: object) -> list[str]:
    """What a program says that it was given: arguments, QUELL_A, its directory."""
    command = Argv(("args", *arguments), **more)  # type: ignore[arg-type]
    finished = connection.run(command, timeout=30)
    assert (finished.status, finished.stderr.text) == (7, "")
    return finished.stdout.text.split("\0")[:-1]


def in_handfuls(arguments: list[str], size: int = 40) -> Iterator[list[str]]:
    for start in range(0, len(arguments), size):
        yield arguments[start : start + size]


def programs(windows: WindowsHost) -> str:
    """What runs there, a command line a line."""
    return windows.exec(["ps", "-eo", "comm"], check=True).stdout


def test_the_first_command_finds_out_that_it_is_windows(links: Links, windows: WindowsHost) -> None:
    host = links.get("first")
    heard: list[bytes] = []
    finished = host.run(
        Argv(("args", "x")), timeout=30, listener=lambda _, data: heard.append(data)
    )
    assert finished.stdout.text == "x\0\0C:\\users\\root\0"
    assert b"".join(heard) == finished.stdout.head  # nothing of what was asked before
    assert host.platform == Platform("windows", "cmd", "AMD64", "root", None)
    log = windows.exec(["cat", "/srv/ssh/log-2222"]).stdout
    assert log.count("Starting session") >= 2


def test_arguments_come_through_a_line_as_they_are(win: Connection, windows: WindowsHost) -> None:
    arguments = without_percent(corpus())
    assert len(arguments) > 100
    for some in in_handfuls(arguments):
        assert given(win, *some) == [*some, "", "C:\\users\\root"]
    assert windows.file("canary") is None


def test_arguments_come_through_a_file_as_they_are(win: Connection, windows: WindowsHost) -> None:
    arguments = corpus()
    assert len(arguments) > 400
    for some in in_handfuls(arguments):
        assert given(win, "%", *some) == ["%", *some, "", "C:\\users\\root"]
    assert windows.file("canary") is None


def test_variables_and_directory_are_the_commands_own(
    win: Connection, windows: WindowsHost
) -> None:
    for some in in_handfuls(list(ATTACKS), 8):
        env, cwd = {"QUELL_A": "".join(some)}, "C:\\windows"
        assert given(win, "x", env=env, cwd=cwd) == ["x", env["QUELL_A"], cwd]
    assert given(win, "x", cwd="AppData") == ["x", "", "C:\\users\\root\\AppData"]
    assert windows.file("canary") is None


def test_a_directory_that_is_not_there_ends_it_before_it_begins(win: Connection) -> None:
    for command in (
        Argv(("args",), cwd="C:\\none"),
        Argv(("args", "%"), cwd="C:\\none"),
        Script("args", cwd="C:\\none"),
    ):
        finished = win.run(command, timeout=30)
        assert (finished.status, finished.stdout.text) == (126, "")


def test_a_scripts_values_are_data(win: Connection, windows: WindowsHost) -> None:
    # Wine looks for variables in a variable's value again; cmd does not.
    values = tuple(text for text in ATTACKS if text and "!" not in text)
    lines = [f'set "QUELL_A=!{number}!"\nargs' for number in range(1, len(values) + 1)]
    finished = win.run(Script("\n".join(lines), values), timeout=60)
    assert finished.stdout.text.split("\0")[:-1:2] == list(values)
    assert windows.file("canary") is None


def test_the_canary_sings(win: Connection, windows: WindowsHost) -> None:
    assert win.run(Script("echo x&calc"), timeout=30).status == 0
    assert windows.file("canary") == ""
    windows.exec(["rm", f"{DRIVE}/canary"], check=True)


def test_a_script_is_a_batch_file(win: Connection) -> None:
    text = """
rem ünï
for %%i in (a b) do (
  echo %%i
)
goto end
echo never
:end
set /a sum=%QUELL_N%+1 >nul
echo !sum! ☃ 1>&2
exit /b 3
"""
    finished = win.run(Script(text, env={"QUELL_N": "41"}), timeout=30)
    assert (finished.status, finished.stdout.text.split()) == (3, ["a", "b"])
    assert finished.stderr.text.startswith("42 ")


def test_powershell_obeys_an_order(links: Links, win: Connection) -> None:
    script = Script("$args[0]", (ATTACKS[0], "☃"), env={"A": ATTACKS[1]}, executable="powershell")
    said = win.run(script, timeout=30).stdout.text
    assert json.loads(said)["args"] == [ATTACKS[0], "☃"]
    host = links.get("ps")
    assert json.loads(host.run(Script("$x", ("1",)), timeout=30).stdout.text)["args"] == ["1"]
    assert host.platform.shell == "powershell"


def test_nothing_of_ours_is_left_in_the_home(win: Connection, windows: WindowsHost) -> None:
    given(win, "%")
    win.run(Script("exit /b 1", ("x",)), timeout=30)
    win.run(Script("x", executable="powershell"), timeout=30)
    with pytest.raises(DeadlineExceeded):
        win.run(Script("ping -n 300 127.0.0.1 >nul"), timeout=2)
    assert not [name for name in windows.files() if "quell" in name]


def test_streams_stdin_and_status(win: Connection) -> None:
    finished = win.run(Script("echo out\necho err 1>&2\nexit /b 5"), timeout=30)
    assert (finished.status, finished.stdout.text, finished.stderr.text) == (
        5,
        "out\r\n",
        "err \r\n",
    )
    data = b"one\r\ntwo\r\n"
    assert win.run(Argv(("find", "two")), stdin=data, timeout=30).stdout.text == "two\r\n"
    assert win.run(Script("find !1!", ('"one"',)), stdin=data, timeout=30).stdout.head == b"one\r\n"


def test_only_the_beginning_is_kept_where_that_is_wanted(win: Connection) -> None:
    finished = win.run(Script("for /l %%i in (1,1,9) do @echo %%i"), keep=5, timeout=30)
    assert (finished.stdout.head, finished.stdout.tail) == (b"1\r\n2\r", b"")
    assert finished.stdout.omitted == 9 * 3 - 5


def test_nobody_becomes_another_account(win: Connection, windows: WindowsHost) -> None:
    other, address = Become("Administrator"), Tcp(windows.address, windows.port)
    attempts: list[Callable[[], object]] = [
        lambda: win.run(Argv(("calc",)), timeout=30, become=other),
        lambda: win.dial(address, timeout=10, become=other),
        lambda: win.dial(Pipe("docker_engine"), timeout=10, become=other),
        lambda: win.forward(address, timeout=10, become=other).__enter__(),
        lambda: win.put(b"", "C:\\canary", 0o600, timeout=30, become=other),
        lambda: win.get("C:\\windows\\win.ini", 10, timeout=30, become=other),
    ]
    for attempt in attempts:
        with pytest.raises(BecomeRefused, match="become is not supported on Windows hosts"):
            attempt()
    assert windows.file("canary") is None


def test_what_a_code_page_says_is_read_with_it(win: Connection, monkeypatch: Any) -> None:
    # Wine has no console here and names no code page; a real host answers 850 or the like.
    monkeypatch.setattr(WindowsCommands, "_code_page", lambda _: "cp1252")
    finished = win.run(Argv(("nosuch-ü",)), timeout=30)
    assert finished.status != 0
    assert "nosuch-ü" in finished.stderr.text


def test_an_overdue_command_is_ended_with_all_that_it_started(
    win: Connection, windows: WindowsHost
) -> None:
    for command in (
        Argv(("cmd", "/c", "ping", "-n", "300", "127.0.0.1")),
        Argv(("ping", "-n", "300", "127.0.0.1"), env={"A": "b"}),
        Script("echo begun\nping -n 300 127.0.0.1 >nul\necho never"),
    ):
        with pytest.raises(DeadlineExceeded, match="s; it was ended") as failed:
            win.run(command, timeout=2)
        assert "never" not in str(failed.value.found)
        assert eventually(lambda: "ping" not in programs(windows))
    assert given(win, "x")[0] == "x"


def test_an_interrupt_ends_what_is_under_way(links: Links, windows: WindowsHost) -> None:
    host = links.get("first")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(host.run, Argv(("ping", "-n", "300", "127.0.0.1")), timeout=60)
        assert eventually(lambda: "ping" in programs(windows))
        host.interrupt()
        with contextlib.suppress(HostError):
            assert waiting.result().status != 0
    assert eventually(lambda: "ping" not in programs(windows))
    assert given(host, "x")[0] == "x"  # what comes afterwards works as before


def test_more_commands_at_once_than_there_are_sessions(win: Connection) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda n: given(win, str(n))[0], range(24)))
    assert found == [str(number) for number in range(24)]


def test_a_file_arrives_whole_and_comes_back(win: Connection, windows: WindowsHost) -> None:
    path, data = "C:\\users\\root\\a file's name.bin", os.urandom(1_000_000)
    win.put(b"old", path, 0o600, timeout=30)
    win.put(data, path, 0o600, timeout=30)
    assert win.get(path, 10_000_000, timeout=30) == data
    assert win.get(path, 1000, timeout=30) == data[:1000]
    win.put(b"", path, 0o600, timeout=30)
    assert win.get(path, 10, timeout=30) == b""
    assert [name for name in windows.files() if "a file" in name] == ["a file's name.bin"]
    windows.exec(["rm", f"{HOME}/a file's name.bin"], check=True)


@pytest.mark.parametrize(
    ("path", "word"), [("C:\\none\\file", "No such file"), ("C:\\windows", "Is a directory")]
)
def test_a_put_that_fails_says_why(win: Connection, path: str, word: str) -> None:
    with pytest.raises(HostError, match=f"put .*{word}"):
        win.put(b"data", path, 0o600, timeout=30)


def test_a_get_that_fails_says_why(win: Connection) -> None:
    with pytest.raises(HostError, match=r"get C:.*No such file"):
        win.get("C:\\none", 10, timeout=30)


def test_streams_are_the_hosts_own(win: Connection, windows: WindowsHost) -> None:
    dialled = win.dial(Tcp(windows.address, windows.port), timeout=10)
    assert dialled.recv(4) == b"SSH-"
    dialled.close()
    with pytest.raises(DialRefused, match="leads to no unix sockets"):
        win.dial(Unix("/srv/none"), timeout=10)


def test_a_docker_engine_is_reached_by_its_pipe(win: Connection, windows: WindowsHost) -> None:
    with pytest.raises(DialRefused, match=r"\\\\.\\pipe\\none: error during connect"):
        win.dial(Pipe("none"), timeout=10)
    with pytest.raises(DialRefused, match="not a pipe's name"):
        win.dial(Pipe("x & calc"), timeout=10)
    windows.dockerd()
    dialled = win.dial(Pipe("docker_engine"), timeout=20)
    dialled.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
    answer = b""
    while more := dialled.recv(4096):
        answer += more
    assert answer.startswith(b"HTTP/1.0 200")
    assert answer.endswith(b"OK")
    dialled.close()


def test_a_unix_has_no_pipes(ssh: Connection) -> None:
    with pytest.raises(DialRefused, match="docker_engine: a linux host has no named pipes"):
        ssh.dial(Pipe("docker_engine"), timeout=10)
