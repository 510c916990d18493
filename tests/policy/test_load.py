"""Policy files, and which of them hold."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import Identity
from engine.errors import InputError
from engine.events import now
from engine.policy import usual
from engine.policy.load import load
from engine.policy.policy import AtMost, Policy
from engine.policy.text import BreakerText

WHOLE = """
protect: {hosts: [db*], containers: [vault], ports: [22, 5000-5999]}
limits: {max_hosts: 3, max_percent: 20}
approve:
  - {modules: [docker_*], hosts: [app*], by: [ann], auto: false}
cooldown: {"*": 1m, docker_*: 10m}
at_most: {docker_restart: 2 in 1h30m, port_kill: 1 in 5m}
breaker: {after: 3, rest: 2h}
severity: {P1: 5m, P3: null}
"""


def written(directory: Path, text: str, name: str = "policy.yml") -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_policy_is_loaded_whole(tmp_path: Path) -> None:
    policy = load(written(tmp_path, WHOLE))
    assert policy.cooldown("docker_restart") == 600
    assert policy.cooldown("port_kill") == 60
    assert policy.at_most("docker_restart") == [AtMost(2, 5400)]
    assert policy.at_most("shell") == []
    assert policy.breaker == BreakerText(after=3, rest="2h")
    assert policy.approval("docker_stop", ["app1"]).by == ["ann"]
    assert policy.approval("docker_stop", ["db1"]).by == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("protcet: {}", '1:1: unknown key "protcet" — did you mean "protect"?'),
        (
            "protect: {container: [x]}",
            '1:11: unknown key "container" — did you mean "containers"?',
        ),
        ("protect: {ports: [70000]}", "1:19: 70000 is no port, and no range of ports"),
        ("protect: {ports: [20-10]}", "1:19: 20-10 is no port, and no range of ports"),
        ("cooldown: {x: soon}", '1:15: x must be a duration such as 10s, not "soon"'),
        (
            "at_most: {x: often}",
            '1:14: x must be a number of times in a time such as 1 in 1h, not "often"',
        ),
        ("at_most: {x: 0 in 1h}", "1:14: the number of times must be 1 or more"),
        ("at_most: {x: 00 in 1h}", "1:14: the number of times must be 1 or more"),
        (f"at_most: {{x: {'9' * 5000} in 1h}}", "1:14: 999999999… times are too many"),
        ("at_most: {x: 1 in 9999d}", "1:14: a time must be 3650 days or less"),
        ("severity: {P1: 99999999999d}", "1:16: a time must be 3650 days or less"),
        ("breaker: {rest: 1e300}", "1:17: a time must be 3650 days or less"),
        ("severity: {P5: 1h}", '1:12: unknown key "P5"'),
        ("severity: {P1: soon}", '1:16: P1 must be a duration such as 10s, not "soon"'),
        ("limits: {max_hosts: 0}", "1:21: max_hosts must be at least 1, not 0"),
        ("approve: {}", "1:10: approve must be a list, not a mapping"),
        ("- protect", "1:1: the policy must be a mapping, not a list"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{problem}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))
    monkeypatch.delenv("QUELL_POLICY", raising=False)
    return tmp_path


def test_without_a_file_nothing_is_forbidden(home: Path) -> None:
    written(home, "limits: {max_hosts: 1}")  # the working directory's is never read
    policies = usual()
    assert policies.paths == []
    assert policies.cooldown("docker_restart") == 0
    assert list(policies.breaker) == [2, 3600]
    assert policies.clock == {
        "P1": timedelta(minutes=15),
        "P2": timedelta(hours=1),
        "P3": timedelta(hours=4),
    }


def test_the_machines_policy_holds_beside_the_users(home: Path) -> None:
    site = written(home / "site" / "quell", WHOLE)
    own = written(home / "user" / "quell", "cooldown: {docker_*: 1m}\nseverity: {P1: 10m, P4: 1d}")
    policies = usual()
    assert policies.paths == [str(own), str(site)]
    assert policies.cooldown("docker_restart") == 600
    assert policies.at_most("port_kill") == [AtMost(1, 300)]
    assert list(policies.breaker) == [3, 7200]
    assert policies.clock == {
        "P1": timedelta(minutes=10),
        "P2": timedelta(hours=1),
        "P4": timedelta(days=1),
    }


def test_the_command_line_names_the_users_and_the_variable_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = written(home / "site" / "quell", WHOLE)
    written(home / "user" / "quell", "limits: {max_hosts: 1}")
    named = written(home, "limits: {max_hosts: 2}", "named.yml")
    monkeypatch.setenv("QUELL_POLICY", str(named))
    assert usual().paths == [str(named), str(site)]
    other = written(home, "limits: {max_hosts: 3}", "other.yml")
    assert usual(str(other)).paths == [str(other), str(site)]


def test_one_that_is_named_must_be_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="--policy: there is no file"):
        usual(str(home / "none.yml"))
    monkeypatch.setenv("QUELL_POLICY", str(home / "none.yml"))
    with pytest.raises(InputError, match="QUELL_POLICY: there is no file"):
        usual()


def test_a_link_that_leads_nowhere_is_no_leave(home: Path) -> None:
    own = home / "user" / "quell" / "policy.yml"
    own.parent.mkdir(parents=True)
    own.symlink_to(home / "gone.yml")
    with pytest.raises(InputError, match=r"policy.yml: cannot be read: no such file"):
        usual()
    own.unlink()
    own.mkdir()
    with pytest.raises(InputError, match=r"policy.yml: cannot be read: is a directory"):
        usual()


def test_nor_is_a_directory_that_cannot_be_looked_into(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(home / "user" / "quell", "limits: {max_hosts: 1}")

    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", denied)
    with pytest.raises(InputError, match=r"policy.yml: the policy cannot be read: Permission"):
        usual()


WORDS = st.sampled_from(
    [
        *("protect", "limits", "approve", "cooldown", "at_most", "breaker", "severity", "P1", "P4"),
        *("hosts", "containers", "ports", "by", "modules", "auto", "after", "rest", "max_hosts"),
        *("*", "[", "[!", "docker_*", "5000-5999", "-", "1-", "1h", "1e9", "50%", "{{ x }}"),
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)
GLOBS = st.sampled_from(["*", "docker_*", "docker_stop", "[", "x"])
LENGTHS = st.sampled_from(["1h", "1 d 2 ms", "0s", "99999999999999999d", "9" * 400 + "d", 5])
TIMES = st.sampled_from(["2 in 1h", "1\tin\n5m", "  3  in 1 h ", "00 in 1s", "9" * 5000 + " in 1h"])
FITTING = st.fixed_dictionaries(
    {},
    optional={
        "protect": st.fixed_dictionaries({}, optional={"ports": st.lists(WORDS | st.integers())}),
        "at_most": st.dictionaries(GLOBS, TIMES, min_size=1, max_size=2),
        "cooldown": st.dictionaries(GLOBS, LENGTHS, min_size=1, max_size=2),
        "breaker": st.dictionaries(WORDS, VALUES, max_size=2),
        "severity": st.dictionaries(st.sampled_from(["P1", "P4"]), LENGTHS | st.none()),
    },
)


def policies_of(data: bytes) -> list[Policy]:
    """The policy, or none where it is refused in words; what is no refusal is raised."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "policy.yml")
        path.write_bytes(data)
        with suppress(InputError):
            return [load(path)]
        return []


@pytest.mark.slow
@given(FITTING | st.dictionaries(WORDS, VALUES, max_size=4) | VALUES)
@settings(max_examples=150, deadline=None)
def test_any_policy_that_is_accepted_can_be_asked(value: Any) -> None:
    on = Identity("container", "web", {"port": 5000})
    data = yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace")
    for policy in policies_of(data):
        assert isinstance(policy.protects(on), str)
        assert isinstance(policy.protects_host(["web1"]), str)
        assert policy.cooldown("docker_stop") >= 0
        assert all(each.times > 0 for each in policy.at_most("docker_stop"))
        assert policy.approval("docker_stop", ["web1"]).modules
        assert all(not given or now() + given for given in policy.clock.values())
