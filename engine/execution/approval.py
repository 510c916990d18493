"""Who says yes: the playbook's author, the command line, or a person at the terminal."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from engine.errors import ApprovalNeeded
from engine.events import ApprovalAnswered, ApprovalAsked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.contract import Change
    from engine.events import Event
    from engine.execution.guard import Guards
    from engine.execution.orders import Key
    from engine.language.keywords import Approve


class Proposal(Struct, frozen=True):
    """A change that waits for a yes, with the summary that a person is shown.

    `where` is the host that would be changed. What is `unsure` was sent before, and nothing can
    tell whether it took effect.
    """

    key: Key
    name: str
    module: str
    where: str
    change: Change
    summary: str
    approve: Approve
    unsure: bool = False

    @property
    def host(self) -> str:
        """For which host."""
        return self.key[1]


class Approver(Protocol):
    """Asks a person."""

    def ask(self, proposals: Sequence[Proposal]) -> frozenset[Key] | None:
        """Which of these may be applied; None where there is nobody to ask.

        Raises:
            Interrupted: the person pressed Ctrl-C instead.
        """
        ...


class Approvals:
    """Gathers the yes for each change, and says in the journal who gave it."""

    def __init__(
        self, approver: Approver, guards: Guards, tell: Callable[[Event], None], *, yes: bool
    ) -> None:
        """Ask this approver, unless `yes` was said on the command line and is enough."""
        self._approver = approver
        self._guards = guards
        self._tell = tell
        self.yes = yes
        self.asked = False
        """Whether a person was there to be asked."""

    def settle(self, proposals: Sequence[Proposal]) -> frozenset[Key]:
        """The keys of what may be applied.

        Raises:
            ApprovalNeeded: some of it needs a person and there is none.
            GuardRefused: a policy says that it is somebody else's to approve.
        """
        open_ones = [p for p in proposals if not self._given(p)]
        approved = {p.key for p in proposals} - {p.key for p in open_ones}
        if not open_ones:
            self._answered(proposals, approved, "--yes" if self.yes else "approve: auto")
            return frozenset(approved)
        hosts = sorted({p.host for p in open_ones})
        self._tell(ApprovalAsked(changes=len(open_ones), hosts=hosts))
        said = self._approver.ask(open_ones)
        if said is None:
            changes = "1 change waits" if len(open_ones) == 1 else f"{len(open_ones)} changes wait"
            message = f"{changes} for a yes on {', '.join(hosts)}"
            why = sorted({self._why_a_person(p) for p in open_ones} - {""})
            raise ApprovalNeeded(message, person="; ".join(why))
        self.asked = True
        approved |= said
        self._answered(proposals, approved, "terminal")
        return frozenset(approved)

    def _given(self, proposal: Proposal) -> bool:
        """Whether nobody need be asked; by `--yes` it is the user who approves."""
        rules = [rule for _, rule in self._guards.rules(proposal)]
        vouched = proposal.approve == "auto" and not proposal.unsure
        if vouched and all(rule.auto for rule in rules):
            return True
        self._guards.check_approver(proposal, getpass.getuser())
        return self.yes and not self._why_a_person(proposal)

    def _why_a_person(self, proposal: Proposal) -> str:
        """Why `--yes` is not enough for a change; empty where it is."""
        if proposal.unsure:
            return f"{proposal.name} on {proposal.where} was sent before and may have taken effect"
        if proposal.approve == "always_ask":
            return f"{proposal.name} says approve: always_ask"
        rules = self._guards.rules(proposal)
        return next((f"{path} says yes: false" for path, rule in rules if not rule.yes), "")

    def _answered(self, proposals: Sequence[Proposal], approved: set[Key], how: str) -> None:
        self._tell(
            ApprovalAnswered(
                by=getpass.getuser(),
                how=how,
                approved=[_said(p.key) for p in proposals if p.key in approved],
                refused=[_said(p.key) for p in proposals if p.key not in approved],
            )
        )


def _said(key: Key) -> str:
    task, host, item = key
    return f"{task}@{host}" if item is None else f"{task}@{host}[{item}]"
