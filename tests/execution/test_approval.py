"""Who says yes, and what is kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ApprovalNeeded, GuardRefused
from engine.events import ApprovalAnswered, ApprovalAsked, Event
from engine.execution.approval import Approvals, Proposal
from tests.execution.build import change, guards, policy
from tests.execution.rig import Person

if TYPE_CHECKING:
    from engine.execution.guard import Guards
    from engine.language.keywords import Approve


def proposal(host: str, approve: Approve = "ask", item: str | None = None) -> Proposal:
    return Proposal(("mitigate.1", host, item), "End it", "port_kill", host, change(), "", approve)


def settled(
    proposals: list[Proposal],
    *answers: set[str] | None,
    yes: bool = False,
    guarded: Guards | None = None,
) -> tuple[set[str], list[Event], Person]:
    """The hosts of what may be applied, what was told, and the person."""
    told: list[Event] = []
    person = Person(answers)
    keys = Approvals(person, guarded or guards(), told.append, yes=yes).settle(proposals)
    return {host for _, host, _ in keys}, told, person


def test_a_person_decides() -> None:
    hosts, told, person = settled([proposal("h1"), proposal("h2")], {"h2"})
    assert hosts == {"h2"}
    asked, answered = told
    assert isinstance(asked, ApprovalAsked)
    assert (asked.changes, asked.hosts) == (2, ["h1", "h2"])
    assert isinstance(answered, ApprovalAnswered)
    assert (answered.how, answered.approved, answered.refused) == (
        "terminal",
        ["mitigate.1@h2"],
        ["mitigate.1@h1"],
    )
    assert len(person.asked) == 1


def test_yes_on_the_command_line_asks_nobody() -> None:
    hosts, [answered], person = settled([proposal("h1")], yes=True)
    assert hosts == {"h1"}
    assert isinstance(answered, ApprovalAnswered)
    assert answered.how == "--yes"
    assert person.asked == []


def test_the_author_may_vouch_for_it() -> None:
    hosts, [answered], _ = settled([proposal("h1", "auto")])
    assert hosts == {"h1"}
    assert isinstance(answered, ApprovalAnswered)
    assert answered.how == "approve: auto"


def test_only_what_is_open_is_asked_for() -> None:
    proposals = [proposal("h1", "auto"), proposal("h2", "always_ask")]
    hosts, _, person = settled(proposals, set(), yes=True)
    assert hosts == {"h1"}
    assert [[p.host for p in asked] for asked in person.asked] == [["h2"]]


def test_where_nobody_is_the_run_waits() -> None:
    with pytest.raises(ApprovalNeeded, match="1 change waits for a yes on h1"):
        settled([proposal("h1", "always_ask")], None, yes=True)
    with pytest.raises(ApprovalNeeded, match="2 changes wait for a yes on h1, h2"):
        settled([proposal("h2"), proposal("h1")], None)


def test_an_item_of_a_loop_is_told_by_its_label() -> None:
    _, [_, answered], _ = settled([proposal("h1", item="web")], {"h1"})
    assert isinstance(answered, ApprovalAnswered)
    assert answered.approved == ["mitigate.1@h1[web]"]


def test_a_policy_may_want_a_person_all_the_same() -> None:
    strict = guards(policy(approve=[{"auto": False, "yes": False}]))
    for proposals, yes in (([proposal("h1", "auto")], False), ([proposal("h1")], True)):
        hosts, _, person = settled(proposals, {"h1"}, yes=yes, guarded=strict)
        assert hosts == {"h1"}
        assert len(person.asked) == 1


def test_nobody_else_is_asked_for_what_a_policy_leaves_to_some() -> None:
    others = guards(policy(approve=[{"by": ["nobody-here"]}]))
    with pytest.raises(GuardRefused, match=r"policy.yml lets nobody-here approve port_kill there"):
        settled([proposal("h1")], {"h1"}, guarded=others)
    with pytest.raises(GuardRefused, match="nobody-here"):
        settled([proposal("h1")], yes=True, guarded=others)
    assert settled([proposal("h1", "auto")], guarded=others)[0] == {"h1"}
