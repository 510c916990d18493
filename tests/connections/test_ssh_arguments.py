"""`ansible_ssh_common_args` and its like: what maps is obeyed, the rest is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.connections.settings import Defaults, Settings
from engine.connections.ssh_config import SshConfigs
from engine.errors import InputError


def with_arguments(text: str, **variables: Any) -> Settings:
    return Settings.from_variables("app1", {"ansible_ssh_common_args": text, **variables})


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("-p 2222", "port", 2222),
        ("-p2222", "port", 2222),
        ("-o Port=2222", "port", 2222),
        ("-oPort=2222", "port", 2222),
        ("-o 'port 2222'", "port", 2222),
        ("-l deploy", "user", "deploy"),
        ("-o User=deploy", "user", "deploy"),
        ("-i /k1 -i /k2", "private_keys", (Path("/k1"), Path("/k2"))),
        ("-o IdentitiesOnly=yes", "identities_only", True),
        ("-o IdentityAgent=/a/socket", "agent", "/a/socket"),
        ("-o IdentityAgent=none", "agent", "none"),
        ("-o CertificateFile=/c", "certificates", (Path("/c"),)),
        ("-o HostName=10.0.0.7", "address", "10.0.0.7"),
        ("-o HostName=%h.example.com", "address", "app1.example.com"),
        ("-o HostKeyAlias=app", "host_key_alias", "app"),
        ("-o ConnectTimeout=1m30", "timeout", 90),
        ("-o ServerAliveInterval=20", "alive_every", 20),
        ("-o ServerAliveInterval=0", "alive_every", 0),
        ("-o ServerAliveCountMax=7", "alive_count", 7),
        ("-o ProxyCommand='nc %h %p'", "proxy_command", "nc app1 22"),
        (
            '-o UserKnownHostsFile="/a /b" -o GlobalKnownHostsFile=none',
            "known_hosts",
            (Path("/a"), Path("/b")),
        ),
    ],
)
def test_an_argument_that_maps_is_obeyed(arguments: str, name: str, value: object) -> None:
    assert getattr(with_arguments(arguments), name) == value


@pytest.mark.parametrize(
    "arguments",
    [
        "-C -o ControlMaster=auto -o ControlPersist=60s",  # Ansible's own
        "-q -vvv -T -o BatchMode=yes -o LogLevel=ERROR -o Compression=yes",
        "-o StrictHostKeyChecking=yes",
    ],
)
def test_what_has_no_meaning_here_changes_nothing(arguments: str) -> None:
    assert with_arguments(arguments) == Settings.from_variables("app1", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-A", "-A is not supported: it would be passed over"),
        ("-o ForwardAgent=yes", "-o ForwardAgent=yes is not supported: it would be passed over"),
        ("-o Ciphers=aes128-ctr", "-o Ciphers=aes128-ctr is not supported"),
        ("-o ProxyUseFdpass=yes -o ProxyCommand=x", "ProxyUseFdpass is not supported"),
        ("-o RevokedHostKeys=/r", "RevokedHostKeys is not supported"),
        ("-4", "-4 is not supported"),
        ("bastion", "bastion is not supported"),
        ("-o", "-o needs a value"),
        ("-o Port", "-o Port: a keyword needs a value"),
        ("-p ssh", "port must be a port number from 1 to 65535, not 'ssh'"),
        ("-i 'open", "No closing quotation"),
        ("-o HostName=%x", "the token %x is not known"),
        ("-i '/k/${NO_SUCH_VARIABLE}'", "there is no environment variable NO_SUCH_VARIABLE"),
        ("-F /no/such/file", "there is no such ssh_config file: /no/such/file"),
    ],
)
def test_what_would_be_passed_over_is_refused_by_name(arguments: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        with_arguments(arguments)
    assert "host 'app1': " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["no", "off", "accept-new"])
def test_no_argument_weakens_the_check_of_host_keys(value: str) -> None:
    settings = with_arguments(f"-o StrictHostKeyChecking={value}")
    assert settings.remarks == (
        f"ansible_ssh_common_args: StrictHostKeyChecking {value} is passed over: "
        f"a host whose key is not known is always refused",
    )


def test_all_three_variables_are_read() -> None:
    settings = Settings.from_variables(
        "app1",
        {
            "ansible_ssh_args": "-p 1 -i /first",
            "ansible_ssh_common_args": "-p 2 -l second -i /second",
            "ansible_ssh_extra_args": "-l third",
        },
    )
    assert (settings.port, settings.user) == (1, "second")
    assert settings.private_keys == (Path("/first"), Path("/second"))


# ── who has the first word ────────────────────────────────────────────────────────────────────


@pytest.fixture
def configs(tmp_path: Path) -> SshConfigs:
    path = tmp_path / "config"
    path.write_text(
        "Host app1 10.0.0.1\n Port 4\n User config\n IdentityFile /config\n ConnectTimeout 4\n"
    )
    return SshConfigs((path,))


FLAGS = Defaults(user="flag", private_key=Path("/flag"), timeout=3)
ARGUMENTS = "-p 2 -l argument -i /argument -o ConnectTimeout=2"
VARIABLES = {
    "ansible_port": 1,
    "ansible_user": "variable",
    "ansible_ssh_private_key_file": "/variable",
    "ansible_timeout": 1,
}


def test_ssh_config_says_what_nothing_else_says(configs: SshConfigs) -> None:
    found = Settings.from_variables("app1", {}, Defaults(), configs)
    assert (found.port, found.user, found.timeout) == (4, "config", 4)
    assert found.private_keys == (Path("/config"),)


def test_a_flag_says_more_than_ssh_config(configs: SshConfigs) -> None:
    found = Settings.from_variables("app1", {}, FLAGS, configs)
    assert (found.port, found.user, found.timeout) == (4, "flag", 3)
    assert found.private_keys == (Path("/flag"), Path("/config"))


def test_the_inventorys_arguments_say_more_than_a_flag(configs: SshConfigs) -> None:
    arguments = {"ansible_ssh_common_args": ARGUMENTS}
    found = Settings.from_variables("app1", arguments, FLAGS, configs)
    assert (found.port, found.user, found.timeout) == (2, "argument", 2)
    assert found.private_keys == (Path("/argument"), Path("/flag"), Path("/config"))


def test_the_inventorys_variables_say_more_than_anything(configs: SshConfigs) -> None:
    variables = {**VARIABLES, "ansible_ssh_common_args": ARGUMENTS}
    found = Settings.from_variables("app1", variables, FLAGS, configs)
    assert (found.port, found.user, found.timeout) == (1, "variable", 1)
    assert found.private_keys[0] == Path("/variable")


def test_entries_are_looked_up_by_the_address_of_the_inventory(configs: SshConfigs) -> None:
    # Ansible, too, gives ssh the value of ansible_host.
    found = Settings.from_variables("app1", {"ansible_host": "elsewhere"}, None, configs)
    assert found.port == 22
    found = Settings.from_variables("web", {"ansible_host": "10.0.0.1"}, None, configs)
    assert (found.port, found.address) == (4, "10.0.0.1")


def test_another_file_stands_for_the_usual_ones(configs: SshConfigs, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("Host app1\n User other\n")
    arguments = {"ansible_ssh_common_args": f"-F {other}"}
    found = Settings.from_variables("app1", arguments, None, configs)
    assert (found.user, found.port) == ("other", 22)
    none = {"ansible_ssh_common_args": "-F none"}
    assert Settings.from_variables("app1", none, None, configs).port == 22


def test_a_local_host_has_no_use_for_it(configs: SshConfigs) -> None:
    variables = {"ansible_connection": "local", "ansible_ssh_common_args": "-A"}
    found = Settings.from_variables("app1", variables, None, configs)
    assert (found.kind, found.user) == ("local", "")


# ── jump hosts ────────────────────────────────────────────────────────────────────────────────


def test_each_hop_has_its_own_entry_and_the_next_one_stands_before_it(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "Host a\n HostName 10.0.0.1\n User gate\n"
        "Host b\n HostName 10.0.0.2\n IdentityFile /b\n ProxyJump never\n"
        "Host app1\n ProxyJump a,root@b:2222\n User app\n IdentityFile /app\n"
    )
    found = Settings.from_variables("app1", {}, FLAGS, SshConfigs((path,)))
    last, first = found.way
    assert (last.name, last.address, last.port, last.user) == (
        *("root@b:2222", "10.0.0.2"),
        *(2222, "root"),
    )
    assert (first.name, first.address, first.user) == ("a", "10.0.0.1", "gate")
    # The keys and the account of the command line are for the hosts of the inventory.
    assert last.private_keys == (Path("/b"),)
    assert first.private_keys == ()
    assert first.jump is None


@pytest.mark.parametrize(
    ("jump", "address", "port", "user"),
    [
        ("ssh://ops@gate:2200", "gate", 2200, "ops"),
        ("[2001:db8::1]:2200", "2001:db8::1", 2200, None),
        ("ops@gate", "gate", 22, "ops"),
    ],
)
def test_forms_of_a_jump(jump: str, address: str, port: int, user: str | None) -> None:
    found = with_arguments(f"-J {jump}").jump
    assert found is not None
    assert (found.address, found.port) == (address, port)
    assert user is None or found.user == user
