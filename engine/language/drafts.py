"""What a file says, as far as it could be read: tasks and blocks that may still have flaws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from engine.language.keywords import TaskText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.language.flaws import Way
    from engine.language.keywords import Phase
    from engine.language.model import Place
    from engine.language.problems import Problems
    from engine.registry import Entry, Kind

Part = Literal["task", "verify", "rollback", "handler"]
"""What a task is there for."""

_LOOKS = frozenset(
    {"name", "expect", "failed_when", "within", "hold", "every", "until", "retries", "delay",
     "timeout", "vars", "become", "become_user", "become_method"}
)  # fmt: skip
KEYWORDS: dict[Part, frozenset[str]] = {
    "task": frozenset(TaskText.__struct_fields__),
    "verify": _LOOKS,
    "rollback": _LOOKS
    | {"when", "verify", "environment", "delegate_to", "ignore_errors", "no_log", "approve"},
    "handler": frozenset(TaskText.__struct_fields__) - {"hosts", "rollback"},
}
"""The words that have a meaning there, beside the module's name."""

DURATIONS = ("within", "hold", "every", "delay", "timeout")


def keywords(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a task. `notify` is one, too, but where it holds a module's arguments."""
    return {
        key: value
        for key, value in raw.items()
        if key in KEYWORDS["task"] and not (key == "notify" and isinstance(value, Mapping))
    }


class Draft(Struct, frozen=True):
    """A task of a file.

    Args:
        problems: of the document that it stands in.
        way: to it in the document.
        id: `investigate.2`, `mitigate.1.verify.1`.
        phase: that it stands in; a handler's is the one that may hold everything.
        raw: the mapping in the file.
        part: what it is there for.
        given: the names that the blocks around it give, as their `vars`.
        entry: its module; None where it has none that is known.
        args: of the module, shorthands written out.
        text: its keywords, with those of the blocks around it; None where some are wrong.
        verify: what must hold after it.
        rollback: what takes it back.
    """

    problems: Problems
    way: Way
    id: str
    phase: Phase
    raw: Mapping[str, Any]
    part: Part = "task"
    given: frozenset[str] = frozenset()
    entry: Entry | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    text: TaskText | None = None
    verify: tuple[Draft, ...] = ()
    rollback: tuple[Draft, ...] = ()

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

    def place(self, way: Way = ()) -> Place:
        """Where the task, or something in it, stands."""
        return self.problems.document.place((*self.way, *way))

    @property
    def own(self) -> tuple[Draft, ...]:
        """The tasks that belong to it."""
        return (*self.verify, *self.rollback)


class BlockDraft(Struct, frozen=True):
    """A block of a file, or an included file, which is one.

    Args:
        problems: of the document that it stands in.
        way: to it in the document.
        id: `mitigate.2`.
        raw: the mapping in the file.
        block: its tasks and blocks.
        rescue: likewise.
        always: likewise.
        given: the names that the blocks around it give.
    """

    problems: Problems
    way: Way
    id: str
    raw: Mapping[str, Any]
    block: tuple[AnyDraft, ...]
    rescue: tuple[AnyDraft, ...] = ()
    always: tuple[AnyDraft, ...] = ()
    given: frozenset[str] = frozenset()

    @property
    def sections(self) -> tuple[tuple[AnyDraft, ...], ...]:
        """All that is in it, in order."""
        return (self.block, self.rescue, self.always)


AnyDraft = Draft | BlockDraft


def flat(drafts: Iterable[AnyDraft]) -> Iterator[Draft]:
    """The tasks among them and in their blocks, in the order of the file."""
    for draft in drafts:
        if isinstance(draft, BlockDraft):
            for section in draft.sections:
                yield from flat(section)
        else:
            yield draft
