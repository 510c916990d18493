"""Acting as another account over SSH, with the real sudo, su and doas."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Become, BecomeMethod, Script, Unix
from engine.connections.links import Links
from engine.errors import (
    BecomeRefused,
    DeadlineExceeded,
    DialRefused,
    HostError,
    Unreachable,
)
from tests.connections.helpers import Resources, eventually, settings_for
from tests.lab.accounts import HOMES, NO_SHELL, OTHER, PASSWORD, ROOT_PASSWORD, passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

WAYS: dict[str, tuple[str, Become, str]] = {
    "sudo": ("asked", Become(password=PASSWORD), "sudo asked"),
    "sudo, not asked": ("free", Become(password=PASSWORD), ""),
    "sudo, no password": ("free", Become(), ""),
    "sudo on a terminal": ("terminal", Become(password=PASSWORD), "sudo terminal"),
    "su": ("norule", Become(method="su", password=ROOT_PASSWORD), "su root"),
    "doas": ("doasked", Become(method="doas", password=PASSWORD), "doas doasked"),
    "doas, not asked": ("doasfree", Become(method="doas", password=PASSWORD), ""),
    "doas, no password": ("doasfree", Become(method="doas"), ""),
}
"""The login account, as whom it acts, and where it gives its password."""


@pytest.fixture
def host(lab_accounts: Lab) -> Host:
    passwords(lab_accounts.h1)  # those of other tests do not count
    return lab_accounts.h1


@pytest.fixture
def enter(host: Host) -> Iterator[Callable[..., Connection]]:
    """Connections to the host: its account, and other variables."""
    made: list[Links] = []

    def enter(account: str, **changes: object) -> Connection:
        made.append(Links({"h1": settings_for(host, ansible_user=account, **changes)}))
        return made[-1].get("h1")

    yield enter
    for links in made:
        links.close()


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> tuple[str, Become, str]:
    return WAYS[request.param]


def processes(host: Host) -> set[str]:
    """Pid, account and program of all that run, but for what looks."""
    lines = host.exec(["ps", "-eo", "pid=,user:20=,comm="]).stdout.splitlines()
    return {line for line in lines if not line.endswith(" ps")}


def text(connection: Connection, command: Argv | Script, become: Become | None) -> str:
    return connection.run(command, timeout=20, become=become).stdout.text


# ── every way ─────────────────────────────────────────────────────────────────────────────────


def test_a_command_runs_as_the_account_in_its_home(
    enter: Callable[..., Connection], way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    script = Script('id -un; pwd; echo "$HOME"; echo "${LC_ALL-none}"')
    assert text(connection, script, become) == "root\n/srv/root\n/srv/root\nnone\n"
    assert text(connection, Argv(("id", "-un")), None) == f"{account}\n"


def test_nothing_of_a_command_is_lost_or_mixed_up(
    enter: Callable[..., Connection], way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    for _ in range(2):
        script = Script(r"printf 'a\r\n\000\003\004\377'; printf 'err\r\n' >&2; exit 7")
        finished = connection.run(script, timeout=20, become=become)
        assert (finished.status, finished.stdout.head) == (7, b"a\r\n\0\3\4\xff")
        assert finished.stderr.head == b"err\r\n"
        command = Argv(("printf", "%s|", "it's", "$(id)"), {"A": "b"})
        assert text(connection, command, become) == "it's|$(id)|"
        assert connection.run(Script("kill -KILL $$"), timeout=20, become=become).status == -9


def test_its_input_is_its_own(
    enter: Callable[..., Connection], way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    data = bytes(range(256)) * 2000
    script = Script("id -un >&2; cat; exit 3")
    finished = connection.run(script, stdin=data, timeout=20, become=become)
    assert (finished.status, finished.stderr.text) == (3, "root\n")
    assert finished.stdout.size == len(data)
    assert data.startswith(finished.stdout.head)
    assert connection.run(Argv(("cat",)), timeout=20, become=become).stdout.size == 0


def test_fifty_commands_cost_one_password(
    enter: Callable[..., Connection], host: Host, way: tuple[str, Become, str]
) -> None:
    account, become, once = way
    connection = enter(account)
    for number in range(50):
        assert text(connection, Script('echo "$1"', (str(number),)), become) == f"{number}\n"
    assert passwords(host) == ([once] if once else [])


def test_the_password_is_in_no_process_list(
    enter: Callable[..., Connection], host: Host, way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    begun = threading.Event()
    host.exec(["mkfifo", "/srv/wait"], check=True)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(
            connection.run,
            Script('echo begun; cat "$1"', ("/srv/wait",)),
            timeout=20,
            become=become,
            listener=lambda *_: begun.set(),
        )
        assert begun.wait(20)
        script = 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; echo >"$1"; rm "$1"'
        said = host.exec(["sh", "-c", script, "sh", "/srv/wait"]).stdout
        assert running.result(20).status == 0
    assert "cmdline" in said
    assert become.method in said
    for secret in (PASSWORD, ROOT_PASSWORD):
        assert secret not in said


def test_at_the_deadline_what_ran_as_root_is_killed(
    enter: Callable[..., Connection], host: Host, way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    script = Script('trap "" TERM; echo begun; sleep 63.25 & sleep 63.25')
    with pytest.raises(DeadlineExceeded, match=r"not done within 1 s; it was ended") as caught:
        connection.run(script, timeout=1, become=become)
    assert caught.value.found["stdout"] == "begun\n"
    assert "sleep 63.25" not in host.exec(["ps", "-eo", "args"]).stdout
    assert text(connection, Argv(("id", "-un")), become) == "root\n"


def test_an_interrupt_ends_what_runs_as_root(
    enter: Callable[..., Connection], host: Host, way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    connection = enter(account)
    begun = threading.Event()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(
            connection.run,
            Script("echo begun; sleep 64.25"),
            timeout=60,
            become=become,
            listener=lambda *_: begun.set(),
        )
        assert begun.wait(20)
        connection.interrupt()
        assert running.result(20).status == -15
    assert "sleep 64.25" not in host.exec(["ps", "-eo", "args"]).stdout
    assert text(connection, Argv(("id", "-un")), become) == "root\n"


def test_nothing_is_left_behind(
    enter: Callable[..., Connection], host: Host, way: tuple[str, Become, str]
) -> None:
    account, become, _ = way
    host.exec(["mkdir", "-p", "-m", "1777", "/srv/tmp"], check=True)  # /tmp is shared with others
    host.sshd(2356, {"SetEnv": "TMPDIR=/srv/tmp"})
    before = processes(host)
    connection = enter(account, ansible_port=2356)
    ours = Resources(connection)
    text(connection, Argv(("true",)), become)
    connection.run(Argv(("cat",)), stdin=b"x", timeout=20, become=become)
    assert eventually(ours.back)
    connection.close()
    assert eventually(lambda: processes(host) <= before)
    assert host.exec(["find", "/srv/tmp", "-user", account]).stdout == ""


# ── to whom ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("account", "method"), [("asked", "sudo"), ("doasked", "doas")])
def test_another_account_than_root(
    enter: Callable[..., Connection], account: str, method: BecomeMethod
) -> None:
    connection = enter(account)
    other = Become(OTHER, method, PASSWORD)
    script = Script('id -un; pwd; touch mine; ls -A; cat /etc/hostname "$1"', ("mine",))
    assert text(connection, script, other).startswith(f"{OTHER}\n{HOMES}/{OTHER}\nmine\n")
    with pytest.raises(DeadlineExceeded, match="it was ended"):
        connection.run(Script('trap "" TERM; sleep 65.25 & sleep 65.25'), timeout=1, become=other)
    assert "sleep 65.25" not in text(connection, Argv(("ps", "-eo", "args")), None)


def test_several_accounts_at_once_share_the_sessions(
    host: Host, enter: Callable[..., Connection]
) -> None:
    host.sshd(2350, {"MaxSessions": "3"})
    connection = enter("asked", ansible_port=2350)
    whom = [None, Become(password=PASSWORD), Become(OTHER, password=PASSWORD)] * 6

    def name(become: Become | None) -> str:
        return text(connection, Script("sleep 0.05; id -un"), become).strip()

    with ThreadPoolExecutor(len(whom)) as pool:
        names = list(pool.map(name, whom))
    assert names == ["asked", "root", OTHER] * 6


def test_the_account_that_we_are_needs_no_climb(
    host: Host, enter: Callable[..., Connection]
) -> None:
    assert text(enter("root"), Argv(("id", "-un")), Become(method="doas")) == "root\n"
    assert text(enter("norule"), Argv(("id", "-un")), Become("norule")) == "norule\n"
    assert text(enter("root"), Argv(("id", "-un")), Become(OTHER)) == f"{OTHER}\n"
    assert passwords(host) == []


def test_busyboxs_su_asks_in_another_place(host: Host, enter: Callable[..., Connection]) -> None:
    script = "mkdir -p /srv/busybox; cp /bin/busybox /srv/busybox/su; chmod 4755 /srv/busybox/su"
    host.exec(["sh", "-c", script], check=True)
    host.sshd(2355, {"SetEnv": "PATH=/srv/busybox:/usr/bin:/bin"})
    connection, root = enter("norule", ansible_port=2355), Become("root", "su", ROOT_PASSWORD)
    assert text(connection, Script("id -un; pwd"), root) == "root\n/srv/root\n"
    with pytest.raises(DialRefused, match=r"no such socket"):
        connection.dial(Unix("/nowhere"), timeout=20, become=root)
    with pytest.raises(BecomeRefused, match="the password is wrong"):
        connection.run(Argv(("id",)), timeout=20, become=Become(method="su", password=PASSWORD))


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def test_files_are_written_and_read_as_the_account(
    host: Host, enter: Callable[..., Connection]
) -> None:
    connection, root = enter("asked"), Become(password=PASSWORD)
    connection.put(b"data", "/srv/of root", 0o600, timeout=20, become=root)
    assert host.exec(["stat", "-c", "%U %a", "/srv/of root"]).stdout == "root 600\n"
    assert connection.get("/srv/of root", 3, timeout=20, become=root) == b"dat"
    with pytest.raises(HostError, match="Permission denied"):
        connection.get("/srv/of root", 3, timeout=20)
    with pytest.raises(HostError, match="Permission denied"):
        connection.put(b"other", "/srv/of root", 0o600, timeout=20)
    with pytest.raises(HostError, match=r"get /nothing: .*No such file"):
        connection.get("/nothing", 3, timeout=20, become=root)


# ── refusals ──────────────────────────────────────────────────────────────────────────────────

REFUSALS = [
    ("asked", Become(), "sudo to root: it wants a password: -K asks for it, or set ansible_become"),
    ("norule", Become(), "it wants a password"),
    ("norule", Become(password=PASSWORD), "its rules do not let .*: norule is not in the sudoers"),
    ("onlyid", Become(), "it wants a password"),
    ("onlyid", Become(password=PASSWORD), "its rules do not let the login account run /bin/sh as"),
    ("free", Become("nobody-here"), "sudo to nobody-here: there is no such account: .*nobody-here"),
    ("terminal", Become(), "it wants a password"),
    ("asked", Become(method="su"), "su to root: it wants a password"),
    ("asked", Become("nobody-here", "su"), "there is no such account: .*nobody-here"),
    ("root", Become(NO_SHELL, "su"), "the account has no login shell; sudo needs none"),
    ("doasked", Become(method="doas"), "doas to root: it wants a password"),
    ("norule", Become(method="doas", password=PASSWORD), "its rules do not let the login account"),
    ("doasked", Become("nobody-here", "doas", PASSWORD), "there is no such account"),
]


@pytest.mark.parametrize(("account", "become", "why"), REFUSALS)
def test_a_refusal_says_what_is_wrong(
    enter: Callable[..., Connection], account: str, become: Become, why: str
) -> None:
    connection = enter(account)
    with pytest.raises(BecomeRefused, match=why) as caught:
        connection.run(Script("echo no >&2"), timeout=20, become=become)
    assert caught.value.message.startswith(f"{account}@")
    assert text(connection, Argv(("id", "-un")), None) == f"{account}\n"


@pytest.mark.parametrize("method", ["sudo", "su", "doas"])
def test_a_method_that_is_not_there(
    host: Host, enter: Callable[..., Connection], method: BecomeMethod
) -> None:
    port = 2351 + ["sudo", "su", "doas"].index(method)
    few = "mkdir -p /srv/few; ln -sf /usr/bin/id /usr/bin/uname /srv/few"
    host.exec(["sh", "-c", few], check=True)
    host.sshd(port, {"SetEnv": "PATH=/srv/few"})
    connection = enter("free", ansible_port=port)
    with pytest.raises(BecomeRefused, match=f"{method} to root: it is not installed"):
        connection.run(Script("echo no"), timeout=20, become=Become(method=method))


def test_a_server_without_terminals_is_told(host: Host, enter: Callable[..., Connection]) -> None:
    host.sshd(2354, {"PermitTTY": "no"})
    connection = enter("doasked", ansible_port=2354)
    with pytest.raises(BecomeRefused, match=r"gives no terminal \(PermitTTY\)"):
        connection.run(Script("id"), timeout=20, become=Become(method="doas", password=PASSWORD))


WRONG = [
    ("asked", Become(password="wr ong'$"), "sudo asked", "that of the login account"),
    ("terminal", Become(password="wrong"), "sudo terminal", "that of the login account"),
    ("norule", Become(method="su", password=PASSWORD), "su root", "that of root"),
    ("doasked", Become(method="doas", password="wrong"), "doas doasked", "that of the login acc"),
]


@pytest.mark.parametrize(("account", "become", "once", "whose"), WRONG)
def test_a_wrong_password_is_tried_once_by_however_many(
    enter: Callable[..., Connection],
    host: Host,
    account: str,
    become: Become,
    once: str,
    whose: str,
) -> None:
    connection = enter(account)
    together = threading.Barrier(8)

    def attempt(_: int) -> str:
        together.wait()
        with pytest.raises(BecomeRefused) as caught:
            connection.run(Script("echo no"), timeout=20, become=become)
        return caught.value.message

    with ThreadPoolExecutor(8) as pool:
        [said] = set(pool.map(attempt, range(8)))
    assert re.search(f"the password is wrong: it takes {whose}.*; it is not tried again", said)
    connection.interrupt()  # ends the link: the next use opens another one
    with pytest.raises(BecomeRefused, match="the password is wrong"):
        connection.run(Script("echo no"), stdin=b"x", timeout=20, become=become)
    assert passwords(host) == [once]
    right = Become(become.user, become.method, ROOT_PASSWORD if become.method == "su" else PASSWORD)
    assert text(connection, Argv(("id", "-un")), right) == "root\n"


def test_a_password_that_gets_no_answer_is_not_sent_again(
    host: Host, enter: Callable[..., Connection]
) -> None:
    connection, root = enter("slow"), Become(password=PASSWORD)
    for _ in range(2):
        with pytest.raises(BecomeRefused, match="it took the password and said no more in time"):
            connection.run(Script("echo no"), timeout=1, become=root)
    assert passwords(host) == ["sudo slow"]


def test_an_interrupt_ends_a_climb_and_nothing_is_held_against_it(
    host: Host, enter: Callable[..., Connection]
) -> None:
    connection, root = enter("slow"), Become(password=PASSWORD)
    with ThreadPoolExecutor() as pool:
        climbing = pool.submit(connection.run, Script("echo no"), timeout=60, become=root)
        assert eventually(lambda: passwords(host, keep=True) == ["sudo slow"])
        connection.interrupt()
        with pytest.raises(Unreachable, match="the connection was cut off; nothing was run"):
            climbing.result(20)
    assert text(connection, Argv(("id", "-un")), None) == "slow\n"
