"""playbooks/backend_down.yml restarts a backend that is not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.containers import started_at, stuck_backend
from tests.end_to_end.hosts import fetch
from tests.end_to_end.quell import PLAYBOOKS, intents, results

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Way
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
PLAYBOOK = PLAYBOOKS / "backend_down.yml"
PATH = "/api/health/ready"


def test_a_backend_that_is_not_ready_is_restarted(way: Way, lab_docker: Lab, port: int) -> None:
    host = lab_docker.h1
    with stuck_backend(host, port) as name:
        before = started_at(host, name)
        assert fetch(host, port, PATH)[0] == 404
        said = ["-e", f"url=http://localhost:{port}{PATH}", "-e", f"container={name}"]
        ended = way.run(host, PLAYBOOK, "--yes", *said, "-e", "watch=1s")
        assert ended.code == 0, ended.stderr
        assert started_at(host, name) > before
        assert fetch(host, port, PATH) == (200, "ready")
    events = way.quell.events()
    [intent] = intents(events)
    [result] = results(events, "Restart the backend")
    assert intent.change["on"][0]["key"]["started_at"] == before
    assert events.index(intent) < events.index(result)
    [log] = results(events, "Errors in the log")
    assert [line["text"] for line in log.result["lines"]] == ["fatal error: out of memory"]
    assert log.summary == '1 of 1 line: "fatal error: out of memory"'
    recap = f"{way.called(host)}  ok=4 changed=1 unreachable=0 failed=0 skipped=0"
    assert f"{recap} rescued=0 ignored=0 findings=2\nRESOLVED in" in ended.stderr


def test_a_log_that_cannot_be_read_is_not_called_clean(
    way: Way, lab_docker: Lab, port: int
) -> None:
    said = ["-e", f"url=http://localhost:{port}{PATH}", "-e", f"container=none-{port}"]
    ended = way.run(lab_docker.h1, PLAYBOOK, "--only", "investigate", *said)
    assert ended.code == 0, ended.stderr
    [log] = results(way.quell.events(), "Errors in the log")
    assert log.status == "failed"
    assert log.result["finding"]
    assert log.result["msg"].startswith(f"no container 'none-{port}'")
