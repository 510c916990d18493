"""docker_logs on the lab's engine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import ModuleFailed
from tests.modules.containers import container, inspected, until
from tests.modules.sequence import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab

STORY = """
for n in 1 2 3; do echo "request $n served"; done
echo 'fatal error: out of memory' >&2
echo 'connection refused by db' >&2
echo 'fatal error: out of memory' >&2
echo 'ready' >&2
"""


def look(engine: Engine, **args: Any) -> Any:
    return probe("docker_logs", {"container": "backend", **args}, engine())


def texts(outcome: Any) -> list[str]:
    return [line["text"] for line in outcome.seen["lines"]]


@pytest.fixture
def story(docker_host: Host) -> Iterator[str]:
    with container(docker_host, "backend", script=STORY) as id_:
        docker_host.docker("wait", "backend")
        yield id_


def test_a_pattern_is_counted(story: str, docker_host: Host, engine: Engine) -> None:
    outcome = look(engine, pattern="(?i)FATAL|refused")
    seen = outcome.seen
    written = docker_host.docker("logs", "-t", "backend").stderr.splitlines()
    assert (seen["container"], seen["id"]) == ("backend", story)
    assert (seen["looked"], seen["matches"]) == (7, 3)
    assert texts(outcome) == [
        "fatal error: out of memory",
        "connection refused by db",
        "fatal error: out of memory",
    ]
    assert {line["stream"] for line in seen["lines"]} == {"stderr"}
    assert seen["first"] == seen["lines"][0]["time"]
    assert seen["last"] == seen["lines"][-1]["time"]
    assert seen["lines"][1]["time"] == written[1].partition(" ")[0]
    assert seen["counts"] == {}
    assert outcome.summary == '3 of 7 lines: "fatal error: out of memory" × 2 …'
    assert outcome.finding == f"3 lines match, last at {seen['last'][:19]}Z"


@pytest.mark.usefixtures("story")
def test_named_patterns_are_counted_apart(engine: Engine) -> None:
    patterns = {"memory": "out of memory", "any": "error|refused", "panic": "panic"}
    outcome = look(engine, pattern=patterns)
    counts = outcome.seen["counts"]
    assert {name: hits["count"] for name, hits in counts.items()} == {
        "memory": 2,
        "any": 3,
        "panic": 0,
    }
    assert outcome.seen["matches"] == 3
    assert counts["memory"]["first"] < counts["memory"]["last"] == outcome.seen["last"]
    assert counts["panic"] == {"count": 0, "first": None, "last": None}
    assert outcome.summary == "3 of 7 lines: any × 3, memory × 2"


@pytest.mark.usefixtures("story")
def test_no_match_is_no_finding(engine: Engine) -> None:
    outcome = look(engine, pattern="panic")
    assert (outcome.summary, outcome.finding) == ("none of 7 lines", None)
    assert (outcome.seen["matches"], outcome.seen["first"]) == (0, None)


@pytest.mark.usefixtures("story")
def test_without_a_pattern_the_last_lines_are_shown(engine: Engine) -> None:
    outcome = look(engine, keep=2)
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (7, 7)
    assert len(outcome.seen["lines"]) == 2
    assert (outcome.summary, outcome.finding) == (f'7 lines: "{texts(outcome)[-1]}"', None)
    outcome = look(engine, keep=2, stream="stderr")
    assert texts(outcome) == ["fatal error: out of memory", "ready"]
    assert outcome.summary == '4 lines: "ready"'


@pytest.mark.usefixtures("story")
def test_what_is_excluded_counts_for_nothing(engine: Engine) -> None:
    outcome = look(engine, pattern="error|refused", exclude="memory")
    assert texts(outcome) == ["connection refused by db"]
    assert outcome.seen["looked"] == 7


def test_only_the_tail(docker_host: Host, engine: Engine) -> None:
    script = "for word in error fine error fine error; do echo $word; done"
    with container(docker_host, "backend", script=script):
        docker_host.docker("wait", "backend")
        outcome = look(engine, pattern="error", tail=3)
    assert (outcome.seen["looked"], outcome.seen["matches"]) == (3, 2)


@pytest.mark.parametrize(("stream", "lines"), [("stdout", 3), ("stderr", 4), ("both", 7)], ids=str)
@pytest.mark.usefixtures("story")
def test_only_one_stream(engine: Engine, stream: str, lines: int) -> None:
    outcome = look(engine, stream=stream)
    assert outcome.seen["looked"] == lines
    if stream != "both":
        assert {line["stream"] for line in outcome.seen["lines"]} == {stream}


def test_how_far_back(docker_host: Host, engine: Engine) -> None:
    slowly = "for n in 1 2 3; do echo $n; sleep 1.5; done"
    with container(docker_host, "backend", script=slowly):
        docker_host.docker("wait", "backend")
        times = {line["text"]: line["time"] for line in look(engine).seen["lines"]}
        second = dt.datetime.fromisoformat(times["2"])
        before, after = (second + dt.timedelta(milliseconds=m) for m in (-500, 500))
        assert texts(look(engine, since=before.isoformat())) == ["2", "3"]
        assert texts(look(engine, until=after.isoformat())) == ["1", "2"]
        between = {"since": before.isoformat(), "until": after.isoformat()}
        assert texts(look(engine, **between)) == ["2"]
        assert texts(look(engine, since=times["2"])) == ["2", "3"]
        assert texts(look(engine, since="1h")) == ["1", "2", "3"]
        assert texts(look(engine, until="1h")) == []
        with pytest.raises(ModuleFailed, match=r"until \(2h\) is not after since \(1h\)"):
            look(engine, since="1h", until="2h")


def test_how_far_back_unless_said(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", script="busybox seq 1 1500"):
        docker_host.docker("wait", "backend")
        assert look(engine).seen["looked"] == 1000
        assert look(engine, tail=1200).seen["looked"] == 1200
        assert look(engine, since="1h").seen["looked"] == 1500
        assert look(engine, since="1h", tail=10).seen["looked"] == 10


@pytest.mark.parametrize(
    "options",
    [["--log-driver=json-file"], ["--log-driver=json-file", "-t"], ["--log-driver=local"]],
    ids=str,
)
def test_long_lines_and_ends(docker_host: Host, engine: Engine, options: list[str]) -> None:
    script = """
    busybox head -c 40000 /dev/zero | busybox tr '\\0' x; echo ' end of it'
    echo short; busybox printf 'no newline'"""
    with container(docker_host, "backend", *options, script=script):
        docker_host.docker("wait", "backend")
        outcome = look(engine, pattern="end of it|short|newline")
    long, *rest = texts(outcome)
    assert long.startswith("xxxxxxxx")
    assert len(long) == 1000
    assert rest == ["short", "no newline"]
    assert outcome.seen["looked"] == 3
    assert None not in [line["time"] for line in outcome.seen["lines"]]


def test_a_running_containers_log_ends_now(docker_host: Host, engine: Engine) -> None:
    endless = "while true; do echo tick; sleep 0.05; done"
    with container(docker_host, "backend", script=endless):
        until(lambda: look(engine).seen["looked"] > 0)
        assert set(texts(look(engine))) == {"tick"}


def test_a_log_that_cannot_be_read(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", "--log-driver", "none", script="echo lost"):
        docker_host.docker("wait", "backend")
        with pytest.raises(ModuleFailed) as failed:
            look(engine, pattern="error")
    assert failed.value.message == "backend has no log: it was made with the log driver 'none'"


def test_an_empty_log(docker_host: Host, engine: Engine) -> None:
    with container(docker_host, "backend", script="true"):
        docker_host.docker("wait", "backend")
        outcome = look(engine)
        assert (outcome.summary, outcome.finding) == ("0 lines", None)
        assert look(engine, pattern="error").summary == "none of 0 lines"


@pytest.mark.usefixtures("story")
def test_looking_changes_nothing(docker_host: Host, engine: Engine) -> None:
    before = inspected(docker_host, "backend")
    look(engine, pattern="error", since="1h")
    assert inspected(docker_host, "backend") == before
