"""The keywords of a policy file, as types: the schema and the checks come from these."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.contract import Duration
from engine.language.keywords import Limits

Globs = list[Annotated[str, Meta(min_length=1)]]
PortRange = Annotated[int | str, Meta(title="port or range of ports", examples=[22, "5000-5999"])]
AtMost = Annotated[
    str,
    Meta(
        pattern=r"^\s*\d+\s+in\s+(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$",
        title="number of times in a time",
        examples=["1 in 1h"],
    ),
]


class ProtectText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no run changes, whoever asks.

    Args:
        hosts: names of hosts or of their groups; globs.
        containers: names of containers; globs, like all that follow.
        processes: names of processes.
        ports: whoever listens on these is left alone.
        roles: database roles, whose sessions are left alone.
        services: of the system, and Swarm's.
        files: paths.
    """

    hosts: Globs = []
    containers: Globs = []
    processes: Globs = []
    ports: list[PortRange] = []
    roles: Globs = []
    services: Globs = []
    files: Globs = []


class ApproveText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may say yes to what: the first rule that fits a change decides.

    Args:
        modules: names of modules; globs.
        hosts: names of hosts or of their groups; globs.
        by: accounts on the controller; none of them: anybody.
        auto: whether the playbook's `approve: auto` counts.
        yes: whether `--yes` counts.
    """

    modules: tuple[Annotated[str, Meta(min_length=1)], ...] = ("*",)
    hosts: tuple[Annotated[str, Meta(min_length=1)], ...] = ("*",)
    by: Globs = []
    auto: bool = True
    yes: bool = True


class BreakerText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a target is left alone because nothing that was done to it has helped.

    Args:
        after: so many actions in a row that did not help.
        rest: for so long after the last of them.
    """

    after: Annotated[int, Meta(ge=1)] = 2
    rest: Duration = "1h"


class ClockText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each level gives until somebody must have taken the incident; null: any time."""

    P1: Duration | UnsetType | None = UNSET
    P2: Duration | UnsetType | None = UNSET
    P3: Duration | UnsetType | None = UNSET
    P4: Duration | UnsetType | None = UNSET


class PolicyText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy file.

    Args:
        protect: what is never changed.
        limits: the most that a mitigation may change, whatever the playbook allows.
        approve: who may approve what.
        cooldown: how long an action leaves its target alone afterwards, by its module; globs.
        at_most: how often an action may hit one target, likewise.
        breaker: when nothing helps.
        severity: how long each level gives until somebody must have taken the incident.
    """

    protect: ProtectText = ProtectText()
    limits: Limits = Limits()
    approve: list[ApproveText] = []
    cooldown: dict[str, Duration] = {}
    at_most: dict[str, AtMost] = {}
    breaker: BreakerText | UnsetType = UNSET
    severity: ClockText = ClockText()
