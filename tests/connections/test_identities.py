"""Keys, passphrases, agents and certificates: what a real sshd was shown."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.connections.base import Argv
from engine.connections.links import Links
from engine.errors import Unreachable
from tests.connections.helpers import settings_for
from tests.lab import sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.connections.settings import Settings
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab

PORT = 2251
PASSPHRASE = "open sesame"


@pytest.fixture(autouse=True)
def _no_keys_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()


@pytest.fixture(scope="module")
def authority(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> sshd.ClientKey:
    """Whose certificates the first host's sshd on PORT trusts; it knows the lab's key, too."""
    key = sshd.make_key(tmp_path_factory.mktemp("authority") / "ca")
    lab.h1.write("/srv/ssh/authority", key.public)
    lab.h1.sshd(PORT, {"TrustedUserCAKeys": "/srv/ssh/authority", "MaxAuthTries": "3"})
    return key


@pytest.fixture
def host(lab: Lab, authority: sshd.ClientKey) -> Host:
    assert authority.public
    return lab.h1


def certify(authority: sshd.ClientKey, key: Path, *options: str) -> Path:
    """Sign a key for root; the certificate is beside it."""
    names = ["-I", "oncall", "-n", "root"]
    argv = ["ssh-keygen", "-q", "-s", str(authority.path), *names, *options, f"{key}.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    return key.with_name(f"{key.name}-cert.pub")


def settings(host: Host, *arguments: str, **variables: object) -> Settings:
    """Without a key, but for what the arguments say."""
    changes = {"ansible_port": PORT, "ansible_ssh_private_key_file": None, **variables}
    return settings_for(host, ansible_ssh_common_args=" ".join(arguments), **changes)


def enter(settings: Settings, ask: Callable[[str], str] | None = None) -> str:
    """Log in; what let us in is in the sshd's log."""
    links = Links({"h1": settings})
    try:
        if ask is not None:
            links.unlock(ask)
        return links.get("h1").run(Argv(("id", "-un")), timeout=20).stdout.text.strip()
    finally:
        links.close()


def refused(settings: Settings, ask: Callable[[str], str] | None = None) -> str:
    with pytest.raises(Unreachable) as caught:
        enter(settings, ask)
    return caught.value.message


def last_accepted(host: Host) -> str:
    log = host.exec(["cat", f"/srv/ssh/log-{PORT}"], check=True).stdout
    return [line for line in log.splitlines() if "Accepted" in line][-1]


