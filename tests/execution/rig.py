"""A run's parts on hosts that are boards of switches: real but for the hosts and the threads."""

from __future__ import annotations

import textwrap
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine import inventory as inventories
from engine.connections.base import Argv, Finished, Output
from engine.connections.become import BecomeSaid
from engine.errors import LinkLost
from engine.execution.approval import Approvals
from engine.execution.batches import Budget
from engine.execution.becoming import Becoming
from engine.execution.bus import Bus
from engine.execution.change import Changes
from engine.execution.checkpoints import Checkpoints
from engine.execution.ending import Course
from engine.execution.guard import Guards
from engine.execution.halt import Halt
from engine.execution.judging import Judging
from engine.execution.memory import Memory
from engine.execution.neighbours import Neighbours
from engine.execution.pace import Pace
from engine.execution.past import Past
from engine.execution.phases import Phases
from engine.execution.plan import Plan, Selection, make_plan
from engine.execution.predict import Predictor
from engine.execution.run import Run
from engine.execution.stage import Stage
from engine.execution.walk import Walk
from engine.execution.worker import Worker
from engine.language import load
from engine.language.templates import Scope, Templates
from engine.policy import Policies, Policy
from engine.policy.policies import CLOCK
from engine.redact import Redactor
from engine.registry import Registry
from tests.modules.fakes import FakeConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from engine.connections.base import Become, Listener, Script
    from engine.connections.links import Links
    from engine.contract import Question
    from engine.events import Event
    from engine.execution.approval import Proposal
    from engine.execution.checkpoints import Answer
    from engine.execution.fleet import Heed
    from engine.execution.orders import Key, Order, Outcome, Wave
    from engine.journal.base import Journal, Recorder
    from engine.journal.guards import Holder, Sent, Target

MODULES = Path(__file__).with_name("modules")
INCIDENT: dict[str, Any] = {
    "id": "20261123-1337-k3f9",
    "check": False,
    "opened_at": "2026-11-23T13:37:00+00:00",
}


@dataclass
class Board(FakeConnection):
    """A host with switches: `look NAME` and `put NAME POSITION` are its commands.

    Args:
        switches: the position of each; `main` is off.
        serial: of all of them; another one is another target.
        surprises: what the next commands come to: raised, an exit status, or None: as usual.
        replaced_after: the command after which they have another serial number.
        dies_after: the command that is done and never answered: the link dies.
        then: called with each command before it is obeyed.
        log: the commands that it was given.
        environments: of each.
        whom: as whom each was run.
    """

    switches: dict[str, str] = field(default_factory=lambda: {"main": "off"})
    serial: int = 1
    surprises: dict[str, deque[Exception | int | None]] = field(default_factory=dict)
    replaced_after: str = ""
    dies_after: str = ""
    then: Callable[[str], None] = lambda _: None
    log: list[str] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)
    whom: list[Become | None] = field(default_factory=list)

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        del stdin, keep, listener
        assert timeout > 0
        self.whom.append(become)
        assert isinstance(command, Argv)
        word, name, *position = command.args
        self.environments.append(command.env)
        self.log.append(" ".join(command.args))
        self.then(self.log[-1])
        if self.surprises.get(word):
            surprise = self.surprises[word].popleft()
            if isinstance(surprise, Exception):
                raise surprise
            if surprise is not None:
                return Finished(surprise, Output(), Output(), 0.0)
        if position:
            self.switches[name] = position[0]
        if self.log[-1] == self.replaced_after:
            self.serial += 1
        if self.log[-1] == self.dies_after:
            raise LinkLost("the link died")
        said = f"{self.switches[name]} {self.serial}".encode()
        return Finished(0, Output(said, size=len(said)), Output(), 0.0)

    def surprise(self, word: str, *surprises: Exception | int | None) -> None:
        """What the next such commands come to."""
        self.surprises[word] = deque(surprises)


