import pytest

from engine.redact import MASK, Redactor, escape


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
