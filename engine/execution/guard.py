"""What no run may do: too many hosts at once, what is protected, and what a policy forbids."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from engine.errors import GuardRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from engine.contract import Change, Identity
    from engine.execution.approval import Proposal
    from engine.language.keywords import Limits
    from engine.policy import Policies
    from engine.policy.text import ApproveText

PROTECTED_PROCESSES = frozenset({"init", "systemd", "sshd", "launchd", "dockerd", "containerd"})
"""Ending one of these takes the host, or our way to it, away."""


class Guards:
    """The guards of a run that need nothing but what is known of it.

    Args:
        policies: that hold.
        limits: the playbook's own.
        hosts: all that the playbook's pattern names, whatever `--limit` says.
        groups_of: the groups that a host is in.
        break_glass: why the policies' rules of approval do not hold this time; empty: they do.
    """

    def __init__(
        self,
        policies: Policies,
        limits: Limits,
        hosts: Collection[str],
        groups_of: Callable[[str], Collection[str]],
        break_glass: str = "",
    ) -> None:
        """Guard a run."""
        self._policies = policies
        self._limits = limits
        self._hosts = hosts
        self._groups_of = groups_of
        self.break_glass = break_glass

    def protect(self, host: str, change: Change) -> None:
        """Refuse a change of something that must never be hit, whoever asks.

        Args:
            host: where it would be made.
            change: what it would be.

        Raises:
            GuardRefused: one of its targets is protected.
        """
        for identity in change.on:
            reason = _always_protected(identity)
            reason = reason or self._policies.protects(self._names(host), identity)
            if reason:
                raise GuardRefused(f"{identity.name} is protected: {reason}")

    def check_radius(self, changing: Collection[str]) -> None:
        """Refuse a mitigation that would change more hosts than it may.

        Args:
            changing: the hosts that would be changed, over the whole run.

        Raises:
            GuardRefused: too many.
        """
        check_radius("the playbook's limit is", self._limits, changing, self._hosts)
        for path, limits in self._policies.limits:
            check_radius(f"{path} allows", limits, changing, self._hosts)

    def rules(self, proposal: Proposal) -> Iterator[tuple[str, ApproveText]]:
        """What the policies want of a yes to a change; nothing where the glass was broken."""
        if not self.break_glass:
            names = self._names(proposal.where)
            yield from self._policies.approvals(proposal.module, names)

    def check_approver(self, proposal: Proposal, user: str) -> None:
        """Refuse the yes of somebody who may not give it.

        Raises:
            GuardRefused: a policy names others.
        """
        for path, rule in self.rules(proposal):
            if rule.by and not any(fnmatchcase(user, glob) for glob in rule.by):
                who = ", ".join(rule.by)
                raise GuardRefused(
                    f"{proposal.name} on {proposal.where}: {path} lets {who} approve "
                    f"{proposal.module} there, and not {user}; --break-glass REASON overrules it",
                    guard="approval",
                )

    def _names(self, host: str) -> list[str]:
        return [host, *self._groups_of(host)]


def check_radius(
    word: str, limits: Limits, changing: Collection[str], hosts: Collection[str]
) -> None:
    """Refuse a mitigation that would change more hosts than these limits allow.

    Args:
        word: `the playbook's limit is`.
        limits: how many, and what share.
        changing: the hosts that would be changed.
        hosts: what shares are of.

    Raises:
        GuardRefused: too many.
    """
    count = len(changing)
    names = ", ".join(sorted(changing))
    if limits.max_hosts is not None and count > limits.max_hosts:
        message = f"would change {count} hosts ({names}); {word} {limits.max_hosts}"
        raise GuardRefused(message, guard="limits")
    if limits.max_percent is not None and hosts:
        percent = 100 * count / len(hosts)
        if percent > limits.max_percent:
            raise GuardRefused(
                f"would change {count} of {len(hosts)} hosts, {percent:.0f} % ({names}); "
                f"{word} {limits.max_percent:g} %",
                guard="limits",
            )


def _always_protected(identity: Identity) -> str:
    if identity.kind != "process":
        return ""
    if identity.key.get("pid") == 1:
        return "pid 1 is the host itself"
    if identity.name in PROTECTED_PROCESSES:
        return f"ending {identity.name} would cost us the host or its services"
    return ""
