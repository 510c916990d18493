"""Puts a run together: everything that can be wrong is found here, before a host is contacted."""

from __future__ import annotations

import getpass
import secrets
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine import inventory as inventories
from engine.alerts import choose
from engine.connections.become import BecomeSaid
from engine.connections.links import Links
from engine.connections.settings import Defaults
from engine.errors import InputError, Problem
from engine.events import GlassBroken, now
from engine.execution.approval import Approvals
from engine.execution.asking import with_answers
from engine.execution.batches import Budget
from engine.execution.becoming import Becoming
from engine.execution.bus import Bus
from engine.execution.change import Changes
from engine.execution.checkpoints import Checkpoints
from engine.execution.ending import Course
from engine.execution.fleet import ThreadFleet
from engine.execution.guard import Guards
from engine.execution.halt import Halt
from engine.execution.judging import Judging
from engine.execution.memory import Memory
from engine.execution.neighbours import Neighbours
from engine.execution.opening import incident, opening_of
from engine.execution.pace import Pace
from engine.execution.past import Past, past_of
from engine.execution.phases import Phases
from engine.execution.plan import Plan, Selection, make_plan
from engine.execution.precheck import check_arguments, check_sealed
from engine.execution.predict import Predictor
from engine.execution.reaching import reached
from engine.execution.read_files import files_of
from engine.execution.resuming import fingerprints
from engine.execution.run import Run
from engine.execution.stage import Stage
from engine.execution.walk import Walk
from engine.execution.worker import Worker
from engine.language import fill, load
from engine.language.templates import Scope, Templates
from engine.policy import usual
from engine.registry import Registry
from engine.vault import Vault, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.alerts import Alert, Offer
    from engine.connections.settings import Settings
    from engine.events import Event
    from engine.execution.approval import Approver
    from engine.execution.asking import Ask
    from engine.execution.checkpoints import Ticker
    from engine.execution.options import Options
    from engine.execution.resuming import Resumption
    from engine.journal.base import Journal, Recorder
    from engine.language.model import Playbook, Task
    from engine.policy import Policies
    from engine.redact import Redactor
    from engine.sinks import Sink

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Prepared(Struct, frozen=True):
    """A run that could begin: nothing is contacted yet.

    Args:
        inputs: the playbook's, typed.
        given: the inputs and all other `-e` values.
        alert: that it is run for; None without one.
        settings: how each host is reached.
        becoming: as whom each task acts there.
        policies: that hold.
        files: all that was read for it and may change, with the sha256 of each, hex.
        tasks: the id of each task, with a digest of its text.
    """

    options: Options
    registry: Registry
    playbook: Playbook
    inputs: dict[str, Any]
    given: dict[str, Any]
    plan: Plan
    alert: Alert | None
    settings: Mapping[str, Settings]
    becoming: Becoming
    policies: Policies
    templates: Templates
    redactor: Redactor
    files: Mapping[str, str]
    tasks: Mapping[str, str]

    @property
    def remarks(self) -> list[str]:
        """What was said of connections and is not obeyed, each once."""
        return list(dict.fromkeys(r for one in self.settings.values() for r in one.remarks))


def prepare(
    options: Options,
    *,
    offer: Offer | None = None,
    vault: Vault | None = None,
    ask: Ask | None = None,
    password: str | None = None,
    become_password: str | None = None,
) -> Prepared:
    """Load and check everything that the options name.

    Args:
        options: what the command line said.
        offer: the alerts that `--alert` gives, of which one is taken.
        vault: opens what is encrypted, and knows what is secret.
        ask: asks a person for an input; None: nobody is there.
        password: for SSH, from the prompt of `-k`.
        become_password: for sudo and its like, from that of `-K`.

    Raises:
        InputError: something is wrong with the playbook, the inventory or the options.
    """
    path = Path(options.playbook)
    policies = usual(options.policy)
    registry = Registry(Path(p) for p in options.module_path)
    vault = vault or Vault()
    redactor = vault.redactor
    inventory = inventories.load(options.inventory, playbook_dir=path.parent, vault=vault)
    names = inventory.names()
    [playbook] = load([path], registry, inventory_names=names)
    alert = choose(offer, playbook) if offer else None
    said = alert.data() if alert else None
    answered = with_answers(playbook, options.extra, said, ask, redactor)
    options = msgspec.structs.replace(options, extra=answered)
    extra = _opened(vault, answered)
    inputs = fill(playbook, extra, alert=said, inventory_names=names)
    given = {**extra, **inputs}
    templates = Templates(vault)
    selection = Selection(
        options.limit,
        options.only,
        tuple(options.tags),
        tuple(options.skip_tags),
        options.start_at_task,
    )
    names_of_plan = Scope(given, playbook.text.vars, templates)
    plan = make_plan(playbook, inventory, names_of_plan, selection)
    defaults = Defaults(
        options.user,
        password,
        Path(options.private_key) if options.private_key else None,
        options.timeout,
    )
    settings = reached(plan, given, defaults, templates, redactor)
    flags = BecomeSaid(
        options.become or None, options.become_user, options.become_method, become_password
    )
    if become_password:
        redactor.learn(become_password)
    becoming = Becoming({host: one.become for host, one in settings.items()}, flags, templates)
    check_sealed(plan, templates)
    check_arguments(plan, registry, given, becoming, templates)
    return Prepared(
        options,
        registry,
        playbook,
        inputs,
        given,
        plan,
        alert,
        settings,
        becoming,
        policies,
        templates,
        redactor,
        files_of(plan, registry, options),
        fingerprints(playbook),
    )


