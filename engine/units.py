"""Figures as people read them."""

from __future__ import annotations

from itertools import pairwise


def duration(seconds: float) -> str:
    """A length of time for people: `340 ms`, `1.2 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    whole = round(seconds)
    for (size, name), (next_size, next_name) in pairwise(units):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    return f"{whole} s"


def count(number: int, noun: str) -> str:
    """`1 host`, `3 hosts`, `2 processes`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def percent(part: float, whole: float) -> float:
    """Per cent to a tenth; 0 of nothing."""
    return round(100 * part / whole, 1) if whole else 0.0


def cut(text: str, most: int) -> str:
    """The text, or its beginning with `…` where it is longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def figure(value: float) -> str:
    """A number for people: `42`, `0.231`, `1234567`, `3.2e+20`."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"


def amount(number: float) -> str:
    """Bytes for people: `512 B`, `3.4 MiB`, `478 MiB`, `2.0 GiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = 0
    while number >= 999.5 and power < len(units) - 1:
        number /= 1024
        power += 1
    digits = 0 if power == 0 or number >= 99.95 else 1
    return f"{number:.{digits}f} {units[power]}"
