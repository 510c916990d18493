"""Filters and tests of the language beside Jinja's own."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import make_attrgetter
from jinja2.utils import pass_context, pass_environment

from engine.contract import seconds, size
from engine.language.growth import check_format, join_with, narrow, replace
from engine.language.patterns import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import Environment
    from jinja2.runtime import Context

    from engine.vault import Vault

REFUSED_FILTERS = ("attr", "urlize", "xmlattr")
"""A way round the rules for attributes, and two that serve web pages."""

_PADDING = ("batch", "center", "indent", "slice", "tojson", "truncate", "wordwrap")


def regex_search(text: str, pattern: str, *groups: str | int) -> Any:
    r"""What matches first, or None.

    Args:
        text: to look in.
        pattern: RE2's syntax.
        groups: numbers or names, or `\\1`, `\\g<name>` as in Ansible: a list of these instead.

    Raises:
        ValueError: the pattern is none.
    """
    found = compiled(pattern).search(str(text))
    if found is None:
        return None
    return [found.group(_group(group)) for group in groups] if groups else found.group(0)


def _group(group: str | int) -> str | int:
    name = str(group).removeprefix("\\").removeprefix("g<").removesuffix(">")
    return int(name) if name.isdigit() else name


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON text."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_jsonable)


def _jsonable(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value)


def from_json(text: str) -> Any:
    """The value of JSON text.

    Raises:
        ValueError: it is none.
    """
    return json.loads(text)


def b64encode(text: str) -> str:
    """Base64 of the text's UTF-8."""
    return base64.b64encode(str(text).encode()).decode()


def quantile(values: Iterable[float], fraction: float) -> float:
    """The value below which that fraction of the values lies, between neighbours linearly.

    Args:
        values: numbers, at least one.
        fraction: 0 to 1; 0.5 is the median.

    Raises:
        ValueError: there are no values, or the fraction is out of range.

    **Source:** Hyndman and Fan (1996), type 7: the default of R, NumPy and Excel.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("quantile of no values")
    if not 0 <= fraction <= 1:
        raise ValueError(f"quantile takes a fraction from 0 to 1, not {fraction}")
    place = fraction * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


@pass_environment
def join(
    environment: Environment,
    values: Iterable[Any],
    d: str = "",
    attribute: str | int | None = None,
) -> str:
    """Jinja's `join`, bounded."""
    if attribute is not None:
        values = map(make_attrgetter(environment, attribute), values)
    return join_with(str(d), values)


def format_(form: str, *args: Any, **named: Any) -> str:
    """Jinja's `format`, bounded."""
    check_format(str(form))
    return str(form) % (named or args)


def _says(word: str) -> Callable[[Any], bool]:
    def test(result: Any) -> bool:
        if not isinstance(result, Mapping):
            bool(result)  # An undefined value explains itself here.
            raise TypeError(f'"is {word}" asks about a registered result')
        return bool(result.get(word))

    return test


@pass_context
def unvault(context: Context, envelope: str, place: str) -> str:
    """What is in an encrypted value; a `!vault` value is read as a template with this.

    Raises:
        VaultError: it cannot be opened.
    """
    vault: Vault = context.environment.vault  # type: ignore[attr-defined]  # the sandbox's own
    return vault.open(envelope, place)


FILTERS: dict[str, Callable[..., Any]] = {
    **{name: narrow(JINJA_FILTERS[name]) for name in _PADDING},
    "b64encode": b64encode,
    "bytes": size,
    "format": format_,
    "from_json": from_json,
    "join": join,
    "quantile": quantile,
    "regex_search": regex_search,
    "replace": replace,
    "seconds": seconds,
    "to_json": to_json,
    "unvault": unvault,
}

TESTS: dict[str, Callable[[Any], bool]] = {
    word: _says(word) for word in ("failed", "changed", "skipped", "finding", "unreachable")
}
