"""Options of INI files, and variables of files such as `.env` and /etc/default/*."""

from __future__ import annotations

import re

from msgspec import Struct

from engine.errors import ModuleFailed

_SECTION = re.compile(r"\s*\[(.*)\]\s*(?:[;#].*)?")
_OPTION = re.compile(r"(?P<key>\s*[^\s=:;#\[][^=:]*?)(?P<sign>\s*[=:][^\S\n]*)(?P<value>.*)")
_NOTE = re.compile(r"\s+[;#](?:\s.*)?$")
_VARIABLE = re.compile(r"(?P<start>\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.-]*)=)(?P<value>.*)")
# An unquoted word, or one in quotes; then nothing but a comment.
_ASSIGNED = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'#][^\s"']*|)(\s+#.*|\s*)""")
_SAFE = re.compile(r"[\w./:@%+,=-]*")


class _Option(Struct, frozen=True):
    """A line of an INI file that has a value.

    Args:
        at: its number, from 0.
        start: what comes before the value.
        value: without a note behind it.
        note: with the spaces before it.
        sign: what stands between key and value.
    """

    at: int
    start: str
    value: str
    note: str
    sign: str


def set_option(text: str, section: str | None, key: str, value: str) -> str:
    """The text of an INI file with a value for an option.

    Args:
        text: of the file.
        section: without its brackets; None for what comes before the first one.
        key: as the file writes it.
        value: of one line.

    Raises:
        ModuleFailed: the option is there more than once, or goes over several lines.
    """
    lines = text.split("\n")
    found = _only_option(lines, section, key)
    if found is None:
        return _with_option(lines, section, key, value)
    if found.value == value:
        return text
    start = found.start if found.value or found.sign[-1:].isspace() else found.start.rstrip()
    lines[found.at] = f"{start}{value}{found.note}"
    return "\n".join(lines)


def remove_option(text: str, section: str | None, key: str) -> str:
    """The text of an INI file without an option; as `set_option`."""
    lines = text.split("\n")
    found = _only_option(lines, section, key)
    if found is None:
        return text
    del lines[found.at]
    return "\n".join(lines)


def _only_option(lines: list[str], section: str | None, key: str) -> _Option | None:
    found = [
        each
        for start, end in _spans(lines, section)
        for name, each in _options(lines, start, end)
        if name == key
    ]
    place = f"[{section}] {key}" if section else key
    if len(found) > 1:
        numbers = ", ".join(str(each.at + 1) for each in found)
        raise ModuleFailed(
            f"{place} is in lines {numbers}: which one is meant? Use regexp and line"
        )
    if found and _goes_on(lines, found[0]):
        raise ModuleFailed(f"{place} goes over several lines, which are not edited")
    return found[0] if found else None


def _spans(lines: list[str], section: str | None) -> list[tuple[int, int]]:
    """From where to where the parts of a section are, without its headings."""
    heads = [(at, m[1].strip()) for at, line in enumerate(lines) if (m := _SECTION.fullmatch(line))]
    ends = [at for at, _ in heads[1:]] + [len(lines)]
    if section is None:
        return [(0, heads[0][0] if heads else len(lines))]
    return [(at + 1, end) for (at, name), end in zip(heads, ends, strict=False) if name == section]


def _options(lines: list[str], start: int, end: int) -> list[tuple[str, _Option]]:
    options = []
    for at in range(start, end):
        if found := _OPTION.fullmatch(lines[at]):
            note = _NOTE.search(found["value"])
            value = found["value"][: note.start()] if note else found["value"].rstrip()
            before = found["key"] + found["sign"]
            behind = note[0] if note else ""
            option = _Option(at, before, value, behind, found["sign"])
            options.append((found["key"].strip(), option))
    return options


def _goes_on(lines: list[str], option: _Option) -> bool:
    """Whether the next line belongs to the value, by a backslash or as it is further in."""
    if option.value.endswith("\\"):
        return True
    following = lines[option.at + 1] if option.at + 1 < len(lines) else ""
    deeper = _depth(following) > _depth(lines[option.at])
    return deeper and following.strip()[:1] not in {"", "#", ";", "["}


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _with_option(lines: list[str], section: str | None, key: str, value: str) -> str:
    """A new option: behind the last one of its section, spelt as that one is."""
    spans = _spans(lines, section)
    known = [each for _, each in _options(lines, 0, len(lines))]
    if not spans:
        sign = known[-1].sign if known else " = "
        text = "\n".join(lines)
        body = text.rstrip("\n")
        return f"{body}\n\n[{section}]\n{key}{sign}{value}\n".lstrip("\n")
    start, end = spans[-1]
    own = [each for _, each in _options(lines, start, end)]
    sign = (own or known)[-1].sign if known else " = "
    depth = re.match(r"\s*", own[-1].start)[0] if own else ""  # type: ignore[index]
    while end > start and not lines[end - 1].strip():
        end -= 1
    lines.insert(end, f"{depth}{key}{sign}{value}")
    if end == len(lines) - 1:
        lines.append("")
    return "\n".join(lines)


def set_variable(text: str, name: str, value: str) -> str:
    """The text of a file of variables with a value for one.

    It is quoted as the one that it replaces, or where it must be. Of several of the same name the
    last one counts; it is the one that is changed.

    Args:
        text: of the file.
        name: of the variable.
        value: of one line.

    Raises:
        ModuleFailed: what the file has for it is more than a value.
    """
    lines = text.split("\n")
    found = [(at, m) for at, m in _variables(lines) if m["name"] == name]
    if not found:
        head = "\n".join(lines).removesuffix("\n")
        return f"{head}\n{name}={_quoted(value, '')}\n".lstrip("\n" if not head else "")
    at, match = found[-1]
    assigned = _ASSIGNED.fullmatch(match["value"])
    if assigned is None:
        raise ModuleFailed(f"line {at + 1}: {name} is not a plain value; use regexp and line")
    if _unquoted(assigned[1]) == value:
        return text
    lines[at] = f"{match['start']}{_quoted(value, assigned[1][:1])}{assigned[2]}"
    return "\n".join(lines)


def remove_variable(text: str, name: str) -> str:
    """The text of a file of variables without one."""
    lines = text.split("\n")
    gone = {at for at, match in _variables(lines) if match["name"] == name}
    return "\n".join(line for at, line in enumerate(lines) if at not in gone) if gone else text


def _variables(lines: list[str]) -> list[tuple[int, re.Match[str]]]:
    return [(at, m) for at, line in enumerate(lines) if (m := _VARIABLE.fullmatch(line))]


def _unquoted(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1]
    if word.startswith('"'):
        return re.sub(r'\\([\\"$`])', r"\1", word[1:-1])
    return word


def _quoted(value: str, quote: str) -> str:
    """A value as sh, systemd and dotenv read it."""
    if quote not in {"'", '"'} and _SAFE.fullmatch(value):
        return value
    if quote != '"' and "'" not in value:
        return f"'{value}'"
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'
