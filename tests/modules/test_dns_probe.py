from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine.contract import ModuleFailed
from tests.lab.dnsmasq import dns_server
from tests.modules.fakes import FakeConnection, here, target
from tests.modules.sequence import module, probe
from tests.modules.shells import Shell, tools
from tests.modules.windows import script_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.connections.base import OsFamily
    from engine.connections.links import Links
    from engine.contract import Target
    from tests.lab.lab import Host, Lab
    from tests.modules.sequence import Outcome


def saying(text: str, family: OsFamily = "linux", **args: Any) -> Outcome:
    """What the module makes of what a host says."""
    host = FakeConnection([(0, text, "")], family=family)
    return probe("dns_probe", {"name": "shop.lab.test", **args}, target(host))


def test_this_machines_own_resolver() -> None:
    outcome = probe("dns_probe", {"name": "localhost"}, here())
    assert set(outcome.seen["answers"]) & {"127.0.0.1", "::1"}
    assert (outcome.seen["by"], outcome.seen["error"]) == ("getent", None)
    assert (outcome.seen["ttl"], outcome.seen["aliases"]) == (None, [])
    assert 0 < outcome.seen["elapsed"] < 10
    assert outcome.finding is None
    assert ".1 in " in outcome.summary or "::1 in " in outcome.summary


def test_addresses_are_told_once_and_in_order() -> None:
    text = (
        "getent\nfd00::1         STREAM shop\nfd00::1         DGRAM\n"
        "10.0.0.1        STREAM\nfe80::1%eth0    RAW\n"
    )
    assert saying(text).seen["answers"] == ["fd00::1", "10.0.0.1", "fe80::1%eth0"]


def test_a_name_that_does_not_resolve_is_a_finding() -> None:
    outcome = saying("getent\n")
    assert (outcome.seen["answers"], outcome.seen["error"]) == ([], "no such name")
    assert outcome.finding == "shop.lab.test does not resolve: no such name"
    assert outcome.summary == outcome.finding


TWO = "getent\n10.0.0.2 STREAM shop\nfd00::2 STREAM\n"


@pytest.mark.parametrize(
    ("expected", "finding"),
    [
        (["10.0.0.2", "fd00::2"], None),
        (["FD00:0::2", "10.0.0.2"], None),
        ("10.0.0.2", "shop.lab.test is 10.0.0.2, fd00::2, expected 10.0.0.2"),
        (
            ["10.0.0.2", "fd00::2", "10.0.0.3"],
            "shop.lab.test is 10.0.0.2, fd00::2, expected 10.0.0.2, fd00::2, 10.0.0.3",
        ),
    ],
)
def test_another_answer_is_a_finding(expected: str | list[str], finding: str | None) -> None:
    assert saying(TWO, expected=expected).finding == finding


def test_many_answers_are_told_in_short() -> None:
    text = "getent\n" + "".join(f"10.0.0.{n} STREAM\n" for n in range(1, 7))
    four = "\n".join(text.splitlines()[:5])
    assert saying(four).summary.startswith("10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 in ")
    told = saying(text).summary
    assert told.startswith("10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 2 others in ")
    text = "getent\n" + "".join(f"10.0.{n}.1 STREAM\n" for n in range(255))
    assert len(saying(text).seen["answers"]) == 100


MACOS = """\
dscacheutil
name: shop.lab.test
ipv6_address: fd00::1

name: shop.lab.test
ip_address: 10.0.0.1
"""


def test_macos() -> None:
    seen = saying(MACOS, "macos").seen
    assert (seen["answers"], seen["by"]) == (["fd00::1", "10.0.0.1"], "dscacheutil")


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        ({"name": "a.lab.test", "type": "A"}, ("a.lab.test.", "A", "")),
        ({"name": "a", "type": "A", "server": "10.0.0.53"}, ("a", "A", "10.0.0.53")),
        ({"name": "a.lab.test"}, ("a.lab.test", "", "")),
        ({"name": "fd00::1", "type": "PTR"}, (f"1.0.{'0.' * 26}0.0.d.f.ip6.arpa.", "PTR", "")),
    ],
)
def test_a_whole_name_is_not_searched_for_elsewhere(
    args: dict[str, str], asked: tuple[str, ...]
) -> None:
    host = FakeConnection([(0, "dig\n", "")])
    probe("dns_probe", args, target(host))
    assert host.commands[0].args == asked


