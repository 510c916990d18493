"""Which names exist where, known from the text alone: an unknown one is found before any host is.

A result exists for the tasks after the one that registers it, in the order in which phases run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from engine.language import snippets
from engine.language.expressions import Unreadable, offset_of
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.language.expressions import Fault, Reader, Tree
    from engine.language.model import Place
    from engine.language.problems import Problems
    from engine.language.snippets import Snippet

SPECIALS = frozenset(
    {
        "inventory_hostname", "groups", "hostvars", "incident", "alert", "env", "run_id",
        "check_mode", "failure",
    }
)  # fmt: skip
LOCALS = frozenset({"item", "result"})
WORDS = frozenset(
    {
        "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False",
        "None", "self", "loop", "range", "namespace",
    }
)  # fmt: skip
"""Words of the expressions' own language, which no name can be."""


_LOCAL_WRONG = {
    "item": ('"item" exists only in a task with a loop', ""),
    "result": (
        '"result" exists only where it is judged, as in expect',
        "register the task and use that name",
    ),
}


class Names(Struct):
    """The names of one playbook, as far as its tasks have been passed.

    Args:
        problems: of the playbook itself.
        reader: of the texts.
        inputs: the playbook's.
        variables: its `vars`.
        inventory: variables of hosts; None: no inventory was given.
        later: what is registered or set anywhere, and where.
        foreign: names whose texts an alert says.
        known: what has been registered or set by the tasks passed.
    """

    problems: Problems
    reader: Reader
    inputs: frozenset[str]
    variables: Mapping[str, Any]
    inventory: frozenset[str] | None
    later: Mapping[str, Place] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()
    known: set[str] = field(default_factory=set)
    _of_variables: dict[str, frozenset[str]] = field(default_factory=dict)

    def read_variables(self) -> None:
        """Read the texts of `vars`: they may use one another, and any result there will be."""
        for name, value in self.variables.items():
            used: set[str] = set()
            for snippet, tree in self._trees(snippets.deep(self.problems, ("vars", name), value)):
                used |= tree.names
                for other in sorted(tree.names - tree.guarded - self.later.keys()):
                    self._tell(other, snippet, self._wrong(other, snippet, ""))
            self._of_variables[name] = frozenset(used)
        for name in self.variables:
            if name in self._used_by(name):
                message = f'"{name}" refers to itself, by way of other vars or directly'
                self.problems.at_key(("vars", name), message)

    def read(
        self,
        texts: Iterable[Snippet],
        where: str = "later",
        of_item: frozenset[str] = frozenset(),
    ) -> frozenset[str]:
        """Check the names of snippets that belong together.

        Args:
            texts: of one task, or of one rule.
            where: the results that they do not see are registered.
            of_item: the names of a loop's item, which only a run knows.

        Returns:
            Every name that they use, by way of `vars` too.
        """
        trees = list(self._trees(texts))
        guarded = frozenset().union(*(tree.guarded for _, tree in trees))
        used: set[str] = set()
        for snippet, tree in trees:
            used |= tree.names - (snippet.local - LOCALS - of_item)
            for name in sorted(tree.names - guarded - snippet.local):
                self._tell(name, snippet, self._wrong(name, snippet, where))
            if snippet.program:
                self._refuse_foreign(snippet, tree.names - snippet.local)
        return frozenset(used.union(*(self._used_by(name) for name in used)))

    def _trees(self, texts: Iterable[Snippet]) -> Iterator[tuple[Snippet, Tree]]:
        """The snippets that can be read, and what they are; what is wrong with the rest is told."""
        for snippet in texts:
            read = self.reader.expression if snippet.bare else self.reader.template
            try:
                tree = read(snippet.text)
            except Unreadable as error:
                faults: tuple[Fault, ...] = (error.fault,)
            else:
                faults = tree.faults
                yield snippet, tree
            for fault in faults:
                snippet.problems.inside(snippet.way, fault.offset, fault.message, fault.hint)

    def _refuse_foreign(self, snippet: Snippet, names: Iterable[str]) -> None:
        """What an alert says may be a program's argument, and never a part of it."""
        for name in sorted(names):
            for said in sorted(self.foreign & {name, *self._used_by(name)}):
                own = f'"{name}"' if said == name else f'"{name}" uses "{said}", which'
                message = f"{own} is what an alert says, and this text is run as a program"
                hint = "give it as one of args, env or params: there it stays a value"
                offset = offset_of(name, snippet.text)
                snippet.problems.inside(snippet.way, offset, message, hint)

    def _used_by(self, variable: str) -> frozenset[str]:
        """All that one of `vars` uses, by way of others too; nothing for any other name."""
        found: set[str] = set()
        waiting = list(self._of_variables.get(variable, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._of_variables.get(name, ())
        return frozenset(found)

    def _tell(self, name: str, snippet: Snippet, wrong: tuple[str, str]) -> None:
        if wrong[0]:
            snippet.problems.inside(snippet.way, offset_of(name, snippet.text), *wrong)

    def _wrong(self, name: str, snippet: Snippet, where: str) -> tuple[str, str]:
        """What is wrong with using the name there, and a hint; empty where nothing is."""
        if name in self.variables:
            return self._variable_wrong(name, snippet, where)
        known = self.known | SPECIALS | (self.inventory or frozenset())
        if snippet.early and name in (known | self.later.keys()) - self.inputs:
            return f'"{name}" is not known before hosts are chosen', "inputs and vars are"
        if name in known | self.inputs:
            return "", ""
        if name in self.later:
            return f'"{name}" is registered {where}, {self._there(name, snippet)}', ""
        return _LOCAL_WRONG.get(name) or (
            f'unknown name "{name}"',
            self._meant(name, known | snippet.local),
        )

    def _variable_wrong(self, name: str, snippet: Snippet, where: str) -> tuple[str, str]:
        """One of `vars` exists everywhere, but what it needs may not; what is unknown was told."""
        for needed in sorted(self._used_by(name) - self.inputs - self.variables.keys()):
            if snippet.early:
                return f'"{name}" needs "{needed}", not known before hosts are chosen', ""
            if where and needed in self.later and needed not in self.known:
                there = self._there(needed, snippet)
                return f'"{name}" needs "{needed}", registered {where}, {there}', ""
        return "", ""

    def _meant(self, name: str, known: Iterable[str]) -> str:
        hint = did_you_mean(name, [*known, *self.inputs, *self.variables, *self.later])
        if hint or self.inventory is not None:
            return hint
        return "if hosts have it, give their inventory with -i"

    def _there(self, name: str, snippet: Snippet) -> str:
        """Where a result gets its name, as seen from a snippet."""
        place = self.later[name]
        of = "" if place.path == snippet.problems.document.path else f" of {place.path}"
        return f"on line {place.line}{of}"
