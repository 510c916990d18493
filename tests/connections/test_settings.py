"""What inventory variables say about reaching a host."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest

from engine.connections.become import BecomeSaid
from engine.connections.settings import CONNECT_TIMEOUT, Defaults, Settings
from engine.errors import InputError


def test_a_host_without_variables_is_reached_by_its_name() -> None:
    settings = Settings.from_variables("app1", {})
    assert (settings.kind, settings.address, settings.port) == ("ssh", "app1", 22)
    assert settings.user == getpass.getuser()
    assert settings.timeout == CONNECT_TIMEOUT
    assert settings.known_hosts[0] == Path("~/.ssh/known_hosts").expanduser()


def test_every_variable_is_read() -> None:
    variables = {
        "ansible_host": "10.0.0.1",
        "ansible_port": "2222",
        "ansible_user": "deploy",
        "ansible_password": "secret",
        "ansible_ssh_private_key_file": "~/key",
        "ansible_ssh_known_hosts_file": "/etc/known",
        "ansible_timeout": 3,
    }
    assert Settings.from_variables("app1", variables) == Settings(
        name="app1",
        address="10.0.0.1",
        port=2222,
        user="deploy",
        password="secret",
        private_keys=(Path("~/key").expanduser(),),
        known_hosts=(Path("/etc/known"),),
        timeout=3.0,
    )


def test_the_special_name_of_a_variable_wins() -> None:
    variables = {"ansible_user": "a", "ansible_ssh_user": "b", "ansible_port": 1}
    settings = Settings.from_variables("app1", {**variables, "ansible_ssh_port": 2})
    assert (settings.user, settings.port) == ("b", 2)


def test_the_command_line_fills_in_what_the_inventory_leaves_open() -> None:
    defaults = Defaults(user="ops", password="pw", private_key=Path("/k"), timeout=4)
    plain = Settings.from_variables("app1", {}, defaults)
    assert (plain.user, plain.password, plain.timeout) == ("ops", "pw", 4)
    assert plain.private_keys == (Path("/k"),)
    own = Settings.from_variables("app1", {"ansible_user": "me", "ansible_timeout": 9}, defaults)
    assert (own.user, own.timeout) == ("me", 9)


@pytest.mark.parametrize("connection", ["ssh", "local"])
def test_what_is_said_of_becoming_another_is_read(connection: str) -> None:
    variables = {
        "ansible_connection": connection,
        "ansible_become": "yes",
        "ansible_become_user": "app",
        "ansible_become_method": "community.general.doas",
        "ansible_become_password": "hunter2",
        "ansible_become_flags": "-H -S -n",
        "ansible_become_exe": "sudo",
    }
    settings = Settings.from_variables("app1", variables)
    assert settings.become == BecomeSaid(True, "app", "doas", "hunter2")
    assert "hunter2" not in repr(settings)
    special = {**variables, "ansible_become_pass": 12345, "ansible_become": False}
    assert Settings.from_variables("app1", special).become == BecomeSaid(
        False, "app", "doas", "12345"
    )
    assert Settings.from_variables("app1", {}).become == BecomeSaid()


def test_the_method_of_windows_hosts_may_stand_in_an_inventory() -> None:
    settings = Settings.from_variables("win1", {"ansible_become_method": "ansible.builtin.runas"})
    assert settings.become == BecomeSaid()


@pytest.mark.parametrize(
    ("name", "kind"), [("local", "local"), ("ssh", "ssh"), ("smart", "ssh"), ("paramiko", "ssh")]
)
def test_the_connection_is_named_as_in_ansible(name: str, kind: str) -> None:
    assert Settings.from_variables("app1", {"ansible_connection": name}).kind == kind


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ansible_become": "perhaps"}, "ansible_become must be true or false, not 'perhaps'"),
        ({"ansible_become_user": "-x"}, "ansible_become_user must be an account's name, not '-x'"),
        (
            {"ansible_become_user": "a b"},
            "ansible_become_user must be an account's name, not 'a b'",
        ),
        ({"ansible_become_user": ""}, "ansible_become_user must be an account's name, not ''"),
        (
            {"ansible_become_method": "pbrun"},
            "ansible_become_method 'pbrun' is not supported — there are sudo, su, doas",
        ),
        ({"ansible_become_flags": "-i"}, "ansible_become_flags '-i' is not supported"),
        ({"ansible_become_exe": "/opt/sudo"}, "ansible_become_exe '/opt/sudo' is not supported"),
        ({"ansible_become_password": "a\nb"}, "ansible_become_password contains a control char"),
        ({"ansible_port": "ssh"}, "ansible_port must be a port number from 1 to 65535, not 'ssh'"),
        ({"ansible_port": 0}, "ansible_port must be"),
        ({"ansible_port": True}, "ansible_port must be"),
        ({"ansible_port": 22.0}, "ansible_port must be"),
        ({"ansible_user": ["root"]}, "ansible_user must be text, not a list"),
        ({"ansible_user": "a\nb"}, "ansible_user contains a control character"),
        ({"ansible_host": "-oProxyCommand=x"}, "'-oProxyCommand=x' cannot be a host's name"),
        ({"ansible_host": "a b"}, "'a b' cannot be a host's name"),
        ({"ansible_host": {"a": 1}}, "ansible_host must be text, not a mapping"),
        ({"ansible_timeout": "soon"}, "ansible_timeout must be a number of seconds, not 'soon'"),
        ({"ansible_connection": "winrm"}, "ansible_connection 'winrm' is not supported"),
    ],
)
def test_a_wrong_variable_is_named_with_its_host(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Settings.from_variables("app1", variables)
    assert f"host 'app1': {message}" in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Settings.from_variables("app1", {"ansible_port": 0, "ansible_user": 1.5})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("name", ["-rf", "a\x00b", "a\nb", "", "user@host", "a/b"])
def test_some_names_are_no_hosts(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a host's name"):
        Settings.from_variables(name, {"ansible_host": "10.0.0.1"})


def test_a_password_is_never_shown() -> None:
    settings = Settings.from_variables("app1", {"ansible_password": "hunter2"})
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(Defaults(password="hunter2"))


@pytest.mark.parametrize(
    ("said", "shell"), [("sh", "sh"), ("fish", "sh"), ("cmd", "cmd"), ("powershell", "powershell")]
)
def test_what_scripts_are_written_in_can_be_said(said: str, shell: str) -> None:
    for kind in ("ssh", "local"):
        variables = {"ansible_shell_type": said, "ansible_connection": kind}
        assert Settings.from_variables("app1", variables).shell == shell
    assert Settings.from_variables("app1", {}).shell is None


def test_an_unknown_shell_type_is_refused() -> None:
    with pytest.raises(InputError, match="ansible_shell_type 'tclsh' is not supported"):
        Settings.from_variables("app1", {"ansible_shell_type": "tclsh"})
