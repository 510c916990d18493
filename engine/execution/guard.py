"""What no run may do: the blast radius, and targets that are always protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import GuardRefused

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.contract import Change, Identity
    from engine.language.keywords import Limits

PROTECTED_PROCESSES = frozenset({"init", "systemd", "sshd", "launchd", "dockerd", "containerd"})
"""Ending one of these takes the host, or our way to it, away."""


def check_radius(limits: Limits, changing: Collection[str], hosts: Collection[str]) -> None:
    """Refuse a mitigation that would change more hosts than the playbook allows.

    Args:
        limits: the playbook's.
        changing: the hosts that would be changed, over the whole run.
        hosts: all that the playbook's pattern names, whatever `--limit` says.

    Raises:
        GuardRefused: too many.
    """
    count = len(changing)
    names = ", ".join(sorted(changing))
    if limits.max_hosts is not None and count > limits.max_hosts:
        raise GuardRefused(
            f"would change {count} hosts ({names}); the playbook's limit is {limits.max_hosts}"
        )
    if limits.max_percent is not None and hosts:
        percent = 100 * count / len(hosts)
        if percent > limits.max_percent:
            raise GuardRefused(
                f"would change {count} of {len(hosts)} hosts, {percent:.0f} % ({names}); "
                f"the playbook's limit is {limits.max_percent:g} %"
            )


def check_protected(change: Change) -> None:
    """Refuse a change of something that must never be hit, whoever asks.

    Raises:
        GuardRefused: one of its targets is protected.
    """
    for identity in change.on:
        reason = _protected(identity)
        if reason:
            raise GuardRefused(f"{identity.name} is protected: {reason}")


def _protected(identity: Identity) -> str:
    if identity.kind != "process":
        return ""
    if identity.key.get("pid") == 1:
        return "pid 1 is the host itself"
    if identity.name in PROTECTED_PROCESSES:
        return f"ending {identity.name} would cost us the host or its services"
    return ""
