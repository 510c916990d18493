"""ssh_config: what it says of a host is what `ssh -G` says."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.connections.ssh_config import SshConfigs
from engine.connections.ssh_options import Options
from engine.connections.ssh_tokens import hostname
from engine.errors import InputError
from tests.lab.namespace import need

_COMPARED = (
    *("port", "user", "hostkeyalias", "identityagent", "proxyjump", "proxycommand"),
    *("connecttimeout", "serveraliveinterval", "serveralivecountmax", "identitiesonly"),
    *("userknownhostsfile", "globalknownhostsfile", "stricthostkeychecking"),
)

CONFIGS = {
    "the first word wins": """
        Host app1
            Port 2201
            User first
        Host app*
            Port 2202
            User second
            HostKeyAlias app
        Port 2203
    """,
    "keywords before any block": """
        User everyone
        Host app1
            User nobody
    """,
    "patterns": """
        Host app? !app2
            User question
        Host *.example.com 10.0.*
            User star
        Host APP3
            Port 33
        Host [ab]pp1
            User brackets
    """,
    "forms of a line": """
        Host=app1
        \tport = 2201
        USER "quoted name"
        ConnectTimeout=1m30s
        IdentityAgent "/run/my agent" # a comment
        # a comment
        UserKnownHostsFile /a /b "/c d"
        ServerAliveInterval 20
        ServerAliveCountMax 7
        IdentitiesOnly yes
    """,
    "names": """
        Host app1
            HostName %h.example.com
        Host db
            HostName 10.0.0.7
        Match host *.example.com
            User inside
        Match host 10.0.0.*
            Port 2207
        Match originalhost db
            HostKeyAlias database
    """,
    "criteria": """
        Match user root host app1
            Port 1
        Match !user root
            Port 2
        Match localuser root
            ConnectTimeout 3
        Match host app1,app2
            ServerAliveInterval 4
        Match host app*,!app1
            ServerAliveCountMax 5
        Match exec "test %h = app2"
            HostKeyAlias executed
        Match all
            User everyone
    """,
    "a second pass": """
        Host *.example.com
            Port 2201
        Match final host *.example.com
            User finally
        Host app1
            HostName app1.example.com
    """,
    "ways": """
        Host app1
            ProxyJump a,root@b:2222
            ProxyCommand nc %h %p
        Host app2
            ProxyCommand ssh -W "%h:%p" bastion   # not a comment
            ProxyJump a
        Host app*
            ProxyJump late
    """,
    "none": """
        Host app1
            ProxyJump none
            IdentityAgent none
        Host app2
            ProxyCommand none
        Host *
            ProxyJump bastion
            IdentityAgent SSH_AUTH_SOCK
    """,
    "keys": """
        Host app1
            IdentityFile ~/.ssh/one
            IdentityFile ~/.ssh/%h
        Host *
            IdentityFile ~/.ssh/one
            IdentityFile /etc/all
            CertificateFile /etc/cert
    """,
}
HOSTS = ("app1", "app2", "app3", "APP1", "db", "x.example.com", "10.0.0.7", "app10")


def asked(config: str | Path, host: str) -> Options:
    options = Options()
    SshConfigs().get(str(config)).fill(options, host)
    return options


def ours(config: Path, host: str) -> dict[str, list[str]]:
    options = asked(config, host)
    said = {key: [" ".join(found.words)] for key in _COMPARED if (found := options.get(key))}
    for keyword in ("identityfile", "certificatefile"):
        if options.every(keyword):
            said[keyword] = [one.text for one in options.every(keyword)]
    return {**said, "hostname": [hostname(options, host.lower())]}


def theirs(config: Path, host: str) -> dict[str, list[str]]:
    need("ssh")
    done = subprocess.run(
        ["ssh", "-G", "-F", str(config), host], capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def normal(keyword: str, values: list[str]) -> list[str]:
    """As `ssh -G` prints it."""
    if keyword in ("connecttimeout", "serveraliveinterval") and values == ["1m30s"]:
        return ["90"]
    return values


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("host", HOSTS)
def test_ssh_says_the_same(tmp_path: Path, name: str, host: str) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIGS[name])
    said = ours(config, host)
    expected = theirs(config, host)
    assert {k: normal(k, v) for k, v in said.items()} == {k: expected[k] for k in said}
    nothing = theirs_of_nothing(tmp_path, host)
    changed = {k for k in (*_COMPARED, "identityfile") if expected.get(k) != nothing.get(k)}
    assert changed <= said.keys() | {"identityagent"}


def theirs_of_nothing(directory: Path, host: str) -> dict[str, list[str]]:
    empty = directory / "empty"
    empty.write_text("")
    return theirs(empty, host)


def test_included_files_hold_for_the_hosts_of_their_block_only(tmp_path: Path) -> None:
    inner = tmp_path / "inner.conf"
    inner.write_text("User inner\nHost app2\n  Port 2\nHost app1\n  Port 1\n")
    config = tmp_path / "config"
    config.write_text(f"Host app1\n  Include {tmp_path}/inn*.conf\n  HostKeyAlias alias\n")
    for host in ("app1", "app2"):
        said = ours(config, host)
        expected = theirs(config, host)
        assert said == {k: expected[k] for k in said}
    assert ours(config, "app1").keys() == {"user", "port", "hostkeyalias", "hostname"}
    assert ours(config, "app2").keys() == {"hostname"}


def test_files_that_include_one_another_are_told(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Include {config}\n")
    with pytest.raises(InputError, match="files include one another 16 deep"):
        asked(config, "app1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Port 70000", "port must be a port number from 1 to 65535, not '70000'"),
        ("Port", "a keyword needs a value"),
        ("User a b", "user has one value, not 2"),
        ("ConnectTimeout soon", "connecttimeout must be a time, such as 10 or 1m, not 'soon'"),
        ("IdentitiesOnly maybe", "identitiesonly must be yes or no, not 'maybe'"),
        ("StrictHostKeyChecking never", "stricthostkeychecking must be yes, ask"),
        ('HostName ""', "hostname has no value"),
        ("Match", "a keyword needs a value"),
        ("Match host", "Match host needs a value"),
        ("nonsense", "a keyword needs a value"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host app1\n  {line}\n  Port zero\n")
    with pytest.raises(InputError) as caught:
        asked(config, "elsewhere")
    said = str(caught.value)
    assert f"{config}:2:" in said
    assert message in said
    assert "not 'zero'" in said  # all that is wrong is told at once


def test_a_criterion_that_is_not_known_is_told_of_hosts_that_the_rest_fits(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Match host app1 tagged prod\n  Port 22\nMatch tagged x\n  SendEnv LANG\n")
    assert asked(config, "app2").get("port") is None
    with pytest.raises(InputError, match="config:1: Match tagged is not supported"):
        asked(config, "app1")


def test_the_accounts_own_file_must_be_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    config = tmp_path / ".ssh" / "config"
    config.write_text("Port 2201\n")
    config.chmod(0o664)
    with pytest.raises(InputError, match=f"others may write this file — chmod go-w {config}"):
        SshConfigs((Path("~/.ssh/config"),)).get("")
    config.chmod(0o600)
    options = Options()
    SshConfigs((Path("~/.ssh/config"), tmp_path / "nothing")).get("").fill(options, "app1")
    port = options.get("port")
    assert port is not None
    assert (port.text, port.where) == ("2201", f"{config}:1")


def test_a_named_file_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="there is no such ssh_config file: /nowhere"):
        SshConfigs().get("/nowhere")


def test_each_file_is_read_once(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("User first\n")
    configs = SshConfigs()
    configs.get(str(config))
    config.write_text("User second\n")
    options = Options()
    configs.get(str(config)).fill(options, "app1")
    user = options.get("user")
    assert user is not None
    assert user.text == "first"


# Not `Include` and not `exec`: what they name would be read, or run.
WORDS = st.sampled_from(
    [
        *("Host", "Match", "host", "originalhost", "user", "localuser", "all", "final", "tagged"),
        *("Port", "User", "HostName", "ProxyJump", "ProxyCommand", "IdentityFile", "IdentityAgent"),
        *("ConnectTimeout", "UserKnownHostsFile", "none", "yes", "*", "!*", "[", "%h", "%%", "%"),
        *("app1", "1m30s", "999999999999999999999w", "-1", "a,b@c:22", "${HOME}", "~", "\x00", "é"),
    ]
)
BETWEEN = st.sampled_from([" ", "\n", "\n\t", "=", '"', "'", "\\", "#", ",", "\r\n", ""])


@pytest.mark.slow
@given(st.lists(st.tuples(WORDS, BETWEEN), max_size=25) | st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_obeyed_or_refused(
    given: list[tuple[str, str]] | bytes,
) -> None:
    data = given if isinstance(given, bytes) else "".join(map("".join, given)).encode()
    with TemporaryDirectory() as directory:
        path = Path(directory, "config")
        path.write_bytes(data)
        with suppress(InputError):
            for host in ("app1", "db"):
                hostname(asked(path, host), host)
