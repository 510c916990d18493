"""A command of another account ends by its deadline, as one of the login account does."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv, Become, Script
from engine.connections.links import Links
from engine.errors import DeadlineExceeded, LinkLost
from tests.connections.helpers import eventually, settings_for
from tests.lab.accounts import OTHER, PASSWORD, ROOT_PASSWORD
from tests.lab.faults import kill_sshd, sshd_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from engine.connections.base import Connection, Finished
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

PORT = 2275

WAYS = {
    "sudo": ("asked", Become(password=PASSWORD)),
    "sudo to nobody special": ("free", Become(OTHER)),
    "sudo on a terminal": ("terminal", Become(password=PASSWORD)),
    "su": ("norule", Become(method="su", password=ROOT_PASSWORD)),
    "doas": ("doasfree", Become(OTHER, method="doas")),
}
STAYS = (
    'trap "" TERM; sleep "$1"; :',
    'setsid sleep "$1"; :',
    '(sleep "$1" >/dev/null 2>&1 </dev/null &); sleep "$1"',
)
"""How a command may overstay, for so many seconds; the last one's child is in its group alone."""


@pytest.fixture
def host(lab_accounts: Lab) -> Iterator[Host]:
    lab_accounts.h1.sshd(PORT)
    yield lab_accounts.h1
    kill_sshd(lab_accounts.h1, PORT)


@pytest.fixture
def enter(host: Host) -> Iterator[Callable[[str], Connection]]:
    """Connections to the host as an account."""
    made: list[Links] = []

    def enter(account: str) -> Connection:
        made.append(Links({"h1": settings_for(host, ansible_user=account, ansible_port=PORT)}))
        return made[-1].get("h1")

    yield enter
    for links in made:
        links.close()


@pytest.fixture
def mark() -> str:
    """A number of seconds that no other process sleeps for."""
    return f"{100_000 + secrets.randbelow(900_000)}.625"


def asleep(host: Host, mark: str) -> bool:
    return host.exec(["pgrep", "-f", f"^sleep {mark}$"]).returncode == 0


def cut(host: Host) -> None:
    """End the host's links; sshd serves an account that is not root by two processes."""
    first = sshd_sessions(host, PORT)
    script = 'for p; do ps -o pid= --ppid "$p"; done'
    second = host.exec(["sh", "-c", script, "sh", *first]).stdout.split()
    host.exec(["kill", "-KILL", *first, *second], check=True)


@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["in a shell", "in a session"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_it_stays(
    host: Host, enter: Callable[[str], Connection], mark: str, way: str, stdin: bytes
) -> None:
    account, become = WAYS[way]
    connection = enter(account)
    for script in STAYS:
        assert connection.run(Argv(("true",)), timeout=20, become=become).status == 0
        with pytest.raises(DeadlineExceeded, match=r"not done within 2 s; it was ended"):
            connection.run(Script(script, (mark,)), stdin=stdin, timeout=2, become=become)
        assert not asleep(host, mark), script
    said = connection.run(Argv(("echo", "next")), timeout=20, become=become).stdout.text
    assert said == "next\n"


def test_what_an_earlier_command_of_the_account_left_running_is_left_alone(
    host: Host, enter: Callable[[str], Connection], mark: str
) -> None:
    connection, become = enter("free"), Become(OTHER)
    leave = Script('sleep "$1" >/dev/null 2>&1 </dev/null &', (mark,))
    assert connection.run(leave, timeout=20, become=become).status == 0
    with pytest.raises(DeadlineExceeded, match="it was ended"):
        connection.run(Argv(("sleep", "64.5")), timeout=1.5, become=become)
    assert asleep(host, mark)
    assert connection.run(Argv(("pkill", "-f", f"^sleep {mark}$")), timeout=20, become=become)


def begin(
    pool: ThreadPoolExecutor, connection: Connection, script: Script, timeout: float
) -> Future[Finished]:
    """Start a script as another account; returns when it has said something."""
    begun = threading.Event()
    running = pool.submit(
        connection.run,
        script,
        timeout=timeout,
        become=Become(OTHER),
        listener=lambda *_: begun.set(),
    )
    assert begun.wait(20)
    return running


def test_the_host_ends_it_when_its_link_has_died(
    host: Host, enter: Callable[[str], Connection], mark: str
) -> None:
    connection = enter("free")
    script = Script("trap '' TERM HUP; echo begun; sleep \"$1\"; :", (mark,))
    with ThreadPoolExecutor(1) as pool:
        running = begin(pool, connection, script, 5)
        assert eventually(lambda: asleep(host, "1"))  # the host's timer
        cut(host)
        with pytest.raises(LinkLost):
            running.result(30)
    assert eventually(lambda: not asleep(host, mark), 30)


def test_one_that_was_cut_off_early_is_told_of_before_the_next_of_any_account(
    host: Host, enter: Callable[[str], Connection], mark: str
) -> None:
    connection = enter("free")
    # With its output elsewhere it has no reason to end by itself.
    script = Script("trap '' TERM HUP; echo begun; exec >/dev/null 2>&1; sleep \"$1\"; :", (mark,))
    with ThreadPoolExecutor(1) as pool:
        running = begin(pool, connection, script, 3)
        cut(host)
        with pytest.raises(LinkLost):
            running.result(30)
    assert connection.run(Argv(("echo", "next")), timeout=20).stdout.text == "next\n"
    assert eventually(lambda: not asleep(host, mark), 30)
