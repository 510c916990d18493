"""`manual`: what a person does and ticks."""

from __future__ import annotations

from typing import ClassVar

from engine.contract import Checkpoint, Question


class Manual(Checkpoint, frozen=True, kw_only=True):
    """An item of the checklist that a person does, and ticks at the terminal.

    The person says that it is done, or leaves it open, and may add a note: the result has `done`,
    `by`, `at` and `note`. `--yes` ticks nothing. Without a terminal, with `--json`, or where nobody
    answers for half an hour, it stays open and the run goes on: the end of the run names what is
    open, and `quell resume` asks for that again. An open item of `resolve` keeps the incident open:
    the run waits for a person, with exit code 3.

    Args:
        text: what is to be done.
        owner: whose it is.

    **Source:** Ansible's `ansible.builtin.pause`, with an answer that is kept.
    """

    primary: ClassVar[str] = "text"

    text: str
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what nobody could do.

        Raises:
            ValueError: it says nothing.
        """
        if not self.text.strip():
            raise ValueError("text must say what is to be done")

    def stops_for(self) -> Question:
        """A person who has done it."""
        return Question(self.text, self.owner)


EXAMPLE = """
name: Assign Incident Commander
manual: {text: Name one in the channel and say who it is, owner: on-call lead}
register: commander
"""
