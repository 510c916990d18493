"""Acting as another account on the controller itself; it is a machine of the lab here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.accounts import ACCOUNTS, HOMES, PASSWORD, ROOT_PASSWORD, passwords

if TYPE_CHECKING:
    from engine.connections.base import BecomeMethod
    from tests.connections.helpers import Server
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

PROGRAM = Path(__file__).with_name("acting_here.py")
WAYS: list[tuple[str, BecomeMethod, str | None, list[str]]] = [
    ("asked", "sudo", PASSWORD, ["sudo asked"]),
    ("free", "sudo", None, []),
    ("terminal", "sudo", PASSWORD, ["sudo terminal"]),
    ("norule", "su", ROOT_PASSWORD, ["su root"]),
    ("doasked", "doas", PASSWORD, ["doas doasked"]),
]


@pytest.fixture
def host(lab_accounts: Lab, ssh_server: Server) -> Host:
    """With a server on a socket that is root's."""
    assert ssh_server.path == "/run/echo.sock"
    passwords(lab_accounts.h1)
    return lab_accounts.h1


def acted(host: Host, account: str, become: dict[str, Any], *, left: int = 0) -> dict[str, Any]:
    """What the program says, which runs as this account.

    Args:
        host: where.
        account: its own.
        become: what it is told.
        left: how many processes may be left: PAM's own cannot be ended.
    """
    uid = 4801 + ACCOUNTS.index(account)
    # The account may read as root does: Python is in a place of root's.
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *reads]
    env = {"HOME": f"{HOMES}/{account}", "PYTHONPATH": str(PROGRAM.parents[2])}
    done = host.exec(
        [*argv, sys.executable, str(PROGRAM)], stdin=json.dumps(become), env=env, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout)
    assert said.pop("platform") == account
    assert len(said.pop("left")) <= left
    return said


@pytest.mark.parametrize(
    ("account", "method", "password", "once"), WAYS, ids=[way[0] for way in WAYS]
)
def test_all_that_a_connection_does_is_done_as_the_account(
    host: Host, account: str, method: BecomeMethod, password: str | None, once: list[str]
) -> None:
    said = acted(host, account, {"method": method, "password": password})
    assert said == {
        "who": [3, "root\n/srv/root\nnone\n", "err\n"],
        "shells": 1,
        "cat": [0, 768_000, True],
        "got": "dat",
        "late": "not done within 0.5 s; it was ended",
        "interrupted": -15,
        "streamed": True,
    }
    assert host.exec(["stat", "-c", "%U %a", "/srv/made here"]).stdout == "root 640\n"
    assert passwords(host)[:1] == once[:1]


@pytest.mark.parametrize(
    ("account", "become", "why"),
    [
        ("asked", {}, "BecomeRefused: localhost: sudo to root: it wants a password"),
        ("asked", {"password": "wrong"}, "PasswordRefused: localhost: sudo: the password is"),
        (
            "doasked",
            {"method": "doas", "password": "wrong"},
            "localhost: doas: the password is wrong",
        ),
        pytest.param(
            "norule", {"password": PASSWORD}, "norule is not in the sudoers file", id="no rule"
        ),
        ("free", {"user": "nobody-here"}, "there is no such account"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    host: Host, account: str, become: dict[str, Any], why: str
) -> None:
    said = acted(host, account, become)
    assert said.keys() == {"error"}
    assert why in said["error"]


def test_an_interrupt_ends_a_climb(host: Host) -> None:
    said = acted(host, "slow", {"password": PASSWORD, "interrupt": True}, left=1)
    assert said == {"error": "Unreachable: localhost: the connection was cut off; nothing was run"}
