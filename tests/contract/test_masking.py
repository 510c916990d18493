from __future__ import annotations

import pytest

from engine.contract.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app --password=secret -v", "app --password=*** -v"),
        ("app --token secret --verbose", "app --token *** --verbose"),
        ("app --api-key='sec ret' x", "app --api-key=*** x"),
        ('app --secret "sec ret" x', "app --secret *** x"),
        ("java -DkeyStorePassword=secret -jar a.jar", "java -DkeyStorePassword=*** -jar a.jar"),
        ("env PGPASSWORD=secret psql", "env PGPASSWORD=*** psql"),
        ("psql postgres://u:secret@db/x", "psql postgres://u:***@db/x"),
        ("psql postgres://u:sec@ret@db/x", "psql postgres://u:***@db/x"),
        ("curl -H 'Authorization: Bearer secret' x", "curl -H 'Authorization: Bearer ***' x"),
        ("curl -H 'X-Auth-Token: secret' x", "curl -H 'X-Auth-Token: ***' x"),
        ('{"password": "sec ret", "n": 1}', '{"password": ***, "n": 1}'),
        ("alter role a password 'it''s secret' valid", "alter role a password *** valid"),
        ("create user a identified by 'secret'", "create user a identified by ***"),
        ("select 1 where password = 'secret' and x", "select 1 where password = *** and x"),
        ("cut off --password='sec ret", "cut off --password=***"),
    ],
)
def test_what_a_secrets_name_stands_before_is_masked(text: str, shown: str) -> None:
    assert masked(text, 300) == shown


@pytest.mark.parametrize(
    "text",
    [
        "mysqld --max_tokens=100",
        "app --password-file /run/secrets/app --port 80",
        "docker login --password-stdin",
        "app --token --verbose",
        "curl http://localhost:8080/a@b",
        "ssh root@db",
        "select passwords from x",
    ],
)
def test_the_rest_is_left_as_it_is(text: str) -> None:
    assert masked(text, 300) == text


def test_the_length_is_bounded_and_a_cut_is_shown() -> None:
    assert masked("x" * 10, 10) == "x" * 10
    assert masked("x" * 1_000_000, 10) == "x" * 9 + "…"
    assert masked(f"--password={'x' * 30} end", 20) == "--password=*** end"
    assert masked(f"--token {'s' * 1000}", 20) == "--token ***…"
    assert masked(f"--token {'s' * 70}", 20) == "--token ***"


def test_no_text_makes_it_slow() -> None:
    assert masked("password" * 100_000, 100_000).endswith("…")