def test_a_host_without_any_tool_is_a_failure() -> None:
    said = "neither dig nor host nor nslookup is there"
    host = FakeConnection([(99, f"{said}\n", "")])
    with pytest.raises(ModuleFailed, match=f"cannot resolve: {said}"):
        probe("dns_probe", {"name": "x", "type": "A"}, target(host))


def windows(answer: str, **args: Any) -> tuple[Outcome, str, dict[str, Any]]:
    host = FakeConnection([(0, answer, "")], family="windows")
    outcome = probe("dns_probe", {"name": "lab.test", **args}, target(host))
    return outcome, *script_of(host.commands[0])


def test_windows() -> None:
    answer = (
        '{"records":[{"ttl":300,"data":"10 mail.lab.test","type":"MX"},'
        '{"ttl":60,"data":"10.0.0.1","type":"A"}],"problem":""}\r\n'
    )
    outcome, text, given = windows(answer, type="MX", server="10.0.0.53")
    assert outcome.seen["answers"] == ["10 mail.lab.test"]
    assert (outcome.seen["ttl"], outcome.seen["by"]) == (300, "Windows")
    assert given == {"name": "lab.test", "type": "MX", "server": "10.0.0.53"}
    assert "Resolve-DnsName @options" in text
    none = '{"records":[],"problem":"lab.test : DNS name does not exist"}'
    outcome, _, given = windows(none)
    assert outcome.finding == "lab.test does not resolve: lab.test : DNS name does not exist"
    assert given["type"] == ""


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"name": ""},
        {"name": "-x"},
        {"name": "@8.8.8.8"},
        {"name": "+trace"},
        {"name": "a b"},
        {"name": "$(id)"},
        {"name": "x", "type": "ANY"},
        {"name": "x", "server": "10.0.0.1"},
        {"name": "x", "type": "A", "server": "-x"},
        {"name": "x", "expected": []},
        {"name": "x", "max_time": "soon"},
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        module("dns_probe", args)


MUTE = """
import socket, sys
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("127.0.0.3", 53))
print("ready", flush=True)
sys.stdin.read()
"""
RECORDS = [
    "host-record=shop.lab.test,10.0.0.1,fd00::1,300",
    "host-record=two.lab.test,10.0.0.2",
    "host-record=two.lab.test,10.0.0.3",
    "cname=www.lab.test,shop.lab.test,60",
    "mx-host=lab.test,mail.lab.test,10",
    'txt-record=lab.test,v=spf1 -all, and "more"',
    "srv-host=_sip._tcp.lab.test,sip.lab.test,5060,1,2",
    "ptr-record=1.0.0.10.in-addr.arpa,shop.lab.test",
    "caa-record=lab.test,0,issue,ca.test",
]


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    with dns_server(lab.h1, RECORDS):
        yield lab.h1


@pytest.fixture
def there(host: Host, links: Links) -> Target:
    return target(links.get(host.name))


KITS = {"dig": ["dig"], "host": ["host"], "nslookup": ["nslookup"], "busybox": []}


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest, host: Host, tmp_path: Path) -> Target:
    """The host with this tool alone."""
    path = tools(tmp_path, KITS[request.param])
    if request.param == "busybox":
        tools(tmp_path, ["nslookup"], "/bin/busybox")
    enter = ("nsenter", "-t", str(host.pid), "-m", "-n", "--", "/bin/dash")
    return target(Shell(through=enter, path=path))


