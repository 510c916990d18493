"""Raw tasks → drafts: which module, which keywords, which arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import InputError
from engine.language.expressions import is_template
from engine.language.model import NOT_YET, TaskText
from engine.language.patterns import compiled
from engine.language.shapes import Shape, formats, module_shape, schema_of
from engine.language.words import shown
from engine.nearest import did_you_mean, near

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.language.flaws import Way
    from engine.language.model import Phase
    from engine.language.problems import Problems
    from engine.registry import Entry, Kind, Registry

KEYWORDS = frozenset(TaskText.__struct_fields__)
VERIFY_KEYWORDS = frozenset({"name", "expect", "within", "hold", "every", "timeout"})
DURATIONS = ("within", "hold", "every", "timeout")


@dataclass(frozen=True, slots=True)
class Draft:
    """A task of a file, as far as it could be read.

    Args:
        way: to it in the document.
        id: `investigate.2`, `mitigate.1.verify.1`.
        phase: that it stands in.
        raw: the mapping in the file.
        entry: its module; None where it has none that is known.
        args: of the module, shorthands written out.
        text: its keywords; None where something is wrong with them.
        verify: what must hold after it.
        in_verify: whether it stands in a `verify` itself.
    """

    way: Way
    id: str
    phase: Phase
    raw: Mapping[str, Any]
    entry: Entry | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    text: TaskText | None = None
    verify: tuple[Draft, ...] = ()
    in_verify: bool = False

    @property
    def kind(self) -> Kind | None:
        """What its module is with these arguments."""
        return self.entry.kind_of(self.args) if self.entry else None

    def args_way(self, name: str) -> Way:
        """The way to an argument, whether or not the file has it in shorthand."""
        assert self.entry is not None
        way = (*self.way, self.entry.name)
        return (*way, name) if self.written_out else way

    @property
    def written_out(self) -> bool:
        """Whether the file has the arguments under their names, not in shorthand."""
        assert self.entry is not None
        is_mapping = isinstance(self.raw[self.entry.name], Mapping)
        return is_mapping and not self.entry.cls.free_form

    def registered(self) -> Iterator[tuple[str, Way]]:
        """The names that exist once it has run, and where it gives them."""
        name = self.raw.get("register")
        if isinstance(name, str):
            yield name, (*self.way, "register")
        if self.entry is not None and self.entry.cls.defines_vars:
            values = self.args.get(self.entry.cls.free_form)
            for key in values if isinstance(values, Mapping) else ():
                yield key, (*self.way, self.entry.name, key)


class Drafter:
    """Reads tasks; remembers the shapes of modules, so that many files cost little."""

    def __init__(self, registry: Registry) -> None:
        """Read tasks that name modules of this registry."""
        self._registry = registry
        self._keywords = Shape(schema_of(TaskText), name="the task", kind=TaskText)
        self._shapes: dict[str, Shape] = {}

    def draft(self, problems: Problems, way: Way, phase: Phase, raw: Mapping[str, Any]) -> Draft:
        """A task of a phase, with those of its `verify`."""
        task_id = f"{phase}.{int(way[-1]) + 1}"
        draft = self._draft(problems, Draft(way, task_id, phase, raw))
        items = raw.get("verify")
        verify = tuple(
            self._draft(
                problems,
                Draft(
                    (*way, "verify", number),
                    f"{task_id}.verify.{number + 1}",
                    phase,
                    item,
                    in_verify=True,
                ),
            )
            for number, item in enumerate(items if isinstance(items, list) else ())
            if isinstance(item, Mapping)
        )
        return replace(draft, verify=verify)

    def _draft(self, problems: Problems, draft: Draft) -> Draft:
        draft = replace(draft, text=self._text(problems, draft))
        entry = self._entry(problems, draft)
        if entry is None:
            return draft
        args = entry.normal(draft.raw[entry.name])
        if not isinstance(args, Mapping):
            hint = f"it takes {', '.join(entry.schema['properties'])}"
            message = f"the arguments of {entry.name} must be a mapping, not {shown(args)}"
            problems.at((*draft.way, entry.name), message, hint)
            return replace(draft, entry=entry)
        draft = replace(draft, entry=entry, args=_conditions_listed(entry, args))
        flaws = self._shape(entry).flaws(draft.args)
        if not draft.written_out:
            flaws = [replace(flaw, way=flaw.way[1:]) for flaw in flaws]
        problems.flaws(flaws, (*draft.way, entry.name))
        _check_patterns(problems, draft)
        if isinstance(draft.args.get("probe"), str) and is_template(draft.args["probe"]):
            message = "probe must be true or false: what a task is must be known before it runs"
            problems.at(draft.args_way("probe"), message)
        return draft

    def _shape(self, entry: Entry) -> Shape:
        if entry.name not in self._shapes:
            self._shapes[entry.name] = module_shape(entry)
        return self._shapes[entry.name]

    def _text(self, problems: Problems, draft: Draft) -> TaskText | None:
        """The keywords; durations that are templates are taken over as they are."""
        keywords = {key: value for key, value in draft.raw.items() if key in KEYWORDS}
        templated = {
            key: keywords.pop(key)
            for key in DURATIONS
            if isinstance(keywords.get(key), str) and is_template(keywords[key])
        }
        if problems.flaws(self._keywords.flaws(keywords), draft.way):
            return None
        text = msgspec.convert(keywords, TaskText)
        return msgspec.structs.replace(text, **templated) if templated else text

    def _entry(self, problems: Problems, draft: Draft) -> Entry | None:
        """The task's module; every key that is neither it nor a keyword is a problem."""
        allowed = VERIFY_KEYWORDS if draft.in_verify else KEYWORDS
        strange = [key for key in draft.raw if key not in allowed]
        modules = [key for key in strange if key in self._registry]
        strange = [key for key in strange if key not in modules]
        if len(modules) > 1:
            both = f'a task holds one module, and here stand both "{modules[0]}" and "{modules[1]}"'
            problems.at_key((*draft.way, modules[1]), both)
        entry = self._load(problems, draft, modules[0]) if modules else None
        for key in strange:
            problems.at_key((*draft.way, key), *self._strange(key, entry, modules))
        if not modules and not strange:
            hint = f"name one of {', '.join(self._registry.names())}"
            problems.at(draft.way, "the task has no module", hint)
        return entry

    def _load(self, problems: Problems, draft: Draft, name: str) -> Entry | None:
        try:
            return self._registry[name]
        except InputError as error:
            for problem in error.problems:
                problems.at_key((*draft.way, name), problem.message)
            return None

    def _strange(self, key: str, entry: Entry | None, modules: list[str]) -> tuple[str, str]:
        """What is wrong with a key that is no keyword here, and what to do about it."""
        if key in NOT_YET["task"] | NOT_YET["playbook"]:
            return f'"{key}" is not supported yet by this version', ""
        if key in KEYWORDS:
            return f'"{key}" has no meaning in verify', ""
        if key.startswith("with_"):
            return f'unknown key "{key}"', 'use "loop"'
        if entry is not None and key in entry.schema["properties"]:
            return f'unknown key "{key}"', f"it is an argument of {entry.name}: indent it below"
        if modules:
            return f'unknown key "{key}"', did_you_mean(key, KEYWORDS)
        names = self._registry.names()
        own = key.rpartition(".")[2]
        meant = own if own in names else near(key, [*KEYWORDS, *names])
        what = "unknown key" if meant in KEYWORDS else "no module"
        return f'{what} "{key}"', f'did you mean "{meant}"?' if meant else ""


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


def _check_patterns(problems: Problems, draft: Draft) -> None:
    assert draft.entry is not None
    for name, form in formats(draft.entry).items():
        pattern = draft.args.get(name)
        if form != "re2" or not isinstance(pattern, str) or is_template(pattern):
            continue
        try:
            compiled(pattern)
        except ValueError as error:
            problems.at(draft.args_way(name), f"{name} is not a pattern that RE2 takes: {error}")
