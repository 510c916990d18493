"""Text → syntax tree: bare expressions and templates, with the place of what is wrong in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.parser import Parser
from msgspec import Struct, field

from engine.language.sandbox import Sandbox, Tokens
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = (nodes.Block, nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)
_GUARDS = frozenset({"default", "d", "defined", "undefined"})

_UNEXPECTED = ("expected token", "expected an expression", "unexpected", "chunk after")
_HINTS: tuple[tuple[str, str], ...] = (
    ("&", 'write "and"'),
    ("|", 'write "or"'),
    ("!", 'write "not"'),
    ("=", '"==" compares'),
    ("?", 'write "a if condition else b"'),
    (".", "text of this form that is not ours stands in {% raw %}…{% endraw %}"),
)


def is_template(text: str) -> bool:
    """Whether a playbook's text holds anything to be rendered."""
    return "{{" in text or "{%" in text


class Fault(Struct, frozen=True):
    """What is wrong in a text, at which character of it, counted from 0."""

    offset: int
    message: str
    hint: str = ""


class Unreadable(Exception):
    """The text is no expression or template."""

    def __init__(self, fault: Fault) -> None:
        """Keep what is wrong."""
        super().__init__(fault.message)
        self.fault = fault


class Tree(Struct, frozen=True):
    """A text that was read.

    Args:
        text: it.
        body: what Jinja compiles.
        value: the single expression whose value counts, type and all; None: the text counts.
        names: that it reads.
        guarded: names that it reads through `default` or asks whether they are defined.
        faults: unknown filters and tests, and statements that we do not have.
    """

    text: str
    body: nodes.Template
    value: nodes.Expr | None
    names: frozenset[str]
    guarded: frozenset[str]
    faults: tuple[Fault, ...] = field(default=())


class Reader:
    """Reads texts and remembers them: a playbook's are read when it is loaded and when it runs."""

    def __init__(self) -> None:
        """Nothing read yet."""
        self.sandbox = Sandbox()
        self._read: dict[tuple[bool, str], Tree] = {}

    def expression(self, text: str) -> Tree:
        """A bare expression, as in `when`.

        Raises:
            Unreadable: it is none.
        """
        return self._tree(text, bare=True)

    def template(self, text: str) -> Tree:
        """A text with templates in it.

        Raises:
            Unreadable: one of them is none.
        """
        return self._tree(text, bare=False)

    def _tree(self, text: str, *, bare: bool) -> Tree:
        if (bare, text) not in self._read:
            self._read[bare, text] = self._parse(text, bare=bare)
        return self._read[bare, text]

    def _parse(self, text: str, *, bare: bool) -> Tree:
        try:
            parser = Parser(self.sandbox, text, state="variable" if bare else None)
            try:
                body, value = _bare(parser) if bare else _mixed(parser)
                return self._understood(text, body, value)
            except TemplateSyntaxError as error:
                assert isinstance(parser.stream, Tokens)
                raise Unreadable(_in_words(text, parser.stream.offset, error, bare=bare)) from None
        except TemplateSyntaxError as error:
            raise Unreadable(_in_words(text, 0, error, bare=bare)) from None
        except RecursionError:
            raise Unreadable(Fault(0, "is nested too deep")) from None

    def _understood(self, text: str, body: nodes.Template, value: nodes.Expr | None) -> Tree:
        body.set_environment(self.sandbox)
        names = frozenset(
            meta.find_undeclared_variables(body)
            if "{%" in text
            else (name.name for name in body.find_all(nodes.Name) if name.ctx == "load")
        )
        guarded = frozenset(_guarded(body)) & names
        names -= self.sandbox.globals.keys()
        return Tree(text, body, value, names, guarded, tuple(self._faults(text, body)))

    def _faults(self, text: str, body: nodes.Template) -> Iterator[Fault]:
        for node in body.find_all((nodes.Filter, nodes.Test, *_REFUSED)):
            if isinstance(node, _REFUSED):
                kind = type(node).__name__.lower()
                yield Fault(0, f"templates have no {{% {kind} %}} here")
                continue
            assert isinstance(node, nodes.Filter | nodes.Test)
            known = self.sandbox.filters if isinstance(node, nodes.Filter) else self.sandbox.tests
            if node.name not in known:
                kind = type(node).__name__.lower()
                hint = did_you_mean(node.name, known)
                yield Fault(offset_of(node.name, text), f'no {kind} "{node.name}"', hint)


def _bare(parser: Parser) -> tuple[nodes.Template, nodes.Expr]:
    expression = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail("chunk after expression")
    assert isinstance(expression, nodes.Expr)
    return _stored(expression), expression


def _mixed(parser: Parser) -> tuple[nodes.Template, nodes.Expr | None]:
    template = parser.parse()
    value = _only_expression(template)
    return (_stored(value) if value else template), value


def _stored(expression: nodes.Expr) -> nodes.Template:
    """A template that leaves the expression's value in `result`, as Jinja's own expressions do."""
    target = nodes.Name("result", "store")
    return nodes.Template([nodes.Assign(target, expression, lineno=1)], lineno=1)


def _only_expression(template: nodes.Template) -> nodes.Expr | None:
    if len(template.body) != 1 or not isinstance(template.body[0], nodes.Output):
        return None
    parts = [part for part in template.body[0].nodes if not _is_blank(part)]
    return None if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData) else parts[0]


def _is_blank(part: nodes.Expr) -> bool:
    return isinstance(part, nodes.TemplateData) and not part.data.strip()


def _guarded(body: nodes.Template) -> Iterator[str]:
    for node in body.find_all((nodes.Filter, nodes.Test)):
        assert isinstance(node, nodes.Filter | nodes.Test)
        if node.name in _GUARDS and isinstance(node.node, nodes.Name):
            yield node.node.name


def offset_of(name: str, text: str) -> int:
    """Where the text has the name, not as an attribute of something; 0 if nowhere."""
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text)
    return found.start() if found else 0


def _in_words(text: str, offset: int, error: TemplateSyntaxError, *, bare: bool) -> Fault:
    message = (error.message or "").rstrip(".")
    rest = text[offset:]
    if bare and "{{" in text:
        inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
        return Fault(0, "this is an expression already, without {{ }}", f"write {inner}")
    if rest[:1] in {"'", '"'} and "unexpected char" in message:
        return Fault(offset, "this quote is never closed")
    if not rest.strip():
        what = "expression" if bare else "template"
        return Fault(max(len(text.rstrip()) - 1, 0), f"the {what} ends too early")
    if message.lower().startswith(_UNEXPECTED):
        word = (re.match(r"[}%]}|\w+|.", rest) or [""])[0]
        hint = next((hint for start, hint in _HINTS if rest.startswith(start)), "")
        return Fault(offset, f'unexpected "{word}"', hint)
    return Fault(offset, message[:1].lower() + message[1:])