def _opened(vault: Vault, extra: dict[str, Any]) -> dict[str, Any]:
    """The values of `-e`; the journal keeps the encrypted ones as they were given."""
    try:
        return {name: vault.opened(value) for name, value in extra.items()}
    except VaultError as error:
        raise InputError(Problem(str(error))) from None


class Assembled(Struct, frozen=True):
    """A run, ready to execute, and what must be closed after it."""

    run: Run
    links: Links
    opening: Sequence[Event]
    tell: Callable[[Event], None]


def assemble(
    prepared: Prepared,
    run_id: str,
    sinks: Sequence[Sink],
    approver: Approver,
    ticker: Ticker,
    journal: Journal,
    recorder: Recorder,
    *,
    yes: bool,
    resumption: Resumption | None = None,
    stepper: Callable[[Task, int], bool] | None = None,
) -> Assembled:
    """Make every part of a run and join them.

    Args:
        prepared: what was loaded.
        run_id: of the new run, or of the one that goes on.
        sinks: told every event; the journal first.
        approver: asks a person about changes.
        ticker: asks a person about items of the checklist.
        journal: knows what other runs do and did.
        recorder: writes this run there.
        yes: nobody need be asked.
        resumption: what earlier sessions of this run came to.
        stepper: whether a task is to be run, on so many hosts; None: each is.
    """
    progress = resumption.progress if resumption else None
    options, plan, templates = prepared.options, prepared.plan, prepared.templates
    bus = Bus(prepared.redactor, sinks)
    began_at = progress.started.at if progress else now()
    memory = Memory(
        plan,
        prepared.given,
        incident(run_id, prepared, began_at),
        templates,
        prepared.redactor,
        prepared.alert.data() if prepared.alert else None,
    )
    guards = Guards(
        prepared.policies,
        prepared.playbook.text.limits,
        plan.all_hosts,
        plan.inventory.groups_of,
        options.break_glass,
    )
    links = Links(prepared.settings)
    pace = Pace(prepared.policies, journal, options.break_glass)
    neighbours = Neighbours(recorder, journal, pace)
    worker = Worker(
        links, prepared.registry, templates, prepared.becoming, guards, neighbours, bus.tell
    )
    fleet = ThreadFleet(worker.perform, options.forks)
    past = past_of(progress) if progress else Past()
    stage = Stage(plan, memory, fleet, templates, bus.tell, past, links.release)
    halt = Halt(
        partial(_all, fleet.cancel, worker.stop), partial(_all, fleet.revive, worker.revive)
    )
    course = Course(check=options.check, detailed=options.detailed_exitcode)
    checkpoints = Checkpoints(stage, prepared.registry, ticker, halt, bus.tell, course)
    changes = Changes(
        stage,
        Predictor(stage, prepared.registry, bus.tell),
        Approvals(approver, guards, bus.tell, yes=yes),
        guards,
        neighbours,
        checkpoints,
        bus.tell,
    )
    budget = Budget(prepared.playbook.text.max_fail, len(plan.hosts_of("mitigate")))
    walk = Walk(stage, changes, halt, budget, bus.tell, stepper)
    judging = Judging(stage, templates, prepared.policies.clock, bus.tell)
    phases = Phases(stage, changes, walk, checkpoints, halt, bus.tell, course, judging.taken)
    run = Run(run_id, stage, phases, judging, halt, bus.tell, course=course)
    opening = [opening_of(prepared, run_id, resumption, began_at)]
    if options.break_glass:
        opening.append(GlassBroken(by=getpass.getuser(), reason=options.break_glass))
    return Assembled(run, links, opening, bus.tell)


def _all(*calls: Callable[[], None]) -> None:
    for call in calls:
        call()


def new_run_id() -> str:
    """An id that sorts by time and can be said over the telephone: `20261123-1337-k3f9`."""
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return f"{datetime.now().astimezone():%Y%m%d-%H%M}-{tail}"
