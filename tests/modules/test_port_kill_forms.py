"""What hosts say about listeners, in the forms that they say it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.contract import GuardRefused, ModuleFailed
from tests.modules.fakes import FakeConnection, target
from tests.modules.sequence import act, module

REST = "00000000:00000000 00:00000000 00000000"


def socket(local: str, *, uid: int = 0, inode: int = 77) -> str:
    peer = "0" * len(local.partition(":")[0]) + ":0000"
    return (
        f"socket    0: {local} {peer} 0A {REST} {uid:5} 0 {inode} 1 0000000000000000 100 0 0 10 0"
    )


def stat(pid: int, name: str, *, state: str = "S", parent: int = 1, start: int = 4242) -> str:
    fields = [state, str(parent), *["0"] * 17, str(start), *["0"] * 30]
    return f"stat {pid} ({name}) {' '.join(fields)} "


def seen(lines: list[str], *, family: Any = "linux", uid: int = 0) -> Any:
    subject = module("port_kill", {"port": 8080})
    host = FakeConnection([(0, "\n".join(lines) + "\n", "")], family=family, uid=uid)
    return subject.observe(target(host))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("local", "address"),
    [
        ("00000000:1F90", "0.0.0.0:8080"),
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("0101A8C0:0050", "192.168.1.1:80"),
        ("FE01010A:FFFF", "10.1.1.254:65535"),
        ("0" * 32 + ":1F90", "[::]:8080"),
        ("0" * 24 + "01000000:1F90", "[::1]:8080"),
        ("0000000000000000FFFF00000100007F:1F90", "[::ffff:127.0.0.1]:8080"),
        ("000080FE00000000FF565002BE7D5EFE:0016", "[fe80::250:56ff:fe5e:7dbe]:22"),
        ("B80D0120000000000000000001000000:01BB", "[2001:db8::1]:443"),
    ],
)
def test_addresses(local: str, address: str) -> None:
    found = seen([socket(local), "owner 12 77", stat(12, "x")])
    assert found.addresses == [address]


@pytest.mark.parametrize(
    "name",
    [
        "nginx", "a b", "(x)", "((", "))", ") S 1", "a) R 2 3", "", " ", "-", "'", '"', "$(x)",
        "tmux: server", "Web Content", "kworker/0:1", "java", "é", "\t", "\\", "stat 1 (x)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("state", ["S", "R", "D", "T", "Z", "I"])
def test_names_and_states(name: str, state: str) -> None:
    lines = [socket("00000000:1F90"), "owner 12 77", stat(12, name, state=state, parent=7)]
    (process,) = seen([*lines, "user 12 1000 alice", "command 12 prog  -x y "]).processes
    assert (process.pid, process.name, process.parent) == (12, name, 7)
    assert process.start == "4242"
    assert (process.user, process.command) == ("alice", "prog  -x y")


@pytest.mark.parametrize(
    ("user", "command", "shown"),
    [
        ("user 12 1000 alice", "command 12 x", ("alice", "x")),
        ("user 12 1000 ", "command 12 ", ("1000", "")),
        ("user 12  ", "command 12  ", ("", "")),
        ("other 12", "other 12", ("", "")),
    ],
)
def test_what_is_not_known_is_left_out(user: str, command: str, shown: tuple[str, str]) -> None:
    lines = [socket("00000000:1F90"), "owner 12 77", stat(12, "x"), user, command]
    (process,) = seen(lines).processes
    assert (process.user, process.command) == shown


def test_a_process_that_ended_while_we_looked_is_left_out() -> None:
    lines = [socket("00000000:1F90"), "owner 12 77", "stat ", "user 12  ", "command 12 "]
    found = seen(lines)
    assert (found.processes, found.hidden) == ([], [])


@pytest.mark.parametrize("silence", [[], [""], ["ancestor 5"]])
@pytest.mark.parametrize("family", ["linux", "macos", "posix"])
def test_silence_is_nobody(silence: list[str], family: str) -> None:
    found = seen(silence, family=family)
    assert (found.processes, found.hidden, found.addresses) == ([], [], [])


@pytest.mark.parametrize(
    ("account", "uid", "held", "why"),
    [
        (0, 0, "0", "that is not visible here: in another container, or in the kernel"),
        (1000, 0, "0", "that alice may not look at: needs root (become)"),
        (1000, 33, "33", "that alice may not look at: needs root (become)"),
    ],
)
def test_an_owner_that_cannot_be_seen(account: int, uid: int, held: str, why: str) -> None:
    with pytest.raises(ModuleFailed) as failed:
        seen([socket("00000000:1F90", uid=uid)], uid=account)
    assert failed.value.message == f"port 8080 is held by a process of uid {held} {why}"


def test_one_owner_that_cannot_be_seen_is_enough() -> None:
    lines = [socket("0100007F:1F90", inode=77), socket("00000000:1F90", inode=78, uid=5)]
    with pytest.raises(ModuleFailed, match="uid 5"):
        seen([*lines, "owner 12 77", stat(12, "x")], uid=1000)


def test_several_owners() -> None:
    lines = [socket("00000000:1F90"), "owner 30 77", "owner 4 77", stat(30, "w"), stat(4, "m")]
    found = seen(lines)
    assert [process.pid for process in found.processes] == [4, 30]
    change = module("port_kill", {"port": 8080}).decide(found)  # type: ignore[attr-defined]
    assert change.summary == "m (pid 4), w (pid 30) on port 8080 → ended"


@pytest.mark.parametrize(
    ("pid", "name", "why"),
    [
        (1, "nginx", "the first process: stop the socket or service unit instead"),
        (1, "systemd", "the first process"),
        (9, "sshd", "which is never ended"),
        (9, "sshd-session", "which is never ended"),
        (9, "launchd", "which is never ended"),
        (50, "bash", "which our own connection runs in"),
        (9, "docker-proxy", "for a container: use docker_restart"),
        (9, "dockerd", "for a container: use docker_restart"),
    ],
)
def test_what_is_never_ended(pid: int, name: str, why: str) -> None:
    lines = [socket("00000000:1F90"), f"owner {pid} 77", stat(pid, name), "ancestor 50"]
    host = FakeConnection([(0, "\n".join(lines), "")], refuse=ModuleFailed("no docker"))
    with pytest.raises(GuardRefused, match=why):
        act("port_kill", {"port": 8080}, target(host))
    assert len(host.commands) == 1


@pytest.mark.parametrize(
    ("start", "row", "comm", "expected"),
    [
        (
            "Mon Nov 23 13:37:00 2026",
            "  501     1 alice            /usr/local/bin/node server.js --port 8080 ",
            "/usr/local/bin/node ",
            (501, "node", "alice", 1, "/usr/local/bin/node server.js --port 8080"),
        ),
        (
            "Sun Nov  1 03:04:05 2026",
            "  501   500 _www             httpd",
            "/usr/sbin/httpd",
            (501, "httpd", "_www", 500, "httpd"),
        ),
        (
            "Fri Jan  2 00:00:00 2026",
            "501 1 root (ControlCenter)",
            "/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter",
            (501, "ControlCenter", "root", 1, "(ControlCenter)"),
        ),
        ("Fri Jan  2 00:00:00 2026", "501 1 root", "", (501, "", "root", 1, "")),
    ],
)
@pytest.mark.parametrize("address", ["*:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_macos(start: str, row: str, comm: str, expected: tuple[object, ...], address: str) -> None:
    lines = ["lsof p 501", f"lsof n {address}", f"netstat {address.replace(':8080', '.8080')}"]
    lines += [f"start 501 {start}", f"ps {row}", f"comm 501 {comm}", "ancestor 44"]
    found = seen(lines, family="macos")
    (process,) = found.processes
    name = (process.pid, process.name, process.user, process.parent, process.command)
    assert name == expected
    assert process.start == start
    assert found.addresses == [address]
    assert found.ancestors == [44]
    assert found.hidden == []


@pytest.mark.parametrize("line", ["netstat *.8080", "netstat 127.0.0.1.8080", "netstat ::1.8080"])
def test_macos_shows_an_account_only_its_own(line: str) -> None:
    with pytest.raises(ModuleFailed) as failed:
        seen([line], family="macos", uid=501)
    held = "port 8080 is held by a process of uid unknown"
    assert failed.value.message == f"{held} that alice may not look at: needs root (become)"


def test_a_listing_that_failed_is_a_failure() -> None:
    host = FakeConnection([(3, "", "lsof is not there\n")], family="macos")
    with pytest.raises(ModuleFailed, match="cannot look for listeners: lsof is not there"):
        act("port_kill", {"port": 8080}, target(host))


LISTENS = "\n".join([socket("00000000:1F90"), "owner 12 77", stat(12, "x"), stat(13, "y")])


@pytest.mark.parametrize(
    ("said", "ended", "gone"),
    [
        ("TERM 12\nTERM 13\n", {12: "TERM", 13: "TERM"}, []),
        ("TERM 12\nTERM 13\nKILL 13\n", {12: "TERM", 13: "KILL"}, []),
        ("TERM 13\n", {13: "TERM"}, [12]),
        ("", {}, [12, 13]),
    ],
)
def test_what_was_signalled(said: str, ended: dict[int, str], gone: list[int]) -> None:
    host = FakeConnection([(0, LISTENS, ""), (0, said, ""), (0, "", "")])
    outcome = act("port_kill", {"port": 8080}, target(host))
    assert {each["pid"]: each["signal"] for each in outcome.done["ended"]} == ended
    assert outcome.done["gone"] == gone
    assert host.commands[1].args == ("100", "50", "12", "4242", "13", "4242")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "denied 12\nTERM 13\ndenied 12\nleft 12\n",
            "could not be ended (we have no right to): pid 12",
        ),
        ("TERM 12\nTERM 13\nKILL 12\nleft 12\n", "could not be ended: pid 12"),
    ],
)
def test_what_could_not_be_ended(said: str, why: str) -> None:
    host = FakeConnection([(0, LISTENS, ""), (0, said, "")])
    with pytest.raises(ModuleFailed) as failed:
        act("port_kill", {"port": 8080}, target(host))
    assert failed.value.message == why
    ended = failed.value.found["ended"]
    assert isinstance(ended, list)
    assert 13 in [each["pid"] for each in ended]
