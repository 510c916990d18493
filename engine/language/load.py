"""Files → playbooks, or every problem of every file; nothing is contacted and nothing executed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Problem
from engine.language import snippets
from engine.language.declaring import said_by_alerts
from engine.language.drafter import Drafter, Where
from engine.language.drafts import Draft, flat
from engine.language.expressions import Reader
from engine.language.finishing import finished, read_uses
from engine.language.free_names import check_local_names, check_names, check_own_names
from engine.language.heads import (
    input_places,
    is_mapping,
    listed,
    mapped,
    playbook_shape,
    read_head,
)
from engine.language.keywords import PHASES
from engine.language.model import Playbook, Rule, tasks_in
from engine.language.names import Names
from engine.language.problems import Problems
from engine.language.rules import check_handlers, check_tasks
from engine.language.source import read
from engine.registry import LESSER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.language.drafts import AnyDraft
    from engine.language.keywords import PlaybookText
    from engine.language.model import Place
    from engine.language.source import Document
    from engine.registry import Registry

MOST_PROBLEMS = 100
"""Told of one file; more would hide the first."""

_HANDED_ON = (
    "tags", "environment", "become", "become_user", "become_method", "throttle", "any_errors_fatal",
)  # fmt: skip
"""What a playbook says once for all of its tasks."""
_TRUSTED = {
    "probe": "only read (probe: true)",
    "record": "be safe to repeat, and outside the hosts (record: true)",
}
_JUDGED = ("acknowledge", "investigate")
"""The phases whose results severity may use."""


def load(
    paths: Sequence[Path],
    registry: Registry,
    *,
    inventory_names: frozenset[str] | None = None,
) -> list[Playbook]:
    """The playbooks in the files.

    Args:
        paths: of the files.
        registry: the modules that they may name.
        inventory_names: variables that hosts have; None: no inventory was given, and a name that
            could be one is an error with that hint.

    Raises:
        InputError: with every problem of every file, in order.
    """
    loader = Loader(registry, inventory_names)
    playbooks: list[Playbook] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            playbooks.append(loader.load(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*dict.fromkeys(problems))
    return playbooks


def notices(playbook: Playbook) -> list[Problem]:
    """What is no problem, but a reviewer should see.

    Actions that are trusted to be less than that, and severity rules that are never asked.
    """
    trusted = [
        task.place.problem(f"this {task.module} is trusted to {_TRUSTED[task.kind]}")
        for phase in PHASES
        for top in playbook.tasks(phase)
        for task in top.every()
        if task.kind in LESSER and task.args.get(task.kind) is True
    ]
    idle = [
        rule.place.problem("this rule is never asked: one before it always holds")
        for number, rule in enumerate(playbook.severity)
        if any(earlier.text.when is True for earlier in playbook.severity[:number])
    ]
    return sorted([*trusted, *idle], key=lambda notice: notice.line)


class Loader:
    """Loads playbooks one after the other; shapes and texts are read once for all of them."""

    def __init__(self, registry: Registry, inventory_names: frozenset[str] | None) -> None:
        """Load playbooks that name modules of this registry; names as in `load`."""
        self._drafter = Drafter(registry)
        self._reader = Reader()
        self._inventory_names = inventory_names
        self._shape = playbook_shape()

    def load(self, path: Path) -> Playbook:
        """The playbook in a file.

        Raises:
            InputError: with every problem of it, in the order of its lines, and of the files
                that it includes.
        """
        document = read(path)
        problems = Problems(document)
        self._drafter.clear()
        playbook = self._playbook(problems, document)
        found = _in_order([*problems.found, *self._of_included()], str(path))
        if found or playbook is None:
            raise InputError(*found)
        return playbook

    def _of_included(self) -> list[Problem]:
        return [problem for opened in self._drafter.opened for problem in opened.found]

    def _playbook(self, problems: Problems, document: Document) -> Playbook | None:
        value = document.value
        if not is_mapping(value, problems):
            return None
        text, triggers = read_head(problems, value, self._shape)
        drafts = self._drafts(problems, document, text)
        if text and not any(drafts.values()):
            problems.at((), "the playbook has no tasks", f"give it {PHASES[1]} or {PHASES[2]}")
        nodes = [draft for phase in PHASES for draft in drafts[phase]]
        handlers = [draft for draft in drafts["handlers"] if isinstance(draft, Draft)]
        check_tasks([*nodes, *handlers])
        check_handlers(nodes, handlers)
        if self._drafter.missed:
            return None
        names = self._names(problems, value, [*nodes, *handlers])
        names.read(snippets.deep(problems, ("become_user",), value.get("become_user")))
        uses = read_uses(names, [draft for phase in _JUDGED for draft in drafts[phase]])
        rule_uses = _read_rules(names, value)
        rest = [draft for phase in PHASES if phase not in _JUDGED for draft in drafts[phase]]
        uses |= read_uses(names, [*rest, *handlers])
        if problems.found or text is None or self._of_included():
            return None
        return Playbook(
            path=document.path,
            digest=self._digest(document),
            files=self._files(document),
            text=text,
            phases={phase: finished(drafts[phase], uses) for phase in PHASES if phase in value},
            severity=tuple(
                Rule(text=rule, place=document.place(("severity", number)), uses=rule_uses[number])
                for number, rule in enumerate(text.severity)
            ),
            handlers=tuple(tasks_in(finished(handlers, uses))),
            triggers=triggers,
            input_places=input_places(document, text),
            place=document.place(("hosts",)),
        )

    def _files(self, document: Document) -> dict[str, str]:
        included = (opened.document for opened in self._drafter.opened)
        return {file.path: file.digest for file in (document, *included)}

    def _digest(self, document: Document) -> str:
        """Of the playbook; together with the files that it includes, where it does."""
        included = [opened.document.digest for opened in self._drafter.opened]
        if not included:
            return document.digest
        return hashlib.sha256("\n".join([document.digest, *included]).encode()).hexdigest()

    def _drafts(
        self, problems: Problems, document: Document, text: PlaybookText | None
    ) -> dict[str, tuple[AnyDraft, ...]]:
        """The tasks and blocks of each phase, and the handlers."""
        value = document.value
        outer = {key: value[key] for key in _HANDED_ON if text and key in value}
        found: dict[str, tuple[AnyDraft, ...]] = {
            phase: self._drafter.drafts(
                Where(problems, phase, outer, trail=(Path(document.path),)),
                (phase,),
                value.get(phase),
                phase,
            )
            for phase in PHASES
        }
        where = Where(problems, "mitigate", outer, part="handler")
        handlers = self._drafter.drafts(where, ("handlers",), value.get("handlers"), "handlers")
        return {**found, "handlers": handlers}

    def _names(
        self, problems: Problems, value: Mapping[str, Any], drafts: Sequence[AnyDraft]
    ) -> Names:
        inputs, variables = mapped(value, "inputs"), mapped(value, "vars")
        for keyword, own in (("inputs", inputs), ("vars", variables)):
            check_own_names(problems, (keyword,), own)
        for name in inputs.keys() & variables.keys():
            problems.at_key(("vars", name), f'"{name}" is one of the inputs already')
        taken = {**dict.fromkeys(variables, "vars"), **dict.fromkeys(inputs, "inputs")}
        check_names(flat(drafts), taken)
        later: dict[str, Place] = {}
        for draft in flat(drafts):
            for name, way in draft.registered():
                later.setdefault(name, draft.problems.document.place(way))
        check_local_names(drafts, {**dict.fromkeys(later, "registered names"), **taken})
        names = Names(
            problems,
            self._reader,
            frozenset(inputs),
            variables,
            self._inventory_names,
            later,
            said_by_alerts(inputs),
        )
        names.read_variables()
        return names


def _read_rules(names: Names, value: Mapping[str, Any]) -> list[frozenset[str]]:
    return [
        names.read(
            snippets.conditions(names.problems, ("severity", number, "when"), rule.get("when")),
            "after the severity is judged",
        )
        if isinstance(rule, Mapping)
        else frozenset()
        for number, rule in enumerate(listed(value, "severity"))
    ]


def _in_order(problems: Sequence[Problem], path: str) -> list[Problem]:
    """Once each, in the order of lines, the playbook's own before those of included files."""
    unique = dict.fromkeys(problems)
    ordered = sorted(unique, key=lambda p: (p.path != path, p.path, p.line, p.column))
    more = len(ordered) - MOST_PROBLEMS
    if more <= 0:
        return ordered
    rest = Problem(f"and {more} problems more", ordered[0].path)
    return [*ordered[:MOST_PROBLEMS], rest]