class SerialFleet:
    """One order after the other, in this thread."""

    def __init__(self, perform: Callable[[Order], Outcome]) -> None:
        self._perform = perform
        self.lanes: list[tuple[Order, ...]] = []

    def run(self, wave: Wave, heed: Heed | None = None) -> Iterator[list[Outcome]]:
        waiting = deque(wave.lanes)
        while waiting:
            lane = waiting.popleft()
            self.lanes.append(lane)
            for order in lane:
                outcome = self._perform(order)
                if heed:
                    waiting.extendleft(reversed([*heed([outcome])]))
                yield [outcome]
                if outcome.asks or (outcome.failed and order.task.kind == "action"):
                    break

    def cancel(self) -> None:
        raise AssertionError("nobody interrupts these tests")

    def revive(self) -> None:
        raise AssertionError("nobody interrupts these tests")


class Person:
    """Answers as the test says: a host's name approves what is there; None: nobody is there."""

    def __init__(self, answers: Sequence[set[str] | None]) -> None:
        self._answers = deque(answers)
        self.asked: list[tuple[Proposal, ...]] = []

    def ask(self, proposals: Sequence[Proposal]) -> frozenset[Key] | None:
        self.asked.append(tuple(proposals))
        answer = self._answers.popleft()
        if answer is None:
            return None
        return frozenset(p.key for p in proposals if p.host in answer)


class Checklist:
    """Ticks items as the test says, in turn; None: nobody is there. An exception is raised."""

    def __init__(self, ticks: Sequence[Answer | Exception | None]) -> None:
        self._ticks = deque(ticks)
        self.asked: list[tuple[str, Question]] = []

    def tick(self, name: str, question: Question) -> Answer | None:
        self.asked.append((name, question))
        answer = self._ticks.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Alone:
    """The only run that there ever was: a journal, as far as its guards ask one."""

    def history(self, target: Target, module: str | None = None, *, limit: int = 20) -> list[Sent]:
        del target, module, limit
        return []

    def hold(self) -> None:
        return None

    def lock(self, targets: Iterable[Target]) -> dict[Target, Holder]:
        del targets
        return {}

    def unlock(self, targets: Iterable[Target] | None = None) -> None:
        del targets


def alone() -> Neighbours:
    """Of a run that has none."""
    return Neighbours(Alone(), Alone(), Pace(Policies(), Alone()))


class _Boards(dict[str, "Board"]):
    """As the links of hosts that have nothing to interrupt."""

    def interrupt(self) -> None:
        pass


