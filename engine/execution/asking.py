"""The inputs that a person is asked for, and those that are secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.language import unanswered
from engine.language.keywords import InputText
from engine.redact import MASK
from engine.vault import sealed_in

if TYPE_CHECKING:
    from engine.language.model import Playbook
    from engine.redact import Redactor

Ask = Callable[[str, InputText], str | None]
"""Asks a person for the input of that name; None: the answer is empty."""


def with_answers(
    playbook: Playbook,
    given: Mapping[str, Any],
    alert: Mapping[str, Any] | None,
    ask: Ask | None,
    redactor: Redactor,
) -> dict[str, Any]:
    """What `-e` says, and what a person answers.

    Args:
        playbook: whose inputs they are.
        given: what `-e` says.
        alert: that the playbook is run for.
        ask: asks; None: nobody is there.
        redactor: learns the secret ones.
    """
    values = dict(given)
    for name in unanswered(playbook, given, alert) if ask is not None else ():
        assert ask is not None
        answer = ask(name, playbook.text.inputs[name])
        if answer is not None:
            values[name] = answer
    for name in secrets_of(playbook) & values.keys():
        # What is encrypted is no secret before it is opened.
        if not any(sealed_in(values[name])):
            redactor.learn(values[name])
    return values


def secrets_of(playbook: Playbook) -> frozenset[str]:
    """The names of the inputs that are secret."""
    return frozenset(name for name, text in playbook.text.inputs.items() if text.secret)


def without(names: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with these hidden, however short they are."""
    return {name: MASK if name in names else value for name, value in values.items()}
