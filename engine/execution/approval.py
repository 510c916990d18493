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

    `where` is the host that would be changed.
    """

    key: Key
    name: str
    module: str
    where: str
    change: Change
    summary: str
    approve: Approve

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
            person = not all(self._by_yes(p) for p in open_ones)
            raise ApprovalNeeded(f"{changes} for a yes on {', '.join(hosts)}", person=person)
        self.asked = True
        approved |= said
        self._answered(proposals, approved, "terminal")
        return frozenset(approved)

    def _given(self, proposal: Proposal) -> bool:
        """Whether nobody need be asked; by `--yes` it is the user who approves."""
        rules = [rule for _, rule in self._guards.rules(proposal)]
        if proposal.approve == "auto" and all(rule.auto for rule in rules):
            return True
        self._guards.check_approver(proposal, getpass.getuser())
        return self.yes and self._by_yes(proposal)

    def _by_yes(self, proposal: Proposal) -> bool:
        """Whether `--yes` is enough."""
        rules = [rule for _, rule in self._guards.rules(proposal)]
        return proposal.approve != "always_ask" and all(rule.yes for rule in rules)

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
