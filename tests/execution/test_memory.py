"""What a run knows of its hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import HostError
from tests.execution.build import order, outcome
from tests.execution.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Status

BOOK = """
vars: {url: "http://{{ inventory_hostname }}:{{ port }}", port: 1}
investigate:
  - {name: First, look: main, register: seen}
  - {name: Items, loop: [main, second], look: "{{ item }}", register: both}
  - {name: Keep, set: {kept: "{{ seen.position }}!"}}
"""


def test_variables_are_rendered_for_each_host(tmp_path: Path) -> None:
    memory = Rig(tmp_path, BOOK).memory
    assert memory.scope("h1")["url"] == "http://h1:1"
    assert memory.scope("h2")["url"] == "http://h2:1"


def test_what_was_given_goes_before_variables_and_is_never_rendered(tmp_path: Path) -> None:
    memory = Rig(tmp_path, BOOK, extra={"port": "{{ 6 * 7 }}"}).memory
    assert memory.scope("h1")["port"] == "{{ 6 * 7 }}"
    assert memory.scope("h1")["url"] == "http://h1:{{ 6 * 7 }}"


def test_what_was_registered_belongs_to_its_host(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BOOK)
    rig.boards["h1"].switches = {"main": "on", "second": "broken"}
    rig.boards["h2"].switches = {"main": "off", "second": "off"}
    for task in rig.plan.tasks("investigate"):
        rig.stage.run("investigate", [task])
    h1, h2 = rig.memory.scope("h1"), rig.memory.scope("h2")
    assert (h1["seen"]["position"], h2["seen"]["position"]) == ("on", "off")
    assert (h1["kept"], h2["kept"]) == ("on!", "off!")
    assert [result["position"] for result in h1["both"]["results"]] == ["on", "broken"]
    assert (h1["both"]["finding"], h2["both"]["finding"]) == (True, False)
    assert h2["hostvars"]["h1"]["seen"]["position"] == "on"
    assert rig.memory.evidence == {"seen": {"h1", "h2"}, "both": {"h1", "h2"}}


def test_hostvars_knows_its_hosts(tmp_path: Path) -> None:
    hostvars = Rig(tmp_path, BOOK).memory.scope("h1")["hostvars"]
    assert list(hostvars) == ["h1", "h2"]
    with pytest.raises(KeyError):
        hostvars["h3"]


def test_what_is_read_of_the_environment_is_a_secret_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUELL_TOKEN", "open sesame")
    rig = Rig(tmp_path, BOOK)
    assert rig.redactor.text("open sesame") == "open sesame"
    assert rig.templates.render("{{ env.QUELL_TOKEN }}", rig.memory.scope("h1")) == "open sesame"
    assert rig.redactor.text("open sesame") == "********"
    monkeypatch.delenv("QUELL_TOKEN")
    with pytest.raises(HostError, match="QUELL_TOKEN"):
        rig.templates.render("{{ env.QUELL_TOKEN }}", rig.memory.scope("h1"))


@pytest.mark.parametrize(
    ("status", "ignored", "columns"),
    [
        ("ok", False, {"ok": 1}),
        ("changed", False, {"ok": 1, "changed": 1}),
        ("finding", False, {"ok": 1, "findings": 1}),
        ("failed", False, {"failed": 1, "findings": 1}),
        ("failed", True, {"ignored": 1, "findings": 1}),
        ("unknown", False, {"failed": 1}),
        ("unreachable", True, {"unreachable": 1}),
        ("skipped", False, {"skipped": 1}),
    ],
)
def test_the_recap_counts_each_outcome(
    tmp_path: Path, status: Status, ignored: bool, columns: dict[str, int]
) -> None:
    memory = Rig(tmp_path, BOOK).memory
    result = {"finding": status in ("finding", "failed")}
    memory.count(outcome(order("h1"), status, result=result), ignored=ignored)
    assert {name: n for name, n in memory.recap["h1"].items() if n} == columns
