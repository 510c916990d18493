"""The classes that modules are written as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from engine.contract.change import Change
    from engine.contract.target import Target

Seen = TypeVar("Seen")


class Module(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every module; write a `Probe`, an `Action`, a `Record` or a `Checkpoint`."""

    primary: ClassVar[str] = ""
    """The argument that a bare string or list stands for: `shell: uptime`."""

    free_form: ClassVar[str] = ""
    """The argument that takes the task's whole mapping, for modules with keys of the user's own."""

    defines_vars: ClassVar[bool] = False
    """Whether the result's `vars` become variables of the host."""


class Observing(Module, Generic[Seen], frozen=True, kw_only=True):
    """A module that looks at a host: every probe, and every action before it changes anything."""

    def observe(self, target: Target) -> Seen:
        """Look at the host; change nothing.

        Returns:
            What was seen: a struct or a dict of plain values, which becomes the task's result.

        Raises:
            ModuleFailed: it could not be seen.
        """
        raise NotImplementedError

    def finding(self, seen: Seen) -> str | None:
        """What is wrong with what was seen, for tasks without an `expect`; None if nothing is."""
        return None

    def summary(self, seen: Seen) -> str:
        """What was seen, in a few words, for the console."""
        return ""


class Probe(Observing[Seen], Generic[Seen], frozen=True, kw_only=True):
    """A module that only reads."""


class Action(Observing[Seen], Generic[Seen], frozen=True, kw_only=True):
    """A module that changes a host or a service.

    One with a boolean argument `probe` is a probe where the playbook says `probe: true`: then
    only `observe` is called, with `finding` and `summary` as for a `Probe`. One with a boolean
    argument `record` is a record where it says `record: true`: then nobody is asked for a yes.
    """

    observable: ClassVar[bool] = True
    """Whether a later `observe` can tell that the change took; not so for a free command."""

    def decide(self, seen: Seen) -> Change | None:
        """What is to be done, from what was seen and the arguments alone: no I/O.

        Returns:
            The change, or None where there is nothing to do.

        Raises:
            GuardRefused: what was seen must never be changed.
            ModuleFailed: what was seen and the arguments do not go together.
        """
        raise NotImplementedError

    def apply(self, target: Target, change: Change) -> object:
        """Do it: the only method that changes anything. Acts on `change.on`, never a new look-up.

        Returns:
            What was done, a struct or a dict that joins the task's result; or None.

        Raises:
            ModuleFailed: it was refused, or the target is no longer the one that was shown.
        """
        raise NotImplementedError

    def confirm(self, target: Target, change: Change) -> str | None:
        """Look again: None when the change took, else what is still wrong."""
        again = self.decide(self.observe(target))
        return None if again is None else f"still to be done: {again.summary}"


class Record(Module, frozen=True, kw_only=True):
    """A module that changes something outside the hosts that is safe to repeat."""

    def decide(self) -> Change | None:
        """What is to be done, from the arguments alone."""
        raise NotImplementedError

    def apply(self, target: Target, change: Change) -> object:
        """Do it."""
        raise NotImplementedError


def to_plain(value: object) -> Any:
    """A result as plain JSON values, whatever the module returned."""
    return msgspec.to_builtins(value)
