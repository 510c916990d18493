"""What is not run again, what is looked at first, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import HostError
from engine.execution.past import Past, past_of
from engine.journal.progress import progress
from engine.redact import MASK
from tests.execution.rig import Rig
from tests.journal.events import action, ended, intent, started, task

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event, TaskEnded
    from engine.execution.orders import Key


class TestFinished:
    def keys(self, *events: Event) -> set[str]:
        return {key[0] for key in past_of(progress([started(), *events])).ended}

    def test_what_ended_well_is_not_run_again(self) -> None:
        done = (task(1, status="ok"), task(1, task="b", status="finding"), action(2))
        assert self.keys(*done) == {"investigate.1", "b", "mitigate.1"}

    @pytest.mark.parametrize("status", ["failed", "unreachable", "skipped"])
    def test_what_did_not_is(self, status: str) -> None:
        assert self.keys(task(1, status=status)) == set()

    def test_a_result_without_its_secrets_is_not_gone_on_from(self) -> None:
        hidden = {"stdout": {"lines": ["fine", f"password={MASK}"]}}
        assert self.keys(task(1, result=hidden)) == set()
        assert self.keys(task(1, result={MASK: 1})) == set()
        # An action is not done twice for that.
        assert self.keys(action(1, result=hidden)) == {"mitigate.1"}

    def test_a_failure_of_the_mitigation_stands_as_long_as_its_session(self) -> None:
        for failed in (
            action(1, status="failed"),
            task(1, task="b", status="failed", phase="mitigate"),
        ):
            assert self.keys(failed) == {failed.task}
            assert self.keys(failed, ended()) == set()

    def test_an_action_that_failed_and_may_is_done_with(self) -> None:
        failed = action(1, status="failed", ignored=True)
        assert self.keys(failed) == self.keys(failed, ended()) == {"mitigate.1"}


def test_what_may_have_been_taken_back_is_looked_at_like_what_nobody_saw() -> None:
    back = action(2, task="mitigate.1.rollback.1", intent=None)
    so_far = progress(
        [started(), intent(1), action(2), back, intent(3, task="b", intent="i2"), ended()]
    )

    past = past_of(so_far)
    assert {key[0] for key in past.unsure} == {"mitigate.1", "b"}
    assert past.ended == {}
    assert [sent.task for sent in so_far.unknown] == ["b"]


def test_a_host_has_failed_where_its_failure_was_not_to_be_ignored(tmp_path: Path) -> None:
    rig = Rig(tmp_path, 'mitigate: [{name: One, switch: "on"}]')
    [one] = rig.plan.tasks("mitigate")
    failed: dict[Key, TaskEnded] = {
        (one.id, "h1", None): action(1, host="h1", status="failed"),
        (one.id, "h2", None): action(1, host="h2", status="failed", ignored=True),
    }
    assert Past(failed).failed(one, ["h1", "h2"]) == {"h1"}


def test_what_was_a_secret_is_not_taken_for_its_mask(tmp_path: Path) -> None:
    result = {"text": f"token={MASK}", "lines": [MASK, "fine"], "deep": {"plain": "fine"}}
    rig = Rig(
        tmp_path,
        """
        mitigate:
          - {name: One, hosts: h1, switch: "on", register: one}
          - {name: Two, hosts: h1, switch: {name: "{{ one.text }}", to: "on"}}
        """,
        past=Past({("mitigate.1", "h1", None): action(1, host="h1", name="One", result=result)}),
        yes=True,
    )
    rig.mitigate()

    scope = rig.memory.scope("h1")
    assert rig.templates.evaluate("one.deep.plain ~ one.lines[1]", scope) == "finefine"
    for secret in ("one.text", "one.lines[0] ~ '!'", "one"):
        with pytest.raises(HostError, match='One" ended, and is in no journal'):
            rig.templates.evaluate(secret, scope)
    assert rig.boards["h1"].log == []
