import base64
import html
import json
import shlex
import urllib.parse
from collections.abc import Callable

import pytest

from engine.redact import MASK, Redactor, escape

WITH_ALL = "pa\"ss\\w&rd/+<'ü x"
"""A secret that every encoding writes in its own way."""
QUOTES = "\"'"


def test_a_secret_is_masked_wherever_it_stands() -> None:
    redactor = Redactor()
    redactor.learn("hunter22")
    value = {"log": ["login hunter22 ok"], "hunter22": 1}
    assert redactor.value(value) == {"log": [f"login {MASK} ok"], MASK: 1}


def test_a_longer_secret_goes_before_one_that_it_contains() -> None:
    redactor = Redactor()
    redactor.learn("pass")
    redactor.learn("password1")
    assert redactor.text("is password1") == f"is {MASK}"


def test_each_line_of_a_secret_is_a_secret() -> None:
    redactor = Redactor()
    redactor.learn("-----KEY-----\nabcdefgh\n")
    assert redactor.text("> abcdefgh") == f"> {MASK}"


def test_a_number_that_is_a_secret_is_masked() -> None:
    redactor = Redactor()
    redactor.learn(90210)
    assert redactor.value({"pin": 90210, "port": 8080, "on": True}) == {
        "pin": MASK,
        "port": 8080,
        "on": True,
    }


def test_what_is_too_short_is_left_alone() -> None:
    redactor = Redactor()
    redactor.learn("no")
    redactor.learn("")
    assert redactor.text("no harm") == "no harm"


@pytest.mark.parametrize(
    "encoding",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        repr,
        html.escape,
        shlex.quote,
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda text: urllib.parse.quote(text, safe=""),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_it_is_masked_as_others_write_it(encoding: Callable[[str], str]) -> None:
    redactor = Redactor()
    redactor.learn(WITH_ALL)
    said = encoding(WITH_ALL)
    assert redactor.text(f"a {said} b") == f"a {said[0] if said[0] in QUOTES else ''}{MASK}" + (
        f"{said[-1] if said[-1] in QUOTES else ''} b"
    )


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "x" * 20])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_it_is_masked_in_base64_wherever_it_stands(
    before: str, encode: Callable[[bytes], bytes]
) -> None:
    redactor = Redactor()
    redactor.learn("s3cret??>>s3cret")
    masked = redactor.text(encode(f"{before}s3cret??>>s3cret:after".encode()).decode())
    assert MASK in masked
    # What is left are digits that the neighbours have a part in.
    rest = masked.replace(MASK, "")
    assert len(rest) <= len(encode(f"{before}:after".encode())) + 4


def test_what_a_message_has_cut_is_masked() -> None:
    redactor = Redactor()
    secret = "".join(chr(ord("a") + n % 26) for n in range(60))
    redactor.learn(secret)
    assert redactor.text(f'not "{secret[:40]}…"') == f'not "{MASK}…"'
    assert redactor.text(f"{secret[:8]}… and {secret[:59]}…") == f"{MASK}… and {MASK}…"
    assert redactor.text(f"{secret[:7]}… and more…") == f"{secret[:7]}… and more…"


def test_bytes_that_are_no_text_do_not_keep_others_from_being_masked() -> None:
    redactor = Redactor()
    redactor.learn("hunter22")
    assert redactor.text("hunter22 \udcff") == f"{MASK} \udcff"
    redactor.learn("odd\udcff")
    assert redactor.text("odd\udcff hunter22") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ Grüße", "plain ✓ Grüße"),
        ("\x1b[2Jgone", "\\e[2Jgone"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b31m", "\\u009b31m"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_newlines_may_be_kept() -> None:
    assert escape("a\nb\x07", keep="\n") == "a\nb\\u0007"
