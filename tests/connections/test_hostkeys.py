"""known_hosts: what is accepted, and the words for what is not."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.connections.hostkeys import HostKey, KnownHosts, Server
from engine.errors import Unreachable

KEY = HostKey("ssh-ed25519", b"the host's own")
OTHER = HostKey("ssh-ed25519", b"another")
RSA = HostKey("ssh-rsa", b"an older one")


def text(key: HostKey) -> str:
    return f"{key.kind} {base64.b64encode(key.blob).decode()}"


def known(directory: Path, *lines: str) -> KnownHosts:
    path = directory / "known_hosts"
    path.write_text("\n".join(lines) + "\n")
    return KnownHosts((path,))


@pytest.mark.parametrize(
    ("names", "address", "port"),
    [
        ("app1", "app1", 22),
        ("app1,10.0.0.1", "10.0.0.1", 22),
        ("APP1", "app1", 22),
        ("app1", "APP1", 22),
        ("[app1]:2222", "app1", 2222),
        ("app1", "app1", 2222),  # ssh, too, falls back to the name without the port
        ("*.example.com", "a.example.com", 22),
        ("[10.0.0.*]:2222", "10.0.0.7", 2222),
        ("app?,!app2", "app1", 22),
        ("2001:db8::1", "2001:db8::1", 22),
    ],
)
def test_a_known_key_is_accepted(tmp_path: Path, names: str, address: str, port: int) -> None:
    hosts = known(tmp_path, "# comment", "", f"{names} {text(KEY)} a comment")
    hosts.check(Server(address, port), KEY)
    assert hosts.kinds(Server(address, port)) == ["ssh-ed25519"]
    with pytest.raises(Unreachable, match="HAS CHANGED"):
        hosts.check(Server(address, port), OTHER)


@pytest.mark.parametrize(
    ("names", "address", "port"),
    [
        ("app1", "app2", 22),
        ("[app1]:2222", "app1", 22),
        ("app?,!app2", "app2", 22),
        ("[app1]:2222", "[app1]:2222x", 22),
    ],
)
def test_another_hosts_key_is_not(tmp_path: Path, names: str, address: str, port: int) -> None:
    with pytest.raises(Unreachable, match="is unknown"):
        known(tmp_path, f"{names} {text(KEY)}").check(Server(address, port), KEY)


def test_hashed_names_are_found(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"app1 {text(KEY)}\n[app2]:2222 {text(KEY)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "app1" not in path.read_text()
    hosts = KnownHosts((path,))
    hosts.check(Server("app1"), KEY)
    hosts.check(Server("app2", 2222), KEY)
    with pytest.raises(Unreachable, match="is unknown"):
        hosts.check(Server("app3"), KEY)


def test_of_several_keys_each_is_accepted(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"app1 {text(RSA)}", f"app1 {text(KEY)}")
    assert hosts.kinds(Server("app1")) == ["ssh-rsa", "ssh-ed25519"]
    hosts.check(Server("app1"), RSA)
    hosts.check(Server("app1"), KEY)


def test_a_revoked_key_is_refused_even_where_it_is_known(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"app1 {text(KEY)}", f"@revoked * {text(KEY)}")
    with pytest.raises(Unreachable, match="marked as revoked"):
        hosts.check(Server("app1"), KEY)


def test_a_key_that_another_line_revokes_does_not_hide_the_ports_own(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"@revoked * {text(OTHER)}", f"app1 {text(KEY)}")
    hosts.check(Server("app1", 2222), KEY)


def test_under_its_alias_a_host_has_no_port(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"App {text(KEY)}", f"[10.0.0.1]:2222 {text(OTHER)}")
    server = Server("10.0.0.1", 2222, "app")
    hosts.check(server, KEY)
    with pytest.raises(Unreachable, match="ssh-keygen -R app ") as caught:
        hosts.check(server, OTHER)
    # ssh-keyscan would keep it under the address.
    assert f"then: echo 'app {text(OTHER)}' >> " in caught.value.message


def test_no_key_is_kept_in_the_null_device() -> None:
    with pytest.raises(Unreachable, match="UserKnownHostsFile is /dev/null") as caught:
        KnownHosts((Path("/dev/null"),)).check(Server("app1"), KEY)
    assert ">>" not in caught.value.message


def test_an_authoritys_key_is_no_hosts_key(tmp_path: Path) -> None:
    why = r"known_hosts:1 trusts a certificate authority for it, but host certificates are not"
    with pytest.raises(Unreachable, match=why):
        known(tmp_path, f"@cert-authority * {text(KEY)}").check(Server("app1"), KEY)


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    lines = ["app1", "app1 ssh-ed25519", "app1 ssh-ed25519 !!!", "|1|x ssh-rsa AAAA", "\udcffx"]
    path = tmp_path / "known_hosts"
    path.write_bytes("\n".join([*lines, f"app1 {text(KEY)}"]).encode("utf-8", "surrogateescape"))
    KnownHosts((path,)).check(Server("app1"), KEY)


def test_a_missing_file_knows_nobody(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="is unknown"):
        KnownHosts((tmp_path / "nothing",)).check(Server("app1"), KEY)


def test_an_unknown_key_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    with pytest.raises(Unreachable) as caught:
        KnownHosts((path,)).check(Server("10.0.0.1", 2222), KEY)
    assert caught.value.message.endswith(f": ssh-keyscan -p 2222 10.0.0.1 >> {path}")
    assert KEY.fingerprint in caught.value.message


def test_a_changed_key_is_told_with_both_fingerprints(tmp_path: Path) -> None:
    hosts = known(tmp_path, "# first line", f"[app1]:2222 {text(KEY)}")
    with pytest.raises(Unreachable) as caught:
        hosts.check(Server("app1", 2222), OTHER)
    said = caught.value.message
    assert OTHER.fingerprint in said
    assert f"{tmp_path}/known_hosts:2 has ssh-ed25519 {KEY.fingerprint}" in said
    assert f"ssh-keygen -R '[app1]:2222' -f {tmp_path}/known_hosts" in said


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    kind, blob, _ = path.with_suffix(".pub").read_text().split(maxsplit=2)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True
    )
    assert HostKey(kind, base64.b64decode(blob)).fingerprint == shown.stdout.split()[1]


WORDS = st.sampled_from(
    [
        *(
            "app1",
            "*",
            "!app1",
            "[app1]:2222",
            "[",
            "|1|",
            "|1|AA==|AA==",
            "|1|x",
            "@revoked",
            "@x",
        ),
        *("ssh-ed25519", "AA==", "A", text(OTHER), "#", "@cert-authority", " ", "\n", ",", "\x85"),
    ]
)


@pytest.mark.slow
@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", ""])), max_size=20))
def test_no_text_lets_a_key_in_that_is_not_in_it(words: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as directory:
        hosts = known(Path(directory), "".join(map("".join, words)))
        hosts.kinds(Server("app1"))
        with pytest.raises(Unreachable):
            hosts.check(Server("app1"), KEY)