class Rig:
    """The parts of a run of this playbook on boards h1 and h2.

    Args:
        directory: where the playbook is written.
        text: its phases.
        answers: of the person, in turn.
        ticks: likewise, to items of the checklist.
        yes: nobody need be asked.
        check: nothing is to be changed.
        past: what came of earlier sessions.
        extra: values of `-e`.
        selection: what is left in.
        hosts: their names.
        leave: tasks that a person at `--step` passes over.
        policies: that hold.
        break_glass: why their rules of approval do not.
        becoming: what the hosts' variables say of becoming another account.
        journal: that it is recorded in, with its recorder; none, where there is no other run.
    """

    def __init__(
        self,
        directory: Path,
        text: str,
        *,
        answers: Sequence[set[str] | None] = (),
        ticks: Sequence[Answer | Exception | None] = (),
        yes: bool = False,
        check: bool = False,
        past: Past | None = None,
        extra: Mapping[str, Any] | None = None,
        selection: Selection | None = None,
        hosts: Sequence[str] = ("h1", "h2"),
        leave: Collection[str] = (),
        policies: Sequence[Policy] = (),
        break_glass: str = "",
        becoming: Mapping[str, BecomeSaid] | None = None,
        journal: tuple[Journal, Recorder] | None = None,
    ) -> None:
        self._recorder = journal[1] if journal else None
        self.events: list[Event] = []
        self.then: Callable[[Event], None] = lambda _: None
        self.boards = _Boards({host: Board() for host in (*hosts, "localhost")})
        self.person = Person(answers)
        self.templates = Templates()
        registry = Registry([MODULES])
        self.plan = plan(directory, text, extra=extra, selection=selection, hosts=hosts)
        self.redactor = Redactor()
        bus = Bus(self.redactor, [self])
        given = extra or {}
        self.memory = Memory(self.plan, given, INCIDENT, self.templates, self.redactor)
        # Of the links a worker asks nothing but a host's connection.
        links = cast("Links", self.boards)
        whom = Becoming(becoming or {}, BecomeSaid(), self.templates)
        holding = Policies(tuple(policies))
        guards = Guards(
            holding,
            self.plan.playbook.text.limits,
            self.plan.all_hosts,
            self.plan.inventory.groups_of,
            break_glass,
        )
        neighbours = alone()
        if journal:
            others, own = journal
            neighbours = Neighbours(own, others, Pace(holding, others, break_glass))
        self.worker = Worker(links, registry, self.templates, whom, guards, neighbours, bus.tell)
        fleet = SerialFleet(self.worker.perform)
        self.lanes = fleet.lanes
        before = past or Past()
        self.released: list[str] = []
        release = self.released.append
        self.stage = Stage(self.plan, self.memory, fleet, self.templates, bus.tell, before, release)
        self.predictor = Predictor(self.stage, registry, bus.tell)
        approvals = Approvals(self.person, guards, bus.tell, yes=yes)
        self.revived = 0
        self.halt = Halt(lambda: None, self._revive)
        self.course = Course(check=check)
        self.checklist = Checklist(ticks)
        checkpoints = Checkpoints(
            self.stage, registry, self.checklist, self.halt, bus.tell, self.course
        )
        self.changes = Changes(
            self.stage, self.predictor, approvals, guards, neighbours, checkpoints, bus.tell
        )
        budget = Budget(self.plan.playbook.text.max_fail, len(self.plan.hosts_of("mitigate")))
        stepper = (lambda task, _: task.name not in leave) if leave else None
        walk = Walk(self.stage, self.changes, self.halt, budget, bus.tell, stepper)
        self.judging = Judging(self.stage, self.templates, CLOCK, bus.tell)
        self.phases = Phases(
            self.stage,
            self.changes,
            walk,
            checkpoints,
            self.halt,
            bus.tell,
            self.course,
            self.judging.taken,
        )
        self.run = Run(
            "run", self.stage, self.phases, self.judging, self.halt, bus.tell, course=self.course
        )

    def _revive(self) -> None:
        self.revived += 1
        self.worker.revive()

    def tell(self, event: Event) -> None:
        """As a sink."""
        if self._recorder:
            self._recorder.tell(event)
        self.events.append(event)
        self.then(event)

    def told(self, kind: type[Any]) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def mitigate(self) -> None:
        """Run the phase."""
        self.phases.run("mitigate")

    def puts(self, host: str) -> list[str]:
        """What was changed there."""
        return [command for command in self.boards[host].log if command.startswith("put")]


def plan(
    directory: Path,
    text: str,
    *,
    extra: Mapping[str, Any] | None = None,
    selection: Selection | None = None,
    hosts: Sequence[str] = ("h1", "h2"),
) -> Plan:
    """A playbook for these hosts, laid over them."""
    path = directory / "book.yml"
    path.write_text("name: Book\nhosts: all\n" + textwrap.dedent(text))
    inventory = inventories.load([f"{','.join(hosts)},"], playbook_dir=directory)
    names = inventory.names() | (extra or {}).keys()
    [playbook] = load([path], Registry([MODULES]), inventory_names=frozenset(names))
    scope = Scope(extra or {}, playbook.text.vars, Templates())
    return make_plan(playbook, inventory, scope, selection or Selection())
