"""Host names as inventories write them: ranges and ports.

Source: Ansible's inventory guide, "Adding ranges of hosts"; RFC 4291 for IPv6 addresses.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import string

MAX_HOSTS = 100_000
"""The most hosts that one range, or several in one name, may stand for."""

_RANGE = re.compile(r"\[(?:[0-9]+:[0-9]+|[a-zA-Z]:[a-zA-Z])(?::[0-9]+)?\]")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_BRACKETED_PORT = re.compile(r"\[(.+)\]:([0-9]+)")
_PORT = re.compile(r"((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)")
_LABEL = re.compile(r"(?:\w[\w-]*)?[^\W_]")


def expand(text: str) -> tuple[list[str], int | None]:
    """The hosts that a name with ranges and a port stands for.

    `db[01:10:2].example.com:2222` → five names and 2222. Ends are inclusive.

    Raises:
        ValueError: it is none, in words for the user.
    """
    name, port = _split_port(text)
    if name == "":
        raise ValueError("a host needs a name")
    if name.startswith("-"):
        raise ValueError(f'"{name}" is not a host name: it begins with "-"')
    return _expand_ranges(name), port


def is_ipv6(text: str) -> bool:
    """Whether this is an IPv6 address, with or without a zone."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _split_port(text: str) -> tuple[str, int | None]:
    if ":" not in _BRACKETS.sub("", text) or is_ipv6(_plain(text)):
        return text, None
    for form in (_BRACKETED_PORT, _PORT):
        match = form.fullmatch(text)
        if match and _is_name(match[1]):
            return match[1], _port(match[2])
    raise ValueError(f'"{text}" is not a host name, with or without :port')


def _port(text: str) -> int:
    if not 0 < int(text[:6]) <= 65535:
        raise ValueError(f"port {text} is not between 1 and 65535")
    return int(text)


def _plain(text: str) -> str:
    # A range stands where a digit or letter may stand: with one put there the rules are the usual.
    return _RANGE.sub("0", text)


def _is_name(text: str) -> bool:
    plain = _plain(text)
    return is_ipv6(plain) or all(_LABEL.fullmatch(label) for label in plain.split("."))


def _expand_ranges(name: str) -> list[str]:
    if "[" not in name:
        return [name]
    parts = _BRACKETS.split(name)
    fixed, ranges = parts[::2], [_values(bounds) for bounds in parts[1::2]]
    if any("[" in part for part in fixed):
        raise ValueError(f'"{name}" has a "[" without its "]"')
    total = 1
    for values in ranges:
        total *= len(values)
    if total > MAX_HOSTS:
        raise ValueError(f'"{name}" stands for {total} hosts; {MAX_HOSTS} is the most')
    return [
        fixed[0] + "".join(itertools.chain.from_iterable(zip(chosen, fixed[1:], strict=True)))
        for chosen in itertools.product(*ranges)
    ]


def _values(bounds: str) -> list[str]:
    first, last, step = _bounds(bounds)
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        values = list(letters[letters.index(first) : letters.index(last) + 1 : step])
    else:
        values = _numbers(first, last, step, bounds)
    if not values:
        raise ValueError(f'range "[{bounds}]" ends before it begins')
    return values


def _bounds(bounds: str) -> tuple[str, str, int]:
    parts = bounds.split(":")
    if len(parts) not in {2, 3} or not parts[1]:
        raise ValueError(f'range "[{bounds}]" is not begin:end or begin:end:step')
    step = parts[2] if len(parts) == 3 else "1"
    if not _is_digits(step) or int(step) == 0:
        raise ValueError(f'range "[{bounds}]" has a step that is not a number above 0')
    return parts[0] or "0", parts[1], int(step)


def _numbers(first: str, last: str, step: int, bounds: str) -> list[str]:
    if not _is_digits(first) or not _is_digits(last):
        raise ValueError(f'range "[{bounds}]" is neither of numbers nor of single letters')
    width = len(first) if first.startswith("0") and len(first) > 1 else 0
    if width and width != len(last):
        raise ValueError(f'range "[{bounds}]" has ends of different widths')
    numbers = range(int(first), int(last) + 1, step)
    if len(numbers) > MAX_HOSTS:
        raise ValueError(f'range "[{bounds}]" stands for more than {MAX_HOSTS} hosts')
    return [str(number).zfill(width) for number in numbers]


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
