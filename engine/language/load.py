"""Files → playbooks, or every problem of every file; nothing is contacted and nothing executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import InputError, Problem
from engine.language import snippets
from engine.language.drafts import Drafter
from engine.language.expressions import Reader
from engine.language.inputs import check_declared
from engine.language.model import NOT_YET, PHASES, Playbook, PlaybookText, Rule, Task
from engine.language.names import Names
from engine.language.problems import Problems
from engine.language.rules import check_names, check_own_names, check_severity, check_task
from engine.language.shapes import Shape, schema_of
from engine.language.source import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engine.language.drafts import Draft
    from engine.language.flaws import Way
    from engine.language.model import Phase
    from engine.language.source import Document
    from engine.registry import Registry

MOST_PROBLEMS = 100
"""Told of one file; more would hide the first."""

_PLAIN = ("name", "description", "owner", "links")
_JUDGED = frozenset({"acknowledge", "investigate"})
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
        raise InputError(*problems)
    return playbooks


def notices(playbook: Playbook) -> list[Problem]:
    """What is no problem, but a reviewer should see.

    Commands that are trusted to only read, and severity rules that are never asked.
    """
    trusted = [
        task.place.problem(f"this {task.module} is trusted to only read (probe: true)")
        for phase in PHASES
        for top in playbook.tasks(phase)
        for task in (top, *top.verify)
        if task.kind == "probe" and task.args.get("probe") is True
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
        self._shape = Shape(schema_of(PlaybookText), name="the playbook", kind=PlaybookText)

    def load(self, path: Path) -> Playbook:
        """The playbook in a file.

        Raises:
            InputError: with every problem of it, in the order of its lines.
        """
        document = read(path)
        problems = Problems(document)
        playbook = self._playbook(problems, document)
        if problems.found or playbook is None:
            raise InputError(*_in_order(problems.found))
        return playbook

    def _playbook(self, problems: Problems, document: Document) -> Playbook | None:
        value = document.value
        if not isinstance(value, Mapping):
            hint = "it is no list of plays: take the dash away" if isinstance(value, list) else ""
            problems.at((), "a playbook is a mapping: name, hosts and phases", hint)
            return None
        text = self._text(problems, value)
        drafts = [draft for phase in PHASES for draft in self._drafts(problems, value, phase)]
        if text and not drafts:
            problems.at((), "the playbook has no tasks", f"give it {PHASES[1]} or {PHASES[2]}")
        for draft in drafts:
            check_task(problems, draft)
        names = self._names(problems, value, drafts)
        judged = [draft for draft in drafts if draft.phase in _JUDGED]
        uses = _read_tasks(names, judged)
        rule_uses = _read_rules(names, value)
        uses |= _read_tasks(names, [draft for draft in drafts if draft.phase not in _JUDGED])
        if problems.found or text is None:
            return None
        tasks = [(draft.phase, _task(document, draft, uses)) for draft in drafts]
        return Playbook(
            path=document.path,
            digest=document.digest,
            text=text,
            phases={
                phase: tuple(task for its, task in tasks if its == phase)
                for phase in PHASES
                if phase in value
            },
            severity=tuple(
                Rule(text=rule, place=document.place(("severity", number)), uses=rule_uses[number])
                for number, rule in enumerate(text.severity)
            ),
            input_places={name: document.key(("inputs", name)) for name in text.inputs},
            place=document.place(("hosts",)),
        )

    def _text(self, problems: Problems, value: Mapping[str, Any]) -> PlaybookText | None:
        known = _refuse_not_yet(problems, value)
        for keyword in _PLAIN:
            for snippet in snippets.deep((keyword,), value.get(keyword)):
                problems.at(snippet.way, f"{keyword} takes no templates")
        check_severity(problems, _listed(value, "severity"))
        check_declared(problems, _mapped(known, "inputs"))
        if problems.flaws(self._shape.flaws(known)):
            return None
        return msgspec.convert(known, PlaybookText)

    def _drafts(
        self, problems: Problems, value: Mapping[str, Any], phase: Phase
    ) -> Iterator[Draft]:
        for number, raw in enumerate(_listed(value, phase)):
            if isinstance(raw, Mapping):
                yield self._drafter.draft(problems, (phase, number), phase, raw)

    def _names(
        self, problems: Problems, value: Mapping[str, Any], drafts: Sequence[Draft]
    ) -> Names:
        inputs, variables = _mapped(value, "inputs"), _mapped(value, "vars")
        for keyword, own in (("inputs", inputs), ("vars", variables)):
            check_own_names(problems, keyword, own)
        for name in inputs.keys() & variables.keys():
            problems.at_key(("vars", name), f'"{name}" is one of the inputs already')
        taken = {**dict.fromkeys(variables, "vars"), **dict.fromkeys(inputs, "inputs")}
        check_names(problems, drafts, taken)
        later: dict[str, Way] = {}
        for draft in drafts:
            for name, way in draft.registered():
                later.setdefault(name, way)
        names = Names(
            problems, self._reader, frozenset(inputs), variables, self._inventory_names, later
        )
        names.read_variables()
        return names


def _refuse_not_yet(problems: Problems, value: Mapping[str, Any]) -> dict[str, Any]:
    """The playbook without the words that this version does not have yet, which are told."""
    inputs = _mapped(value, "inputs")
    ways: list[Way] = [(key,) for key in value if key in NOT_YET["playbook"]]
    ways += [
        ("inputs", name, key)
        for name in inputs
        for key in _mapped(inputs, name)
        if key in NOT_YET["input"]
    ]
    for way in ways:
        problems.at_key(way, f'"{way[-1]}" is not supported yet by this version')
    known = {key: part for key, part in value.items() if (key,) not in ways}
    if inputs:
        known["inputs"] = {
            name: {k: v for k, v in declared.items() if ("inputs", name, k) not in ways}
            if isinstance(declared, Mapping)
            else declared
            for name, declared in inputs.items()
        }
    return known


def _read_tasks(names: Names, drafts: Sequence[Draft]) -> dict[str, frozenset[str]]:
    """What each task uses; from then on, what it registers is known."""
    uses = {}
    for draft in drafts:
        own = names.read(snippets.of_task(draft))
        looped = draft.raw.get("loop") is not None
        for inner in draft.verify:
            uses[inner.id] = names.read(snippets.of_task(inner, looped=looped))
            own |= uses[inner.id]
        uses[draft.id] = own
        names.known.update(name for name, _ in draft.registered())
    return uses


def _read_rules(names: Names, value: Mapping[str, Any]) -> list[frozenset[str]]:
    return [
        names.read(
            snippets.conditions(("severity", number, "when"), rule.get("when")),
            "after the severity is judged",
        )
        if isinstance(rule, Mapping)
        else frozenset()
        for number, rule in enumerate(_listed(value, "severity"))
    ]


def _task(document: Document, draft: Draft, uses: Mapping[str, frozenset[str]]) -> Task:
    assert draft.entry is not None
    assert draft.text is not None
    return Task(
        id=draft.id,
        text=draft.text,
        module=draft.entry.name,
        kind=draft.entry.kind_of(draft.args),
        args=dict(draft.args),
        verify=tuple(_task(document, inner, uses) for inner in draft.verify),
        place=document.place(draft.way),
        uses=uses[draft.id],
    )


def _listed(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _mapped(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column))
    more = len(ordered) - MOST_PROBLEMS
    if more <= 0:
        return ordered
    rest = Problem(f"and {more} problems more", ordered[0].path)
    return [*ordered[:MOST_PROBLEMS], rest]
