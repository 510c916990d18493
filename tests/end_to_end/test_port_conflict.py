"""playbooks/port_conflict.yml ends the process that holds the service's port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.hosts import actor, fetch, processes
from tests.end_to_end.quell import PLAYBOOKS, intents, results

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Way
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
PLAYBOOK = PLAYBOOKS / "port_conflict.yml"


def test_the_stale_process_is_ended_and_the_service_comes_up(way: Way, lab: Lab, port: int) -> None:
    host = lab.h1
    with actor(host, "stale", port) as stale, actor(host, "service", port) as service:
        assert fetch(host, port) == (503, str(stale))
        ended = way.run(host, PLAYBOOK, "--yes", "-e", f"port={port}", "-e", "watch=1s")
        assert ended.code == 0, ended.stderr
        assert fetch(host, port) == (200, str(service))
        assert str(stale) not in {pid for pid, *_ in processes(host)}
    recap = f"{way.called(host)}  ok=5 changed=1 unreachable=0 failed=0 skipped=1"
    assert f"{recap} rescued=0 ignored=0 findings=1\nRESOLVED in" in ended.stderr
    assert "SEVERITY     P1  the service is down on half of its hosts or more" in ended.stderr
    assert ended.stdout == ""
    events = way.quell.events()
    [intent] = intents(events)
    [result] = results(events, "End the process on the port")
    assert intent.change["on"][0]["key"]["pid"] == stale
    assert events.index(intent) < events.index(result)
    assert (result.status, result.intent) == ("changed", intent.intent)


def test_a_service_that_is_ready_is_left_alone(way: Way, lab: Lab, port: int) -> None:
    with actor(lab.h1, "service", port) as service:
        fetch_until_ready(lab, port)
        ended = way.run(lab.h1, PLAYBOOK, "-e", f"port={port}", "-e", "watch=1s")
        assert ended.code == 0, ended.stderr
        assert fetch(lab.h1, port) == (200, str(service))
    assert "P4  the service is ready everywhere" in ended.stderr
    assert intents(way.quell.events()) == []


def fetch_until_ready(lab: Lab, port: int) -> None:
    script = 'until (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; do sleep 0.05; done'
    lab.h1.exec(["timeout", "10", "bash", "-c", script, "bash", str(port)], check=True)
