import msgspec
import pytest

from engine.events import PhaseStarted, RunEnded, TaskEnded, decode, encode


def test_an_event_comes_back_as_it_was() -> None:
    event = PhaseStarted(phase="mitigate", tasks=2, hosts=3)
    assert decode(encode(event)) == event


def test_the_line_says_which_event_it_is() -> None:
    event = RunEnded(outcome="done", exit_code=0, seconds=1.5, recap={})
    assert encode(event).startswith(b'{"event":"run_ended","at":"20')


def test_text_that_is_no_unicode_is_kept_readable() -> None:
    event = TaskEnded(
        phase="investigate",
        task="investigate.1",
        name="a",
        module="shell",
        place="b\udcff.yml:1",
        host="h",
        status="ok",
        result={"path\udcfe": ["caf\udce9"]},
    )
    again = decode(encode(event))
    assert isinstance(again, TaskEnded)
    assert again.place == "b\\udcff.yml:1"
    assert again.result == {"path\\udcfe": ["caf\\udce9"]}


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode('{"event": "nonsense"}')
