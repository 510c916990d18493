"""`assert`: conditions that must hold."""

from __future__ import annotations

from typing import Annotated, ClassVar

from engine.contract import Condition, Meta, Probe, Struct, Target


class Asserted(Struct, frozen=True):
    """How the conditions came out.

    Args:
        failed: the text of each that does not hold.
        checked: how many there were.
    """

    failed: list[str]
    checked: int


class Assert(Probe[Asserted], frozen=True, kw_only=True):
    """Check conditions over what earlier tasks registered; one that does not hold is a finding.

    Args:
        that: the conditions, bare expressions; all must hold.
        message: what to say instead of naming the conditions.

    **Source:** Ansible's `ansible.builtin.assert`.
    """

    primary: ClassVar[str] = "that"

    that: Annotated[list[Condition], Meta(min_length=1)]
    message: str = ""

    def observe(self, target: Target) -> Asserted:
        """Which conditions hold; the host is not contacted."""
        failed = [condition.text for condition in self.that if not condition.holds]
        return Asserted(failed, len(self.that))

    def finding(self, seen: Asserted) -> str | None:
        """The message, or the conditions that do not hold."""
        if not seen.failed:
            return None
        return self.message or f"does not hold: {'; '.join(seen.failed)}"

    def summary(self, seen: Asserted) -> str:
        """How many hold."""
        return f"{seen.checked - len(seen.failed)} of {seen.checked} hold"


EXAMPLE = """
name: We are on a database host
assert:
  that:
    - inventory_hostname in groups.db
  message: this playbook is for database hosts
"""
