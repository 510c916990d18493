"""Going on with a run: from what it was begun with, and with what has changed since."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from engine.errors import InputError, Problem
from engine.execution.options import Options
from engine.journal.progress import renamed
from engine.redact import MASK
from engine.typed import convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.execution.assemble import Prepared
    from engine.journal.progress import Progress
    from engine.language.model import Playbook, Task

_CONNECTION = "ansible_"
_HINT = "start a new run; or --changed-files goes on with them as they are now"


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """What is another than before, for a run that goes on; None: as it was.

    Args:
        playbook: its file.
        inventory: its sources.
        module_path: directories with more modules.
        policy: the user's policy file.
        user: the account on the hosts.
        private_key: the key file.
        secrets: values of `-e` that were secret, and are in no journal.
        break_glass: why rules of approval and cool-downs do not hold this time. What was said
            before counts no more.
    """

    playbook: str | None = None
    inventory: list[str] | None = None
    module_path: list[str] | None = None
    policy: str | None = None
    user: str | None = None
    private_key: str | None = None
    secrets: dict[str, Any] = {}
    break_glass: str = ""


class Resumption(Struct, frozen=True):
    """A run to go on with.

    Args:
        progress: how far it got, by the names that its tasks have now.
        changed: which of its files have changed, in words.
        moved: as in `RunResumed`.
    """

    progress: Progress
    changed: tuple[str, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)


def options_of(progress: Progress, elsewhere: Elsewhere) -> Options:
    """The options to go on with: those of the last time, but for what is elsewhere now.

    Raises:
        InputError: the playbook or the policy is not there, or a secret value is missing.
    """
    options = convert(dict(progress.options), Options)
    given = {
        name: value
        for name in ("playbook", "inventory", "module_path", "policy", "user", "private_key")
        if (value := getattr(elsewhere, name)) is not None
    }
    extra = _with_secrets(options.extra, elsewhere.secrets)
    options = msgspec.structs.replace(
        options, extra=extra, break_glass=elsewhere.break_glass, **given
    )
    if not Path(options.playbook).is_file():
        hint = "--playbook says where it is here"
        raise InputError(Problem("the run's playbook is not there", options.playbook, hint=hint))
    if options.policy and not Path(options.policy).is_file():
        hint = "--policy says where it is here"
        raise InputError(Problem("the run's policy is not there", options.policy, hint=hint))
    return options


def hidden(progress: Progress) -> frozenset[str]:
    """The names of `-e` whose values were secret, and must be given again."""
    extra = progress.options.get("extra", {})
    return frozenset(name for name in _masked(extra) if not name.startswith(_CONNECTION))


def _masked(extra: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in extra.items() if MASK in str(value))


def _with_secrets(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `-e`, without the masks among them."""
    masked = _masked(recorded)
    # A password for the hosts need not be said there. The mask in its place would lock accounts.
    problems = [
        Problem(f"{name} was a secret and is in no journal", "-e", hint="give it again")
        for name in sorted(masked - given.keys())
        if not name.startswith(_CONNECTION)
    ]
    problems += [
        Problem(f"{name} was no secret: a run goes on with the values that it began with", "-e")
        for name in sorted(given.keys() - masked)
    ]
    if problems:
        raise InputError(*problems)
    return {name: value for name, value in recorded.items() if name not in masked} | dict(given)


def resumption(progress: Progress, prepared: Prepared, *, accept: bool) -> Resumption:
    """What to go on from, once everything is loaded.

    Args:
        progress: how far the run got.
        prepared: what was loaded for it now.
        accept: changed files are no reason not to.

    Raises:
        InputError: what it was begun with has changed, each file by its name; or nobody knows
            the outcome of an action whose task has changed, which no flag lifts.
    """
    changed = tuple(_changes(progress, prepared))
    if changed and not accept:
        raise InputError(*changed[:-1], Problem(str(changed[-1]), hint=_HINT))
    if not changed:
        return Resumption(progress)
    moved = _moved(progress.tasks, prepared.tasks)
    problems = [
        Problem(
            f"{intent.name} ({intent.task}) on {intent.host} was sent and nobody saw what became of"
            " it; its task has changed, so it cannot be looked at",
            hint="look at the host, and start a new run",
        )
        for intent in progress.unknown
        if moved.get(intent.task) == ""
    ]
    if problems:
        raise InputError(*problems)
    told = tuple(str(problem) for problem in changed)
    return Resumption(renamed(progress, moved), told, moved)


def _changes(progress: Progress, prepared: Prepared) -> Iterator[Problem]:
    """What is not as it was. Files count by what is in them: a checkout elsewhere is as good."""
    before, now = progress.files, prepared.files
    if not before:  # an older quell has recorded no more than this
        if prepared.playbook.digest != progress.started.digest:
            yield Problem("has changed since the run began", prepared.playbook.path)
        return
    lost = [path for path, digest in before.items() if digest not in now.values()]
    new = [path for path, digest in now.items() if digest not in before.values()]
    for path in lost:
        here = "has changed since the run began" if path in new else "was read then, and is not now"
        yield Problem(here, path)
    for path in new:
        if path not in lost:
            yield Problem("is read now, and was not when the run began", path)


def fingerprints(playbook: Playbook) -> dict[str, str]:
    """The id of each task, with a digest of its text and of what the playbook gives it."""
    return {task.id: _fingerprint(task, playbook) for task in playbook.every_task()}


def _fingerprint(task: Task, playbook: Playbook) -> str:
    text = playbook.text
    values = {name: text.vars[name] for name in text.vars if name in task.uses}
    inputs = {name: text.inputs[name] for name in text.inputs if name in task.uses}
    said = (task.module, task.args, task.text, values, inputs)
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The tasks that have another id now, with it; empty where there is none any more."""
    places: dict[str, list[str]] = defaultdict(list)
    for task, digest in now.items():
        places[digest].append(task)
    # Tasks that are the same in all are told apart by their order.
    found = {
        task: places[digest].pop(0) if places[digest] else "" for task, digest in before.items()
    }
    return {task: there for task, there in found.items() if there != task}
