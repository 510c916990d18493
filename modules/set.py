"""`set`: give names to values."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from engine.contract import Meta, Probe, Struct, Target, cut

Name = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", title="name")]

SHOWN = 60
"""Characters of a value in the summary."""


class Vars(Struct, frozen=True):
    """The values under their names."""

    vars: dict[str, Any]


class Set(Probe[Vars], frozen=True, kw_only=True):
    """Give names to values, for the host's later tasks. The task's keys are the names.

    Args:
        vars: each name with its value, usually a template over what earlier tasks registered.

    **Source:** Ansible's `ansible.builtin.set_fact`.
    """

    free_form: ClassVar[str] = "vars"
    defines_vars: ClassVar[bool] = True

    vars: dict[Name, Any]

    def observe(self, target: Target) -> Vars:
        """The values; the host is not contacted."""
        return Vars(self.vars)

    def summary(self, seen: Vars) -> str:
        """Each with its value."""
        return ", ".join(f"{name} = {_shown(value)}" for name, value in seen.vars.items())


def _shown(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False, default=str), SHOWN)


EXAMPLE = """
name: Remember what is to be restarted
set:
  container: backend
  grace: 20s
"""
