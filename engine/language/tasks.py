"""One task of a file → a draft: which module, which keywords, which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from engine.errors import InputError
from engine.language.drafts import DURATIONS, KEYWORDS, Draft, keywords
from engine.language.expressions import is_template
from engine.language.inheriting import inherit, of_belonging
from engine.language.keywords import PlaybookText, TaskText
from engine.language.patterns import compiled
from engine.language.shapes import Shape, formats, module_shape, type_shape
from engine.language.words import shown
from engine.nearest import did_you_mean, near
from engine.typed import convert

if TYPE_CHECKING:
    from engine.language.drafts import Part
    from engine.registry import Entry, Registry

_ONLY_IN_BLOCKS = ("rescue", "always")
_NODES = frozenset({"block", "include"})
_ELSEWHERE = {
    "changed_when": "what only reads says probe: true",
    "include_tasks": 'use "include"',
    "import_tasks": 'use "include"',
    "local_action": "use delegate_to: localhost",
    "listen": "notify names handlers by their name",
    "async": "timeout says how long it may take",
    "connection": "the inventory says it, with ansible_connection",
}
"""Words that Ansible has, and what stands for them here."""


class TaskReader:
    """Reads tasks; remembers the shapes of modules, so that many files cost little."""

    def __init__(self, registry: Registry) -> None:
        """Read tasks that name modules of this registry."""
        self._registry = registry
        self._keywords = type_shape(TaskText, "the task")
        self._shapes: dict[str, Shape] = {}

    def read(self, draft: Draft, outer: Mapping[str, Any]) -> Draft:
        """A task, with those that belong to it.

        Args:
            draft: that has only its place and `raw` yet.
            outer: the keywords of the blocks around it.
        """
        draft = self._read(draft, outer)
        made = inherit(outer, keywords(draft.raw)) if draft.text else outer
        belonging = of_belonging(made)
        return replace(
            draft,
            verify=self._belonging(draft, "verify", belonging),
            rollback=self._belonging(draft, "rollback", belonging | {"approve": "auto"}),
        )

    def _belonging(self, draft: Draft, part: Part, outer: Mapping[str, Any]) -> tuple[Draft, ...]:
        items = draft.raw.get(part)
        own = draft.raw.get("vars")
        given = draft.given | (own.keys() if isinstance(own, Mapping) else set())
        return tuple(
            self.read(
                Draft(
                    draft.problems,
                    (*draft.way, part, number),
                    f"{draft.id}.{part}.{number + 1}",
                    draft.phase,
                    item,
                    part,
                    given,
                ),
                outer,
            )
            for number, item in enumerate(items if isinstance(items, list) else ())
            if isinstance(item, Mapping)
        )

    def _read(self, draft: Draft, outer: Mapping[str, Any]) -> Draft:
        draft = replace(draft, text=self._text(draft, outer))
        entry = self._entry(draft)
        if entry is None:
            return draft
        args = entry.normal(draft.raw[entry.name])
        if not isinstance(args, Mapping):
            hint = f"it takes {', '.join(entry.schema['properties'])}"
            message = f"the arguments of {entry.name} must be a mapping, not {shown(args)}"
            draft.problems.at((*draft.way, entry.name), message, hint)
            return replace(draft, entry=entry)
        draft = replace(draft, entry=entry, args=_conditions_listed(entry, args))
        flaws = self._shape(entry).flaws(draft.args)
        if not draft.written_out:
            flaws = [replace(flaw, way=flaw.way[1:]) for flaw in flaws]
        draft.problems.flaws(flaws, (*draft.way, entry.name))
        _check_patterns(draft)
        for kind in entry.lesser:
            if isinstance(draft.args.get(kind), str) and is_template(draft.args[kind]):
                why = "what a task is must be known before it runs"
                draft.problems.at(draft.args_way(kind), f"{kind} must be true or false: {why}")
        return draft

    def _shape(self, entry: Entry) -> Shape:
        if entry.name not in self._shapes:
            self._shapes[entry.name] = module_shape(entry)
        return self._shapes[entry.name]

    def _text(self, draft: Draft, outer: Mapping[str, Any]) -> TaskText | None:
        """The keywords; durations that are templates are taken over as they are."""
        own = keywords(draft.raw)
        templated = {
            key: own.pop(key)
            for key in DURATIONS
            if isinstance(own.get(key), str) and is_template(own[key])
        }
        if draft.problems.flaws(self._keywords.flaws(own), draft.way):
            return None
        text = convert(inherit(outer, own), TaskText)
        return msgspec.structs.replace(text, **templated) if templated else text

    def _entry(self, draft: Draft) -> Entry | None:
        """The task's module; every key that is neither it nor a keyword is a problem."""
        known = keywords(draft.raw).keys() & KEYWORDS[draft.part]
        strange = [key for key in draft.raw if key not in known]
        modules = [key for key in strange if key in self._registry]
        strange = [key for key in strange if key not in modules]
        if len(modules) > 1:
            both = f'a task holds one module, and here stand both "{modules[0]}" and "{modules[1]}"'
            draft.problems.at_key((*draft.way, modules[1]), both)
        entry = self._load(draft, modules[0]) if modules else None
        for key in strange:
            draft.problems.at_key((*draft.way, key), *self._strange(draft, key, entry, modules))
        if not modules and not strange:
            hint = f"name one of {', '.join(self._registry.names())}"
            draft.problems.at(draft.way, "the task has no module", hint)
        return entry

    def _load(self, draft: Draft, name: str) -> Entry | None:
        try:
            return self._registry[name]
        except InputError as error:
            for problem in error.problems:
                draft.problems.at_key((*draft.way, name), problem.message)
            return None

    def _strange(
        self, draft: Draft, key: str, entry: Entry | None, modules: list[str]
    ) -> tuple[str, str]:
        """What is wrong with a key that is no keyword here, and what to do about it."""
        if key in keywords(draft.raw):
            where = "a handler" if draft.part == "handler" else draft.part
            return f'"{key}" has no meaning in {where}', ""
        if key in _ONLY_IN_BLOCKS:
            return f'"{key}" goes with "block"', ""
        if hint := _where_it_belongs(key, entry):
            return f'unknown key "{key}"', hint
        return self._misspelled(draft, key, modules)

    def _misspelled(self, draft: Draft, key: str, modules: list[str]) -> tuple[str, str]:
        if modules:
            return f'unknown key "{key}"', did_you_mean(key, KEYWORDS[draft.part])
        names = self._registry.names()
        own = key.rpartition(".")[2]
        meant = own if own in names else near(key, [*KEYWORDS[draft.part], *_NODES, *names])
        what = "no module" if meant is None or meant in names else "unknown key"
        return f'{what} "{key}"', f'did you mean "{meant}"?' if meant else ""


