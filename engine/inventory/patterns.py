"""The host pattern grammar: which hosts of an inventory a pattern or a limit names.

A pattern is terms, split at commas, else at colons outside brackets. A term is `[!|&] body`; its
body is `~regex` or a glob over group and host names, with an optional subscript. Plain terms are
united in order (`all` if there are none), then every `&`, then every `!` is applied.

Source: Ansible's guide "Patterns: targeting hosts and groups"; ansible-core's InventoryManager.
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.errors import InputError, Problem
from engine.inventory.draft import ALL
from engine.inventory.names import is_ipv6
from engine.inventory.text import read
from engine.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOCALHOST = ("127.0.0.1", "localhost", "::1")
"""Names that mean this machine, also where the inventory does not hold them."""
LIMIT = "--limit"

_COLON_TERM = re.compile(r"(?:[^:\[\]]|\[[^\]]*\]|[\[\]])+")
_SUBSCRIPTED = re.compile(r"(?P<body>.+)\[(?P<subscript>-?[0-9:-]+)\]")
_SUBSCRIPT = re.compile(
    r"(?P<one>-?\d{1,9})|(?P<first>\d{1,9}):(?P<last>\d{0,9})|:(?P<upto>\d{1,9})|-(?P<tail>\d{1,9}):"
)


class Names(Struct, frozen=True):
    """What patterns are matched against.

    Args:
        groups: each group's hosts, its children's among them, in the order of the inventory.
        hosts: every host, in the order that they were first seen.
    """

    groups: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, object]


class Term(Struct, frozen=True):
    """One term of a pattern; its place is given where it comes from a file of `--limit`."""

    text: str
    path: str = ""
    line: int = 0

    @property
    def sign(self) -> str:
        """`&`, `!` or nothing."""
        return self.text[0] if self.text[0] in "&!" else ""

    @property
    def body(self) -> str:
        """The term without its sign."""
        return self.text[1:] if self.sign else self.text

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem with this term."""
        column = 1 if self.line else 0
        return Problem(message, self.path, self.line, column, self.text if self.line else "", hint)


