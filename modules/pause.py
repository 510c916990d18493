"""`pause`: wait for a time, or for a person."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from engine.contract import Checkpoint, Duration, Question, seconds

MOST = 86400.0
"""Seconds: what is longer is another run."""


class Pause(Checkpoint, frozen=True, kw_only=True):
    """Wait for a time, or until a person at the terminal lets the run go on.

    A `prompt` that nobody answers stays open, as a `manual` task does, and the run goes on: what
    must not happen then says `when: NAME.done`, with the name that the pause registers. The result
    has `done`, `by`, `at` and `note`.

    Args:
        for: how long, up to a day; Ctrl-C ends it.
        prompt: what the person is to look at first.

    **Source:** Ansible's `ansible.builtin.pause`.
    """

    primary: ClassVar[str] = "for"

    for_: Duration | None = field(name="for", default=None)
    prompt: str = ""

    def __post_init__(self) -> None:
        """Refuse what is neither a time nor a question, or both, or without an end.

        Raises:
            ValueError: the arguments do not go together.
        """
        if (self.for_ is None) == (not self.prompt.strip()):
            raise ValueError("it takes either for, a time, or prompt, a question")
        if self.for_ is not None and not 0 < seconds(self.for_) <= MOST:
            raise ValueError("for must be more than 0, and no more than a day")

    def stops_for(self) -> Question | float:
        """The time, or a person who says go on."""
        if self.for_ is not None:
            return seconds(self.for_)
        return Question(self.prompt, wants="go on")


EXAMPLE = """
name: Let the caches fill
pause: 5m
"""
