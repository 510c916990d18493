"""Hosts that nobody reaches directly: over jump hosts and through commands."""

from __future__ import annotations

import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Script
from engine.connections.links import Links
from engine.connections.settings import Settings
from engine.connections.ssh_config import SshConfigs
from engine.errors import InputError, Unreachable
from tests.connections.helpers import Resources, eventually
from tests.lab.behind import Behind
from tests.lab.sshd import ClientKey, make_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.connections.base import Connection
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def _no_keys_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def far_key(tmp_path_factory: pytest.TempPathFactory) -> ClientKey:
    return make_key(tmp_path_factory.mktemp("far") / "id_ed25519")


@pytest.fixture(scope="module")
def inner(lab: Lab, far_key: ClientKey) -> Iterator[Behind]:
    """A machine behind h1; its key is another one."""
    machine = Behind("inner", 1, lab.h1, far_key, lab.h1.known_hosts)
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def deep(inner: Behind, lab: Lab, far_key: ClientKey) -> Iterator[Behind]:
    """A machine behind that one."""
    machine = Behind("deep", 2, inner, far_key, lab.h1.known_hosts)
    yield machine
    machine.close()


class Config:
    """An ssh_config with entries for the lab's hosts, which tests add to."""

    def __init__(self, path: Path, lab: Lab, inner: Behind, deep: Behind, key: Path) -> None:
        self.path = path
        self.configs = SshConfigs((path,))
        self._entries = f"""
            Host bastion
                HostName {lab.h1.address}
                User root
                IdentityFile {lab.h1.key_path}
            Host inner
                HostName {inner.address}
            Host deep
                HostName {deep.address}
            Host inner deep
                User root
                IdentityFile {key}
            Host *
                UserKnownHostsFile {lab.h1.known_hosts}
                GlobalKnownHostsFile none
        """
        self.first("")

    def first(self, text: str) -> None:
        """Put entries above the others."""
        self.path.write_text(f"{text}\n{self._entries}")

    def settings(self, host: str, **variables: object) -> Settings:
        return Settings.from_variables(host, variables, configs=self.configs)


@pytest.fixture
def config(tmp_path: Path, lab: Lab, inner: Behind, deep: Behind, far_key: ClientKey) -> Config:
    return Config(tmp_path / "config", lab, inner, deep, far_key.path)


@pytest.fixture
def opened() -> Iterator[Callable[[Settings], Connection]]:
    made: list[Links] = []

    def open_(settings: Settings) -> Connection:
        made.append(Links({settings.name: settings}))
        return made[-1].get(settings.name)

    yield open_
    for links in made:
        links.close()


def arrived(connection: Connection) -> tuple[str, str, str]:
    """Where a command runs: the host's name, and from where to where its link leads."""
    said = connection.run(Script("hostname; echo $SSH_CONNECTION"), timeout=20).stdout.text
    name, client, _, server, _ = said.split()
    return name, client, server


def refusal(settings: Settings) -> str:
    links = Links({settings.name: settings})
    try:
        with pytest.raises(Unreachable) as caught:
            links.get(settings.name).run(Script("true"), timeout=20)
    finally:
        links.close()
    return caught.value.message


def entries(host: Host, port: int = 22) -> int:
    """How many logins an sshd of the host has let in."""
    log = host.exec(["cat", f"/srv/ssh/log-{port}"], check=True).stdout
    return log.count("Accepted publickey")


# ── over jump hosts ───────────────────────────────────────────────────────────────────────────


def test_a_host_behind_another_is_reached_through_it(
    config: Config, opened: Callable[[Settings], Connection], inner: Behind
) -> None:
    config.first("Host inner\n ProxyJump bastion")
    connection = opened(config.settings("inner"))
    assert arrived(connection) == ("inner", inner.gateway, inner.address)


def test_several_hops_in_one_line(
    config: Config, opened: Callable[[Settings], Connection], deep: Behind
) -> None:
    config.first("Host deep\n ProxyJump bastion,inner")
    assert arrived(opened(config.settings("deep"))) == ("deep", deep.gateway, deep.address)


def test_a_jump_host_may_have_a_jump_host_of_its_own(
    config: Config, opened: Callable[[Settings], Connection], deep: Behind
) -> None:
    config.first("Host deep\n ProxyJump inner\nHost inner\n ProxyJump bastion")
    assert arrived(opened(config.settings("deep"))) == ("deep", deep.gateway, deep.address)


