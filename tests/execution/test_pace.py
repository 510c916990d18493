"""How soon a target may be hit again, as policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused
from engine.execution.pace import Pace
from engine.journal.guards import Sent, Target
from engine.policy import Policies
from tests.execution.build import policy
from tests.journal.events import at

if TYPE_CHECKING:
    from engine.policy import Policy

BACKEND = Target("app1", "container", "backend")
RESTART = "docker_restart"


def sent(age: float, **changed: Any) -> Sent:
    fields: dict[str, Any] = {
        "run": "20261123-1337-k3f9",
        "intent": f"i{age}",
        "task": "mitigate.1",
        "name": "Restart",
        "module": RESTART,
        "target": BACKEND,
        "sent": at(5),
        "ended": at(6),
        "status": "changed",
        "verified": None,
    }
    return Sent(**{**fields, "age": age, **changed})


class Told:
    """What was done before, the newest first."""

    def __init__(self, *history: Sent) -> None:
        self._history = history

    def history(self, target: Target, module: str | None = None, *, limit: int = 20) -> list[Sent]:
        found = (s for s in self._history if s.target == target and module in (None, s.module))
        return list(found)[:limit]


def pace(*history: Sent, policies: tuple[Policy, ...] = (), break_glass: str = "") -> Pace:
    return Pace(Policies(policies), Told(*history), break_glass)


def refusal(made: Pace, module: str = RESTART) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        made.check(module, [Target("app2"), BACKEND])
    return caught.value


TEN_MINUTES = policy(cooldown={RESTART: "10m"})


def test_a_target_cools_down() -> None:
    refused = refusal(pace(sent(200), policies=(TEN_MINUTES,)))
    assert refused.guard == "cooldown"
    said = str(refused)
    assert said.startswith(
        f"{RESTART} was sent to container backend on app1 at {at(5).astimezone():%Y-%m-%d %H:%M:%S}"
        " by run 20261123-1337-k3f9; a policy has it left alone for 10 min after that, until "
    )
    assert said.endswith("; --break-glass REASON overrules it")


@pytest.mark.parametrize("status", ["failed", "unknown"])
def test_what_failed_and_what_nobody_saw_may_have_hit(status: str) -> None:
    made = pace(sent(200, status=status), policies=(TEN_MINUTES, policy(breaker={"after": 9})))
    assert refusal(made).guard == "cooldown"


def test_once_it_is_over_nothing_is_said() -> None:
    pace(sent(601), policies=(TEN_MINUTES,)).check(RESTART, [BACKEND])


def test_it_is_of_that_action_and_that_target() -> None:
    made = pace(sent(1), policies=(TEN_MINUTES,))
    made.check("docker_update", [BACKEND])
    made.check(RESTART, [Target("app2", "container", "backend"), Target("app1")])


def test_broken_glass_lifts_it() -> None:
    pace(sent(1), policies=(TEN_MINUTES,), break_glass="a fire").check(RESTART, [BACKEND])


def test_only_so_many_times() -> None:
    twice = policy(at_most={"docker_*": "2 in 1h"})
    pace(sent(10), sent(3601), policies=(twice,)).check(RESTART, [BACKEND])

    refused = refusal(pace(sent(10), sent(3500), sent(3590), policies=(twice,), break_glass="fire"))
    assert refused.guard == "at_most"
    assert f"{RESTART} was sent to {BACKEND} 2 times in the last 1 h" in str(refused)
    assert "a policy allows no more, until " in str(refused)


BAD = {"verified": False, "status": "failed"}


def test_two_that_did_not_help_open_the_breaker_without_any_policy() -> None:
    pace(sent(10, **BAD)).check(RESTART, [BACKEND])

    refused = refusal(pace(sent(10, **BAD), sent(20, **BAD), break_glass="a fire"), "docker_update")
    assert refused.guard == "breaker"
    assert str(refused).startswith(
        f"the last 2 actions on {BACKEND} did not help, the last of them {RESTART} at "
    )
    assert "; the breaker is open, until " in str(refused)


def test_one_that_helped_closes_it_and_one_that_nobody_can_tell_of_does_not() -> None:
    pace(sent(5, verified=True), sent(10, **BAD), sent(20, **BAD)).check(RESTART, [BACKEND])
    assert refusal(pace(sent(5), sent(10, **BAD), sent(20, **BAD))).guard == "breaker"


def test_the_breaker_rests_from_the_last_that_did_not_help() -> None:
    made = (sent(5), sent(100, **BAD), sent(1000, **BAD))
    pace(*made, policies=(policy(breaker={"rest": "99s"}),)).check(RESTART, [BACKEND])
    assert refusal(pace(*made, policies=(policy(breaker={"rest": "101s"}),))).guard == "breaker"


def test_what_a_session_sends_itself_only_counts_as_often() -> None:
    history = (sent(1, intent="own", **BAD), sent(20, **BAD))
    made = pace(*history, policies=(TEN_MINUTES, policy(cooldown={"docker_restart": "15s"})))
    assert refusal(made).guard == "cooldown"
    made = pace(*history, policies=(policy(cooldown={"docker_restart": "15s"}),))
    made.sending("own")
    made.check(RESTART, [BACKEND])

    counted = pace(*history, policies=(policy(at_most={"*": "2 in 1h"}),))
    counted.sending("own")
    assert refusal(counted).guard == "at_most"
