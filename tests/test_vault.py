from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.redact import Redactor
from engine.vault import Key, Vault, VaultError, envelope_of, is_sealed, seal, template

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = Key("default", b"open sesame")
TEXT = "s3cret — with an umlaut: ü\nand a second line"
ANSIBLE_VAULT = str(Path(sys.executable).with_name("ansible-vault"))


def ansible_vault(directory: Path, *arguments: str, stdin: str = "") -> str:
    """What the program prints, with KEY's password in a file."""
    (directory / "password").write_bytes(KEY.password + b"\n")
    done = subprocess.run(
        [ANSIBLE_VAULT, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(envelope: str, keys: Sequence[Key] = (KEY,)) -> str:
    with pytest.raises(VaultError) as caught:
        Vault(keys).open(envelope)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "x" * 15, "x" * 16, "x" * 1000, TEXT])
def test_what_is_sealed_opens(text: str) -> None:
    assert Vault([KEY]).open(seal(text, KEY)) == text


def test_each_time_is_another() -> None:
    assert seal("x", KEY) != seal("x", KEY)


@pytest.mark.slow
def test_what_ansible_vault_seals_opens_here(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text(TEXT)
    source = ["--vault-password-file", "password", "--output", "-", "plain"]
    assert Vault([KEY]).open(ansible_vault(tmp_path, "encrypt", *source)) == TEXT
    labelled = ansible_vault(
        tmp_path, "encrypt", "--vault-id", "prod@password", "--output", "-", "plain"
    )
    assert labelled.startswith("$ANSIBLE_VAULT;1.2;AES256;prod\n")
    assert Vault([Key("prod", KEY.password)]).open(labelled) == TEXT


@pytest.mark.slow
@pytest.mark.parametrize("label", ["default", "prod"])
def test_what_is_sealed_here_ansible_vault_opens(tmp_path: Path, label: str) -> None:
    (tmp_path / "sealed").write_text(seal(TEXT, Key(label, KEY.password)))
    said = ansible_vault(tmp_path, "view", "--vault-id", f"{label}@password", "sealed")
    assert said.rstrip("\n") == TEXT


def test_any_of_several_passwords_opens_it() -> None:
    keys = [Key("a", b"1"), Key("b", b"2"), KEY]
    for key in keys:
        assert Vault(keys).open(seal("x", key)) == "x"
    assert Vault([Key("other", KEY.password)]).open(seal("x", KEY)) == "x"


def test_why_it_does_not_open() -> None:
    wrong = [Key("default", b"wrong")]
    assert refusal(seal("x", KEY), wrong) == "no vault password that was given opens the value"
    labelled = seal("x", Key("prod", b"x"))
    assert refusal(labelled).endswith('opens the value labelled "prod"')
    assert refusal(seal("x", KEY), ()) == (
        "is encrypted with a vault — give its password with --vault-password-file or -J"
    )


def test_no_change_of_a_byte_passes() -> None:
    header, *lines = seal("x" * 40, KEY).split("\n")
    body = "".join(lines)
    for number in range(0, len(body), 41):
        digit = "0" if body[number] != "0" else "1"
        assert refusal("\n".join([header, body[:number] + digit + body[number + 1 :]]))
    for length in range(0, len(body), 53):
        assert refusal("\n".join([header, body[:length]]))


@pytest.mark.parametrize(
    "text", ["", "x", "$ANSIBLE_VAULT;1.3;AES256\n00", "$ANSIBLE_VAULT;1.1;AES\n00"]
)
def test_what_is_no_encrypted_text(text: str) -> None:
    assert refusal(text).startswith("is no encrypted text: it must begin with $ANSIBLE_VAULT")


def test_a_file_is_opened_if_it_is_encrypted() -> None:
    vault = Vault([KEY])
    assert vault.file("f", b"a: 1") == b"a: 1"
    assert is_sealed(seal("a: 1", KEY).encode())
    assert vault.file("f", seal("a: ü", KEY).encode()) == "a: ü".encode()
    with pytest.raises(InputError, match=r"^f: no vault password"):
        vault.file("f", seal("a", Key("default", b"other")).encode())


def test_a_value_is_a_template_until_it_is_opened() -> None:
    sealed = template(f"  {seal(TEXT, KEY)}  \n", 'a "file":3')
    assert sealed.startswith('{{ "$ANSIBLE_VAULT;1.1;AES256\\n')
    assert is_sealed(envelope_of(sealed) or "")
    assert Vault([KEY]).opened({"a": [sealed, "x", 5]}) == {"a": [TEXT, "x", 5]}
    assert envelope_of("{{ x }}") is None
    with pytest.raises(VaultError, match=r'^a "file":3: no vault password'):
        Vault([Key("default", b"other")]).opened(sealed)
    with pytest.raises(VaultError, match="is no encrypted text"):
        template("abc", "f:1")


def test_what_was_in_it_is_a_secret_and_no_template() -> None:
    redactor = Redactor()
    vault = Vault([KEY], redactor)
    assert vault.opened(template(seal("{{ evil }}", KEY), "f:1")) == "{{ evil }}"
    assert redactor.text("say {{ evil }} now") == "say ******** now"


def test_a_key_does_not_show_its_password() -> None:
    assert "sesame" not in repr(KEY)


SEALED = seal(TEXT, KEY)
SCRAPS = st.sampled_from([*"0aA;$\n \r\t\0é", "0a", "\n\n", "$ANSIBLE_VAULT;", "1.2;AES256;x y"])


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_text_opens_or_is_refused_in_words(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([SEALED, SEALED[:40], "$ANSIBLE_VAULT;1.2;AES256;prod\n"]))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 1, 2, 300])))
        text = text[:start] + data.draw(SCRAPS | st.text(max_size=3)) + text[end:]
    try:
        assert Vault([KEY]).open(text, "file:3") == TEXT
    except VaultError as error:
        assert str(error).startswith("file:3: ")  # noqa: PT017  # one of the two, whichever