QUESTIONS = [
    ({"name": "shop.lab.test", "type": "A"}, ["10.0.0.1"]),
    ({"name": "shop.lab.test", "type": "AAAA"}, ["fd00::1"]),
    ({"name": "two.lab.test", "type": "A"}, ["10.0.0.2", "10.0.0.3"]),
    ({"name": "www.lab.test", "type": "CNAME"}, ["shop.lab.test"]),
    ({"name": "lab.test", "type": "MX"}, ["10 mail.lab.test"]),
    ({"name": "_sip._tcp.lab.test", "type": "SRV"}, ["1 2 5060 sip.lab.test"]),
    ({"name": "10.0.0.1", "type": "PTR"}, ["shop.lab.test"]),
    ({"name": "1.0.0.10.in-addr.arpa", "type": "PTR"}, ["shop.lab.test"]),
]


@pytest.mark.lab
@pytest.mark.parametrize(("args", "answers"), QUESTIONS)
def test_records_of_every_type_by_every_tool(
    args: dict[str, str], answers: list[str], kit: Target
) -> None:
    outcome = probe("dns_probe", args, kit)
    assert sorted(outcome.seen["answers"]) == answers
    assert outcome.finding is None
    assert probe("dns_probe", {**args, "server": "127.0.0.1"}, kit).finding is None


@pytest.mark.lab
def test_the_names_on_the_way_are_told(kit: Target) -> None:
    seen = probe("dns_probe", {"name": "www.lab.test", "type": "A"}, kit).seen
    assert (seen["answers"], seen["aliases"]) == (["10.0.0.1"], ["shop.lab.test"])
    assert seen["ttl"] in {300, None}


@pytest.mark.lab
def test_why_there_is_no_answer(kit: Target) -> None:
    def why(**args: str) -> object:
        return probe("dns_probe", {"type": "A", **args}, kit).seen["error"]

    assert why(name="no.lab.test") == "NXDOMAIN"
    assert why(name="www.example.com") == "REFUSED"
    assert why(name="two.lab.test", type="MX") == "no MX record"
    unreached = why(name="two.lab.test", server="127.0.0.2", max_time="1s")
    assert unreached in {"no servers could be reached", "no answer within 1 s"}


@pytest.mark.lab
def test_text_and_authorities(there: Target) -> None:
    text = probe("dns_probe", {"name": "lab.test", "type": "TXT"}, there)
    assert text.seen["answers"] == ['v=spf1 -all and \\"more\\"']
    authority = probe("dns_probe", {"name": "lab.test", "type": "CAA"}, there)
    assert authority.seen["answers"] == ['0 issue "ca.test"']


@pytest.mark.lab
def test_the_hosts_own_file_counts_unless_dns_is_asked(there: Target) -> None:
    # /etc/hosts of the lab's hosts has it; DNS does not.
    assert probe("dns_probe", {"name": "db.h1", "expected": "127.0.0.1"}, there).finding is None
    asked = probe("dns_probe", {"name": "db.h1", "type": "A"}, there)
    assert asked.seen["error"] in {"REFUSED", "NXDOMAIN"}


@pytest.mark.lab
def test_the_hosts_own_resolver_by_busybox(host: Host, tmp_path: Path) -> None:
    path = tools(tmp_path, ["nslookup"], "/bin/busybox")
    enter = ("nsenter", "-t", str(host.pid), "-m", "-n", "--", "/bin/dash")
    outcome = probe("dns_probe", {"name": "shop.lab.test"}, target(Shell(through=enter, path=path)))
    assert sorted(outcome.seen["answers"]) == ["10.0.0.1", "fd00::1"]
    assert outcome.seen["by"] == "nslookup"


@pytest.mark.lab
def test_a_server_that_never_answers_is_evidence(host: Host, there: Target) -> None:
    mute = host.start([sys.executable, "-c", MUTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert mute.stdout is not None
    assert mute.stdout.readline() == b"ready\n"
    args = {"name": "x.lab.test", "type": "A", "server": "127.0.0.3", "max_time": "500ms"}
    outcome = probe("dns_probe", args, there)
    mute.communicate()
    assert outcome.finding == "x.lab.test does not resolve: no answer within 0.5 s"