class Typist:
    """Answers prompts, and keeps them."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._answers.pop(0)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield path
        process.terminate()


def hand_over(agent: Path, key: Path) -> None:
    env = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=env, capture_output=True)


@pytest.fixture
def locked(lab: Lab, tmp_path: Path) -> Path:
    """The lab's key behind a passphrase."""
    path = tmp_path / "locked"
    path.write_bytes(lab.h1.key_path.read_bytes())
    path.chmod(0o600)
    argv = ["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


# ── keys ──────────────────────────────────────────────────────────────────────────────────────


def test_of_several_keys_each_is_tried_in_order(host: Host, tmp_path: Path) -> None:
    other = sshd.make_key(tmp_path / "other")
    two = settings(host, f"-i {other.path}", f"-o IdentityFile={host.key_path}")
    assert enter(two) == "root"
    said = refused(settings(host, f"-i {other.path}"))
    assert f"tried key {other.path} (SHA256:" in said


def test_only_the_named_keys_are_offered_where_that_is_said(
    host: Host, tmp_path: Path, agent: Path
) -> None:
    other = sshd.make_key(tmp_path / "other")
    hand_over(agent, host.key_path)
    way = f"-i {other.path} -o IdentityAgent={agent}"
    assert enter(settings(host, way)) == "root"
    said = refused(settings(host, way, "-o IdentitiesOnly=yes"))
    assert "agent" not in said


def test_a_public_key_stands_for_the_agents_private_one(
    host: Host, tmp_path: Path, agent: Path
) -> None:
    for number in range(4):  # more than the server has patience for
        hand_over(agent, sshd.make_key(tmp_path / f"other{number}").path)
    hand_over(agent, host.key_path)
    public = tmp_path / "lab.pub"
    public.write_text(host.key_path.with_name("id_ed25519.pub").read_text())
    way = f"-o IdentityAgent={agent}"
    assert "then it ended the connection" in refused(settings(host, way))
    assert enter(settings(host, way, f"-i {public} -o IdentitiesOnly=yes")) == "root"
    said = refused(settings(host, f"-i {public}"))
    assert f"{public} is a public key, and no agent has its private one" in said


@pytest.mark.usefixtures("agent")
def test_the_environments_agent_can_be_left_out(
    host: Host, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(agent, host.key_path)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert enter(settings(host)) == "root"
    assert "no key and no password" in refused(settings(host, "-o IdentityAgent=none"))
    monkeypatch.setenv("MY_AGENT", str(agent))
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert enter(settings(host, "-o 'IdentityAgent=$MY_AGENT'")) == "root"


def test_an_agent_that_is_gone_has_no_keys(host: Host, tmp_path: Path) -> None:
    said = refused(settings(host, f"-o IdentityAgent={tmp_path}/nothing"))
    assert "there was no key and no password to try" in said


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_an_agent_signs_with_every_kind_of_key(
    host: Host, tmp_path: Path, agent: Path, authority: sshd.ClientKey, kind: str
) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    certify(authority, key.path)
    hand_over(agent, key.path)
    key.path.unlink()
    assert enter(settings(host, f"-o IdentityAgent={agent}")) == "root"
    assert "ID oncall" in last_accepted(host)


# ── passphrases ───────────────────────────────────────────────────────────────────────────────


def test_a_passphrase_is_asked_for_once_for_all_hosts(lab: Lab, locked: Path) -> None:
    typist = Typist(PASSPHRASE)
    key = {"ansible_ssh_private_key_file": str(locked)}
    links = Links({host.name: settings_for(host, **key) for host in lab.hosts})
    links.unlock(typist)
    try:
        for host in lab.hosts:
            assert links.get(host.name).run(Argv(("true",)), timeout=20).status == 0
    finally:
        links.close()
    assert typist.prompts == [f"Passphrase of {locked}"]


def test_a_wrong_passphrase_may_be_mended(host: Host, locked: Path) -> None:
    typist = Typist("no", "neither", PASSPHRASE)
    assert enter(settings(host, f"-i {locked}"), typist) == "root"
    assert len(typist.prompts) == 3


def test_three_wrong_passphrases_are_told(host: Host, locked: Path) -> None:
    said = refused(settings(host, f"-i {locked}"), Typist("a", "b", "c"))
    assert f"private key {locked}: that is not its passphrase" in said


def test_an_empty_answer_goes_on_without_the_key(host: Host, locked: Path) -> None:
    typist = Typist("")
    said = refused(settings(host, f"-i {locked}"), typist)
    assert f"private key {locked} has a passphrase; give it to the agent: ssh-add {locked}" in said
    assert len(typist.prompts) == 1


def test_no_passphrase_is_asked_for_that_the_agent_makes_needless(
    host: Host, locked: Path, agent: Path
) -> None:
    hand_over(agent, host.key_path)
    typist = Typist()
    assert enter(settings(host, f"-i {locked}", f"-o IdentityAgent={agent}"), typist) == "root"
    assert typist.prompts == []


def test_a_usual_key_is_unlocked_where_there_is_nothing_else(
    host: Host, locked: Path, tmp_path: Path
) -> None:
    usual = tmp_path / ".ssh" / "id_ed25519"
    locked.rename(usual)
    with_password = settings(host, ansible_user=sshd.USER, ansible_password=sshd.PASSWORD)
    typist = Typist(PASSPHRASE)
    assert enter(with_password, typist) == sshd.USER
    assert typist.prompts == []
    assert enter(settings(host), typist) == "root"
    assert typist.prompts == [f"Passphrase of {usual}"]


# ── certificates ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_the_certificate_beside_a_key_lets_in(
    host: Host, tmp_path: Path, authority: sshd.ClientKey, kind: str
) -> None:
    key = sshd.make_key(tmp_path / "key", kind)
    assert "login refused" in refused(settings(host, f"-i {key.path}"))
    certify(authority, key.path)
    assert enter(settings(host, f"-i {key.path}")) == "root"
    assert "ID oncall" in last_accepted(host)


def test_a_named_certificate_lets_in(host: Host, tmp_path: Path, authority: sshd.ClientKey) -> None:
    key = sshd.make_key(tmp_path / "key")
    elsewhere = certify(authority, key.path).rename(tmp_path / "certificate")
    way = f"-i {key.path} -o CertificateFile={elsewhere}"
    assert enter(settings(host, way)) == "root"
    assert "ID oncall" in last_accepted(host)


def test_an_expired_certificate_does_not_stand_in_the_way_of_its_key(
    host: Host, authority: sshd.ClientKey, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_bytes(host.key_path.read_bytes())
    key.chmod(0o600)
    key.with_name("key.pub").write_text(host.key_path.with_name("id_ed25519.pub").read_text())
    certify(authority, key, "-V", "20200101:20200102")
    assert enter(settings(host, f"-i {key}")) == "root"
    assert "ID oncall" not in last_accepted(host)


def test_a_certificate_of_a_key_in_the_agent_lets_in(
    host: Host, authority: sshd.ClientKey, tmp_path: Path, agent: Path
) -> None:
    key = sshd.make_key(tmp_path / "key")
    hand_over(agent, key.path)
    certify(authority, key.path)
    key.path.unlink()
    way = f"-i {key.path}.pub -o IdentityAgent={agent}"
    assert enter(settings(host, way)) == "root"
    assert "ID oncall" in last_accepted(host)


def test_a_refused_certificate_is_named(
    host: Host, tmp_path: Path, authority: sshd.ClientKey
) -> None:
    key = sshd.make_key(tmp_path / "key")
    certify(authority, key.path, "-V", "20200101:20200102")
    said = refused(settings(host, f"-i {key.path}"))
    assert f"tried certificate of key {key.path} (SHA256:" in said
