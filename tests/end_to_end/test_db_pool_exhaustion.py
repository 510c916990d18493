"""playbooks/db_pool_exhaustion.yml ends idle sessions, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import backends, sessions
from tests.end_to_end.quell import PLAYBOOKS, intents, results

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Way
    from tests.lab.lab import Host, Lab

pytestmark = pytest.mark.lab
PLAYBOOK = PLAYBOOKS / "db_pool_exhaustion.yml"
LEAKED = 14
"""With the three that must survive and our own, 18 of the server's 20."""


def pids(host: Host) -> set[int]:
    return {int(backend.partition("|")[0]) for backend in backends(host)}


def test_idle_sessions_are_ended_and_all_others_survive(way: Way, lab_postgres: Lab) -> None:
    host = lab_postgres.h2
    with sessions(host, LEAKED) as held:
        kept = {held[name] for name in ("active", "in_transaction", "superuser")}
        assert pids(host) == kept | set(held["idle"])
        ended = way.run(host, PLAYBOOK, "--yes", "-e", "idle_for=100ms", "-e", "watch=1s")
        assert ended.code == 0, ended.stderr
        assert pids(host) == kept
    events = way.quell.events()
    [intent] = intents(events)
    [result] = results(events, "End idle sessions")
    assert {identity["key"]["pid"] for identity in intent.change["on"]} == set(held["idle"])
    assert events.index(intent) < events.index(result)
    recap = f"{way.called(host)}  ok=4 changed=1 unreachable=0 failed=0 skipped=0"
    assert f"{recap} rescued=0 ignored=0 findings=1\nRESOLVED in" in ended.stderr
    assert "SEVERITY     P2  the pool is nearly full" in ended.stderr


def test_no_more_sessions_are_ended_than_was_said(way: Way, lab_postgres: Lab) -> None:
    host = lab_postgres.h2
    with sessions(host, LEAKED) as held:
        before = pids(host)
        said = ["-e", "idle_for=100ms", "-e", "most=5", "-e", "watch=1s"]
        ended = way.run(host, PLAYBOOK, "--yes", *said)
        assert ended.code == 0, ended.stderr
        gone = before - pids(host)
    assert len(gone) == 5
    assert gone < set(held["idle"])
    assert "5 sessions of 14 that match (max 5): 5 idle" in ended.stderr


def test_a_pool_with_room_is_left_alone(way: Way, lab_postgres: Lab) -> None:
    host = lab_postgres.h2
    with sessions(host, 2):
        before = backends(host)
        ended = way.run(host, PLAYBOOK, "--yes", "-e", "idle_for=0s", "-e", "watch=1s")
        assert ended.code == 0, ended.stderr
        assert backends(host) == before
    assert "P4  there are connections to spare" in ended.stderr