def test_an_inventory_names_its_jump_host(
    config: Config, opened: Callable[[Settings], Connection], inner: Behind
) -> None:
    settings = config.settings("db", ansible_host="inner", ansible_ssh_common_args="-J bastion")
    assert arrived(opened(settings)) == ("inner", inner.gateway, inner.address)


def test_user_and_port_of_a_hop_are_in_its_name(
    config: Config, opened: Callable[[Settings], Connection], lab: Lab
) -> None:
    lab.h1.sshd(2241, {"AllowUsers": "deploy"})
    config.first("Host inner\n ProxyJump deploy@bastion:2241")
    before = entries(lab.h1, 2241)
    assert arrived(opened(config.settings("inner")))[0] == "inner"
    assert entries(lab.h1, 2241) == before + 1


def test_hosts_behind_one_jump_host_share_its_link(
    config: Config, lab: Lab, inner: Behind, far_key: ClientKey
) -> None:
    lab.h1.sshd(2242)
    names = [f"inner{number}" for number in range(8)]
    own = f"HostName {inner.address}\n User root\n IdentityFile {far_key.path}"
    config.first(f"Host inner*\n ProxyJump bastion:2242\n {own}")
    links = Links({name: config.settings(name) for name in names})
    try:
        with ThreadPoolExecutor(8) as pool:
            reached = list(pool.map(lambda name: arrived(links.get(name))[0], names))
    finally:
        links.close()
    assert reached == ["inner"] * 8
    assert entries(lab.h1, 2242) == 1


def test_a_jump_host_that_went_away_is_entered_again(config: Config, lab: Lab) -> None:
    lab.h1.sshd(2243)
    config.first("Host inner\n ProxyJump bastion:2243")
    links = Links({"inner": config.settings("inner")})
    connection = links.get("inner")
    try:
        assert arrived(connection)[0] == "inner"
        sessions = lab.h1.exec(["ss", "-Htnp", "state", "established", "sport", "=", ":2243"])
        for pid in re.findall(r"pid=(\d+)", sessions.stdout):
            lab.h1.exec(["kill", "-KILL", pid], check=True)
        assert eventually(lambda: not connection.alive)
        assert arrived(connection)[0] == "inner"
    finally:
        links.close()
    assert entries(lab.h1, 2243) == 2


def test_nothing_is_left_behind(config: Config) -> None:
    config.first("Host inner\n ProxyJump bastion")
    near = Links({"bastion": config.settings("bastion")})
    resources = Resources(near.get("bastion"))
    links = Links({"inner": config.settings("inner")})
    assert arrived(links.get("inner"))[0] == "inner"
    links.close()
    assert resources.back()
    near.close()


# ── what can be wrong with them ───────────────────────────────────────────────────────────────


def test_a_circle_is_told_before_anything_is_contacted(config: Config) -> None:
    config.first("Host inner\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a")
    with pytest.raises(InputError, match="ProxyJump goes round in a circle: a → b → a"):
        config.settings("inner")


def test_a_jump_host_that_every_entry_names_is_told_how_to_be_left_out(config: Config) -> None:
    config.first("Host *\n ProxyJump bastion")
    with pytest.raises(InputError, match="bastion → bastion — give bastion an entry") as caught:
        config.settings("inner")
    assert str(caught.value).startswith(f"host 'inner': {config.path}:2: ")


def test_an_unknown_jump_host_is_named(config: Config) -> None:
    config.first("Host inner\n ProxyJump gate.invalid")
    said = refusal(config.settings("inner"))
    assert said.startswith("198.18.1.2 port 22: jump host gate.invalid: the name 'gate.invalid'")


def test_a_jump_host_whose_key_is_unknown_is_named_before_its_login(
    config: Config, lab: Lab
) -> None:
    lab.h1.sshd(2244)
    text = lab.h1.known_hosts.read_text()
    kept = [line for line in text.splitlines() if "]:2244 " not in line and "10." not in line[:3]]
    other = config.path.with_name("known")
    other.write_text("\n".join(kept))
    config.first(f"Host inner\n ProxyJump bastion:2244\nHost bastion\n UserKnownHostsFile {other}")
    said = refusal(config.settings("inner"))
    address = lab.h1.address
    hop = "198.18.1.2 port 22: jump host bastion:2244"
    assert said.startswith(f"{hop}: the host key of {address} port 2244 is unknown: it shows ")
    assert said.endswith(f"ssh-keyscan -p 2244 {address} >> {other}")
    assert entries(lab.h1, 2244) == 0