def _where_it_belongs(key: str, entry: Entry | None) -> str:
    """What to do with a key that means something, but not there; empty where it does not."""
    if entry is not None and key in entry.schema["properties"]:
        return f"it is an argument of {entry.name}: indent it below"
    if key in PlaybookText.__struct_fields__:
        return "it is one of the playbook, not of a task"
    return _ELSEWHERE.get(key) or ('use "loop"' if key.startswith("with_") else "")


def _conditions_listed(entry: Entry, args: Mapping[str, Any]) -> dict[str, Any]:
    """One condition may stand where a list of them is taken, as in Ansible's `assert`."""
    lists = {name for name, part in entry.schema["properties"].items() if "items" in part}
    forms = formats(entry)
    return {
        name: [value]
        if isinstance(value, str) and name in lists and forms.get(name) == "expression"
        else value
        for name, value in args.items()
    }


def _check_patterns(draft: Draft) -> None:
    assert draft.entry is not None
    for name, form in formats(draft.entry).items():
        pattern = draft.args.get(name)
        if form != "re2" or not isinstance(pattern, str) or is_template(pattern):
            continue
        try:
            compiled(pattern)
        except ValueError as error:
            message = f"{name} is not a pattern that RE2 takes: {error}"
            draft.problems.at(draft.args_way(name), message)