class _BadTermError(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def split(pattern: str | Sequence[str]) -> list[Term]:
    """The terms of a pattern."""
    if not isinstance(pattern, str):
        return [term for part in pattern for term in split(part)]
    if "," in pattern:
        parts = pattern.split(",")
    elif is_ipv6(pattern.lstrip("!&")):
        parts = [pattern]
    else:
        parts = _COLON_TERM.findall(pattern)
    return [Term(part.strip()) for part in parts if part.strip()]


def split_limit(limit: str) -> list[Term]:
    """The terms of `--limit`; `@file` stands for the file's lines.

    Raises:
        InputError: a file cannot be read or holds no line: that would mean every host.
    """
    terms = []
    for term in split(limit):
        if term.text.startswith("@"):
            terms += _file_terms(Path(term.text[1:]))
        else:
            terms.append(Term(term.text, LIMIT))
    return terms


def select(terms: Iterable[Term], names: Names) -> tuple[str, ...]:
    """The hosts that the terms name, each once.

    Raises:
        InputError: with a problem for every term that names nothing.
    """
    by_sign: dict[str, list[Term]] = {"": [], "&": [], "!": []}
    for term in terms:
        by_sign[term.sign].append(term)
    chosen: dict[str, None] = {}
    problems: list[Problem] = []
    for term in by_sign[""] or [Term(ALL)]:
        chosen |= dict.fromkeys(_hosts(term, names, problems))
    for term in by_sign["&"]:
        kept = set(_hosts(term, names, problems))
        chosen = {host: None for host in chosen if host in kept}
    for term in by_sign["!"]:
        for host in _hosts(term, names, problems):
            chosen.pop(host, None)
    if problems:
        raise InputError(*problems)
    return tuple(chosen)


def _file_terms(path: Path) -> list[Term]:
    lines = read(path).text.splitlines()
    terms = [Term(row.strip(), str(path), n) for n, row in enumerate(lines, 1) if row.strip()]
    if not terms:
        raise InputError(Problem("names no host", str(path), hint=f"it is a file of {LIMIT}"))
    return terms


def _hosts(term: Term, names: Names, problems: list[Problem]) -> Sequence[str]:
    try:
        return _matched(term, names)
    except _BadTermError as error:
        problems.append(term.problem(str(error), error.hint))
        return ()


def _matched(term: Term, names: Names) -> Sequence[str]:
    if not term.body:
        raise _BadTermError(f'"{term.text}" names nothing')
    if not term.sign and term.body in names.hosts:
        return (term.body,)
    body, subscript = _split_subscript(term.body, names)
    found, groups = _enumerate(body, names)
    if not found and not groups:
        raise _unknown(body, names)
    # Nobody is spared by leaving out an empty group, but nobody is reached by naming one.
    if not found and term.sign != "!":
        raise _empty(groups)
    return _sliced(term.body, found, subscript) if subscript and found else found


def _enumerate(body: str, names: Names) -> tuple[list[str], list[str]]:
    """The hosts of a body, each once, and the groups that it matches."""
    if _is_literal(body):
        groups = [body] if body in names.groups else []
        hosts = [body] if body in names.hosts and (not groups or "." in body) else []
    else:
        matches = _matcher(body)
        groups = [group for group in names.groups if matches.match(group)]
        hosts = [host for host in names.hosts if matches.match(host)]
    found = dict.fromkeys(host for group in groups for host in names.groups[group])
    found |= dict.fromkeys(hosts)
    if not found and body in LOCALHOST:
        found[next((name for name in names.hosts if name in LOCALHOST), body)] = None
    return list(found), groups


def _is_literal(body: str) -> bool:
    return not body.startswith("~") and not any(special in body for special in "?*[")


def _matcher(body: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(body[1:] if body.startswith("~") else fnmatch.translate(body))
    except (re.error, OverflowError, RecursionError) as error:
        raise _BadTermError(f'"{body}" is not a regular expression: {error}') from error


def _split_subscript(body: str, names: Names) -> tuple[str, re.Match[str] | None]:
    match = None if body.startswith("~") else _SUBSCRIPTED.fullmatch(body)
    if match is None:
        return body, None
    base, subscript = match["body"], _SUBSCRIPT.fullmatch(match["subscript"])
    if subscript is None:
        slice_ = match["subscript"].replace("-", ":")
        hint = f'write "{base}[{slice_}]" for the slice' if _SUBSCRIPT.fullmatch(slice_) else ""
        raise _BadTermError(f'"{body}" is not a subscript', hint)
    if not any(_enumerate(base, names)):
        meant = [host for host in names.hosts if _matcher(body).match(host)]
        if meant:
            message = f'"{body}" is a subscript of "{base}", and nothing is named that'
            raise _BadTermError(message, f'name the hosts: "{",".join(meant[:5])}"')
    return base, subscript


def _sliced(text: str, hosts: Sequence[str], subscript: re.Match[str]) -> Sequence[str]:
    if subscript["one"]:
        index = int(subscript["one"])
        found = hosts[index : index + 1 or None] if -len(hosts) <= index < len(hosts) else ()
    elif subscript["upto"]:
        found = hosts[: int(subscript["upto"]) + 1]
    elif subscript["tail"]:
        found = hosts[-int(subscript["tail"]) :] if int(subscript["tail"]) else ()
    else:
        last = int(subscript["last"]) + 1 if subscript["last"] else None
        found = hosts[int(subscript["first"]) : last]
    if not found:
        raise _BadTermError(f'"{text}" is out of range: the hosts are [0] to [{len(hosts) - 1}]')
    return found


def _unknown(body: str, names: Names) -> _BadTermError:
    if _is_literal(body):
        known = [*names.groups, *names.hosts]
        return _BadTermError(f'no host or group is named "{body}"', did_you_mean(body, known))
    return _BadTermError(f'no host or group matches "{body}"')


def _empty(groups: Sequence[str]) -> _BadTermError:
    if ALL in groups:
        return _BadTermError("the inventory has no hosts", "name one with -i")
    return _BadTermError(f'group "{groups[0]}" has no hosts')