def test_an_inner_hosts_unknown_key_is_mended_by_what_is_said(
    config: Config, opened: Callable[[Settings], Connection]
) -> None:
    known = config.path.with_name("known")
    config.first(f"Host inner\n ProxyJump bastion\n UserKnownHostsFile {known}")
    said = refusal(config.settings("inner"))
    # ssh-keyscan does not get there from here: the line itself is said.
    _, _, command = said.rpartition("trust it with: ")
    echo, line, arrow, path = shlex.split(command)
    assert (echo, arrow, path) == ("echo", ">>", str(known))
    known.write_text(f"{line}\n")
    assert arrived(opened(config.settings("inner")))[0] == "inner"


def test_a_jump_host_that_lets_nobody_through_is_named(config: Config, lab: Lab) -> None:
    lab.h1.sshd(2245, {"AllowTcpForwarding": "no"})
    config.first("Host inner\n ProxyJump bastion:2245")
    assert refusal(config.settings("inner")) == (
        "198.18.1.2 port 22: jump host bastion:2245 forbids it (AllowTcpForwarding, PermitOpen)"
    )


def test_a_closed_port_behind_a_jump_host_is_told(config: Config) -> None:
    config.first("Host inner\n ProxyJump bastion")
    said = refusal(config.settings("inner", ansible_port=1))
    assert said == "198.18.1.2 port 1: jump host bastion cannot reach it: Connection refused"


def test_a_jump_host_that_does_not_let_us_in_is_named(config: Config) -> None:
    config.first("Host inner\n ProxyJump stranger@bastion")
    said = refusal(config.settings("inner"))
    assert "jump host stranger@bastion: stranger@" in said
    assert "login refused: tried key" in said


def test_a_jump_host_that_is_down_is_tried_once(config: Config) -> None:
    config.first("Host inner*\n HostName 198.18.1.2\n ProxyJump bastion:1")
    links = Links({name: config.settings(name) for name in ("inner1", "inner2")})
    said = []
    for name in ("inner1", "inner2"):
        with pytest.raises(Unreachable) as caught:
            links.get(name).run(Script("true"), timeout=20)
        said.append(caught.value.message)
    links.close()
    assert said[0] == said[1]
    assert "jump host bastion:1: " in said[0]
    assert "connection refused" in said[0]


@pytest.mark.parametrize("jump", ["", "a b", "-oProxyCommand=x", "a:0", "a:99999", "@a", "a,,b"])
def test_a_jump_that_names_no_host_is_told(jump: str) -> None:
    arguments = f"-J {shlex.quote(jump)}"
    with pytest.raises(InputError, match=r"proxyjump has no value|ProxyJump .* names no host"):
        Settings.from_variables("inner", {"ansible_ssh_common_args": arguments})


# ── through commands ──────────────────────────────────────────────────────────────────────────


def test_a_host_is_reached_through_a_command(
    config: Config, opened: Callable[[Settings], Connection], inner: Behind
) -> None:
    config.first(f"Host inner\n ProxyCommand ssh -F {config.path} -W %h:%p bastion")
    assert arrived(opened(config.settings("inner"))) == ("inner", inner.gateway, inner.address)


def test_a_command_ends_with_its_link(config: Config) -> None:
    pid = config.path.with_name("pid")
    script = config.path.with_name("proxy")
    script.write_text(f"echo $$ >{pid}\nexec busybox nc $1 $2\n")
    config.first(f"Host bastion\n ProxyCommand sh {script} %h %p")
    links = Links({"bastion": config.settings("bastion")})
    assert arrived(links.get("bastion"))[0] == "h1"
    running = Path("/proc", pid.read_text().strip())
    assert running.exists()
    links.close()
    assert not running.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sh -c 'echo no way through >&2; exit 3'", "it ended with status 3: no way through"),
        ("/nowhere/at/all", "it ended with status 127: "),
    ],
)
def test_a_command_that_fails_is_told_with_its_last_words(
    config: Config, command: str, said: str
) -> None:
    config.first(f"Host bastion\n ProxyCommand {command}")
    message = refusal(config.settings("bastion"))
    assert f" port 22: ProxyCommand {command!r}: {said}" in message


def test_a_name_that_a_shell_would_obey_is_put_into_no_command() -> None:
    arguments = "-o 'ProxyCommand=nc %h %p'"
    variables = {"ansible_ssh_common_args": arguments, "ansible_host": "$(touch${IFS}x)"}
    with pytest.raises(InputError, match="cannot be put into a command line"):
        Settings.from_variables("inner", variables)
