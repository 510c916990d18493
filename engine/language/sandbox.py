"""The Jinja environment: sandboxed, strict, over plain values only, and bounded.

In `x.y` a key goes before a method, so that `result.items` is what the host said. Of methods,
only those that read are there. What would grow without bound is refused before it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.lexer import TokenStream
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace, missing

from engine.language.filters import FILTERS, REFUSED_FILTERS, TESTS
from engine.language.growth import check_growth, join_with, replace
from engine.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jinja2.lexer import Lexer
    from jinja2.runtime import Context

_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_TEXT_METHODS = frozenset(
    {
        "capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit",
        "islower", "isnumeric", "isspace", "isupper", "lower", "lstrip", "partition",
        "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip", "split",
        "splitlines", "startswith", "strip", "swapcase", "title", "upper",
    }
)  # fmt: skip
_LIST_METHODS = frozenset({"count", "index"})
_BOUNDED_METHODS: dict[str, Callable[..., str]] = {"join": join_with, "replace": replace}
_OWN = (LoopContext, Macro, Namespace, StrictUndefined)
"""Jinja's own objects, whose attributes its sandbox guards."""


class NotDefined(UndefinedError):
    """A name or a key that does not exist was used.

    Args:
        owner: the value that has no such key; Jinja's `missing` for a name.
        name: of the key, or the name.
        message: in words.
    """

    def __init__(self, owner: object, name: object, message: str) -> None:
        """Keep what was asked of what."""
        super().__init__(message)
        self.owner = owner
        self.name = name


class Strict(StrictUndefined):
    """An undefined value that tells, when it is used, what was asked of what."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[Exception] = UndefinedError,
    ) -> None:
        """As Jinja makes it; a violation of the sandbox keeps its own exception."""
        kind: Any = exc if exc is SecurityError else partial(NotDefined, obj, name)
        super().__init__(hint, obj, name, kind)


class Tokens(TokenStream):
    """Jinja's tokens, which also know where they are: Jinja itself counts lines only.

    Args:
        offset: where the current token starts in the text, from 0.
    """

    def __init__(self, lexer: Lexer, source: str, state: str | None) -> None:
        """Read the text; `state` as for Jinja's lexer."""
        self.offset = 0
        super().__init__(lexer.wrap(self._counted(lexer, source, state)), None, None)

    def _counted(
        self, lexer: Lexer, source: str, state: str | None
    ) -> Iterator[tuple[int, str, str]]:
        end = 0
        try:
            for line, kind, text in lexer.tokeniter(source, None, None, state):
                self.offset, end = end, end + len(text)
                yield line, kind, text
        except TemplateSyntaxError:
            self.offset = end
            raise
        self.offset = end


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of all templates and expressions. It holds no values; thread-safe."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        """Jinja's filters and tests and ours; of its functions, `range` and `namespace`."""
        super().__init__(
            undefined=Strict,
            keep_trailing_newline=True,
            # `{#` is text: shells write ${#list}, and YAML has comments of its own.
            comment_start_string="\0#",
            comment_end_string="#\0",
        )
        for name in REFUSED_FILTERS:
            del self.filters[name]
        self.filters.update(FILTERS)
        self.tests.update(TESTS)
        self.vault = Vault()
        self.globals.clear()
        self.globals.update(range=safe_range, namespace=Namespace)

    def _tokenize(
        self,
        source: str,
        name: str | None,  # noqa: ARG002  # Jinja's hook; our texts have no names
        filename: str | None = None,  # noqa: ARG002
        state: str | None = None,
    ) -> TokenStream:
        return Tokens(self.lexer, source, state)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a key, else a method that reads."""
        if isinstance(obj, Mapping):
            if attribute in obj:
                return obj[attribute]
            return self._method(obj, attribute, _MAPPING_METHODS)
        if isinstance(obj, str) and attribute in _BOUNDED_METHODS:
            return partial(_BOUNDED_METHODS[attribute], str(obj))
        if isinstance(obj, _OWN):
            return super().getattr(obj, attribute)
        allowed = _TEXT_METHODS if isinstance(obj, str) else _LIST_METHODS
        return self._method(obj, attribute, allowed)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: a key or a position, never an attribute."""
        if isinstance(obj, StrictUndefined):
            return super().getitem(obj, argument)
        if isinstance(obj, Mapping | str | list | tuple):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self._refused(obj, argument)

    def _method(self, obj: Any, attribute: str, allowed: frozenset[str]) -> Any:
        if attribute in allowed and isinstance(obj, Mapping | str | list | tuple):
            return getattr(obj, attribute)
        return self._refused(obj, attribute)

    def _refused(self, obj: Any, attribute: Any) -> Any:
        if isinstance(attribute, str) and attribute.startswith("_"):
            return self.unsafe_undefined(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse results that would be too large."""
        check_growth(operator, left, right)
        return super().call_binop(context, operator, left, right)
