"""Templates at run time: the playbook's text and the inventory's, over data that stays data.

Only the text of playbooks and of inventory variables is ever given to `render`. Values from
hosts, inputs and the environment are looked up by name, and nothing in them is rendered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Template, TemplateError
from jinja2.environment import TemplateExpression
from jinja2.runtime import Undefined
from msgspec import Struct

from engine.contract import Condition
from engine.errors import HostError
from engine.language.expressions import Reader, Tree, Unreadable, is_template
from engine.language.failures import not_defined, wrong_argument
from engine.language.fitting import fitted
from engine.language.growth import limited
from engine.language.sandbox import NotDefined
from engine.language.shapes import formats
from engine.vault import VaultError

if TYPE_CHECKING:
    from engine.contract import Module
    from engine.registry import Entry
    from engine.vault import Vault

MAX_CHAIN = 50
"""Variables that may refer to one another in a row."""

_LONGEST = 120
"""Characters of a template that a message shows."""

_FAILURES = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
"""What an expression over foreign values can end in."""


class Scope(Mapping[str, Any]):
    """The names that templates on one host see, as a mapping: `hostvars` may hold scopes too.

    Args:
        data: values; they win, and nothing in them is ever rendered.
        texts: variables of the inventory and the playbook: templates, rendered when first used.
        templates: what renders them.
        rendered: variables that were rendered already.
        chain: those that are being rendered.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        texts: Mapping[str, Any],
        templates: Templates,
        *,
        rendered: dict[str, Any] | None = None,
        chain: tuple[str, ...] = (),
    ) -> None:
        """Render nothing yet."""
        self.data = data
        self.texts = texts
        self.templates = templates
        self._rendered = {} if rendered is None else rendered
        self._chain = chain

    def __getitem__(self, name: str) -> Any:
        """The value of a name.

        Raises:
            KeyError: there is none.
            HostError: it is a variable whose text cannot be rendered.
        """
        if name in self.data:
            return self.data[name]
        if name not in self._rendered:
            self._rendered[name] = self._render(name)
        return self._rendered[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data or name in self.texts

    def __iter__(self) -> Iterator[str]:
        return iter({**self.texts, **self.data})

    def __len__(self) -> int:
        return len({**self.texts, **self.data})

    def _render(self, name: str) -> Any:
        text = self.texts[name]
        if name in self._chain:
            raise HostError(f"variables refer to one another: {' → '.join((*self._chain, name))}")
        if len(self._chain) == MAX_CHAIN:
            raise HostError(f"more than {MAX_CHAIN} variables refer to one another in a row")
        chain = (*self._chain, name)
        within = Scope(self.data, self.texts, self.templates, rendered=self._rendered, chain=chain)
        return self.templates.render(text, within)


class _Compiled(Struct, frozen=True):
    tree: Tree
    template: Template

    def value(self, names: dict[str, Any]) -> Any:
        """What it comes to: a value if it is an expression, else text."""
        if self.tree.value is None:
            context = self.template.new_context(names)
            return "".join(limited(self.template.root_render_func(context)))
        return TemplateExpression(self.template, undefined_to_none=False)(names)


class Templates:
    """Renders and evaluates; remembers what it compiled. Thread-safe."""

    def __init__(self, vault: Vault | None = None) -> None:
        """Nothing compiled yet; `vault` opens the encrypted values."""
        self._reader = Reader()
        if vault is not None:
            self._reader.sandbox.vault = vault
        self._compiled: dict[tuple[bool, str], _Compiled] = {}
        self._constant: dict[int, tuple[Mapping[str, Any], Module | None]] = {}
        self._lock = threading.Lock()

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """The value with every template in it rendered, in dicts and lists too.

        Args:
            value: from the text of a playbook or inventory; never from a host.
            scope: the names; a `Scope` as a rule.

        Raises:
            HostError: a template cannot be rendered with these names.
        """
        match value:
            case str():
                return self._text(value, scope) if is_template(value) else value
            case dict():
                return {key: self.render(item, scope) for key, item in value.items()}
            case list():
                return [self.render(item, scope) for item in value]
            case _:
                return value

    def evaluate(self, expression: str, scope: Mapping[str, Any]) -> Any:
        """The value of a bare expression, made of plain values.

        Raises:
            HostError: it cannot be evaluated with these names.
        """
        return self._run(expression, scope, bare=True)

    def holds(self, condition: str | bool | list[str | bool], scope: Mapping[str, Any]) -> bool:
        """Whether a condition holds; a list does if all in it do.

        Raises:
            HostError: it cannot be evaluated with these names.
        """
        if isinstance(condition, bool):
            return condition
        if isinstance(condition, list):
            return all(self.holds(part, scope) for part in condition)
        return bool(self.evaluate(condition, scope))

    def items(self, loop: str | list[Any], scope: Mapping[str, Any]) -> list[Any]:
        """What a `loop` goes over: a list, an expression, or a template of one.

        Raises:
            HostError: it cannot be evaluated, or comes to something else than a list.
        """
        if isinstance(loop, list):
            return [self.render(item, scope) for item in loop]
        value = self._text(loop, scope) if is_template(loop) else self.evaluate(loop, scope)
        if isinstance(value, dict):
            raise HostError(
                f"loop goes over a list, and this is a mapping: {loop} — `| items` lists its pairs"
            )
        if not isinstance(value, list):
            raise HostError(f"loop goes over a list, and this is {type(value).__name__}: {loop}")
        return value

    def arguments(self, entry: Entry, args: Mapping[str, Any], scope: Mapping[str, Any]) -> Module:
        """The module with its arguments rendered, and checked again.

        Args:
            entry: of the module.
            args: as the playbook has them.
            scope: the names.

        Raises:
            HostError: an argument cannot be rendered, or came to what the module does not take.
        """
        known, module = self._constant.get(id(args), (None, None))
        if known is args and module is not None:
            return module
        conditions = _expressions(entry)
        rendered = {
            name: self._conditions(value, scope)
            if name in conditions
            else self.render(value, scope)
            for name, value in args.items()
        }
        rendered = fitted(rendered, entry.schema, entry.schema.get("$defs", {}))
        try:
            module = entry.convert(rendered)
        except msgspec.ValidationError as error:
            raise HostError(wrong_argument(entry, rendered, error)) from None
        if known is not args:  # and so are they for every host, if nothing in them is a template
            constant = entry.frozen and conditions.isdisjoint(args) and _has_no_template(args)
            self._constant[id(args)] = (args, module if constant else None)
        return module

    def _conditions(self, value: Any, scope: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._conditions(part, scope) for part in value]
        if not isinstance(value, str):
            return value
        return Condition(value, holds=self.holds(value, scope))

    def _text(self, text: str, scope: Mapping[str, Any]) -> Any:
        return self._run(text, scope, bare=False)

    def _run(self, text: str, scope: Mapping[str, Any], *, bare: bool) -> Any:
        compiled = self._compile(text, bare=bare)
        names = {name: self._look_up(name, scope) for name in compiled.tree.names if name in scope}
        try:
            return _plain(compiled.value(names))
        except NotDefined as error:
            raise HostError(not_defined(compiled.tree, names, error)) from None
        except VaultError as error:
            raise HostError(str(error)) from None
        except _FAILURES as error:
            reason = str(error) or type(error).__name__
            raise HostError(f"cannot evaluate {_brief(text)}: {reason}") from None

    def _look_up(self, name: str, scope: Mapping[str, Any]) -> Any:
        """The name's value; a variable that cannot be rendered matters only if it is used."""
        try:
            return scope[name]
        except HostError as error:
            return self._reader.sandbox.undefined(hint=f"{name}: {error.message}", name=name)

    def _compile(self, text: str, *, bare: bool) -> _Compiled:
        # One at a time: Jinja changes the tree while it compiles it.
        with self._lock:
            if (bare, text) not in self._compiled:
                self._compiled[bare, text] = self._compile_new(text, bare=bare)
            return self._compiled[bare, text]

    def _compile_new(self, text: str, *, bare: bool) -> _Compiled:
        try:
            tree = self._reader.expression(text) if bare else self._reader.template(text)
            return _Compiled(tree, self._reader.sandbox.from_string(tree.body))
        except Unreadable as error:
            raise HostError(f"cannot read {_brief(text)}: {error}") from None
        except (*_FAILURES, SyntaxError) as error:
            raise HostError(f"cannot compile {_brief(text)}: {error}") from None


def _has_no_template(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_has_no_template, value.values()))
    if isinstance(value, list):
        return all(map(_has_no_template, value))
    return not (isinstance(value, str) and is_template(value))


def _brief(text: str) -> str:
    stripped = text.strip()
    return stripped if len(stripped) <= _LONGEST else f"{stripped[:_LONGEST]}…"


def _expressions(entry: Entry) -> frozenset[str]:
    """The arguments that are bare expressions."""
    return frozenset(name for name, form in formats(entry).items() if form == "expression")


def _plain(value: Any) -> Any:
    """The value as dicts, lists and scalars; what the template left unread is read now.

    Raises:
        TypeError: it is something else, such as a method that was not called.
        UndefinedError: it is, or holds, an undefined value.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Undefined):
        return bool(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} is no plain value")
