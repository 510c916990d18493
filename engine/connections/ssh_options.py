"""The keywords of ssh_config that are obeyed, and what was said of one host with them.

**Source:** ssh_config(5) of OpenSSH 9.2.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

STRICTER = frozenset({"yes", "ask", "true"})
"""The values of StrictHostKeyChecking that ask no more than what is done anyway."""

_FLAG = re.compile(r"yes|no|true|false", re.IGNORECASE)
_TIME = re.compile(r"none|(?:[0-9]+[smhdw]?)+", re.IGNORECASE)
_KINDS: dict[str, tuple[re.Pattern[str], str]] = {
    "port": (re.compile(r"0*[1-9][0-9]{0,4}"), "a port number from 1 to 65535"),
    "connecttimeout": (_TIME, "a time, such as 10 or 1m"),
    "serveraliveinterval": (_TIME, "a time, such as 15 or 1m"),
    "serveralivecountmax": (re.compile(r"[0-9]{1,6}"), "a number"),
    "identitiesonly": (_FLAG, "yes or no"),
    "proxyusefdpass": (_FLAG, "yes or no"),
    "stricthostkeychecking": (
        re.compile(r"yes|no|true|false|ask|off|accept-new", re.IGNORECASE),
        "yes, ask, accept-new, no or off",
    ),
}
_ONE_WORD = frozenset({"hostname", "user", "identityagent", "hostkeyalias"}) | _KINDS.keys()
_SEVERAL = frozenset({"identityfile", "certificatefile"})
_REFUSED = frozenset({"revokedhostkeys", "proxyusefdpass"})
KEYWORDS = (
    _ONE_WORD
    | _SEVERAL
    | _REFUSED
    | {"proxycommand", "proxyjump", "userknownhostsfile", "globalknownhostsfile"}
)
"""In lower case, as ssh does not mind."""

REST_OF_LINE = frozenset({"proxycommand", "proxyjump"})
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RIVALS = {"proxycommand": "proxyjump", "proxyjump": "proxycommand"}


class Said(Struct, frozen=True):
    """One keyword's value.

    Args:
        words: never empty.
        where: a variable's name, or `file:line`, for messages.
    """

    words: tuple[str, ...]
    where: str

    @property
    def text(self) -> str:
        """The value of a keyword that has one word."""
        return self.words[0]


class Options(Struct):
    """All that was said of one host. As in ssh, the first word on a keyword is the last."""

    _said: dict[str, list[Said]] = field(default_factory=dict)

    def add(self, keyword: str, words: tuple[str, ...], where: str) -> None:
        """Note it, unless something was said before that it cannot change."""
        before = self._said.get(keyword, [])
        if keyword in _SEVERAL:
            if all(words != one.words for one in before):
                self._said[keyword] = [*before, Said(words, where)]
        elif not before and _RIVALS.get(keyword) not in self._said:
            self._said[keyword] = [Said(words, where)]

    def get(self, keyword: str) -> Said | None:
        """What was said; None for nothing, or that there shall be `none`."""
        said = self._said.get(keyword)
        return said[0] if said and said[0].text.lower() != "none" else None

    def every(self, keyword: str) -> list[Said]:
        """The same for a keyword that may be said several times."""
        return [said for said in self._said.get(keyword, ()) if said.text.lower() != "none"]

    def has(self, keyword: str) -> bool:
        """Whether anything was said, be it `none`."""
        return keyword in self._said

    def is_on(self, keyword: str) -> bool:
        """Whether `yes` was said."""
        said = self.get(keyword)
        return said is not None and said.text.lower() in ("yes", "true")

    def seconds(self, keyword: str, usual: float) -> float:
        """A time; 0 for `none`."""
        if not self.has(keyword):
            return usual
        said = self.get(keyword)
        return seconds(said.text) if said else 0.0


def wrong(keyword: str, words: tuple[str, ...]) -> str:
    """What is wrong with a keyword's value, in words; empty for nothing."""
    if not words or not words[0]:
        return "has no value"
    if keyword in _ONE_WORD | _SEVERAL and len(words) > 1:
        return f"has one value, not {len(words)}"
    if keyword not in _KINDS:
        return ""
    pattern, kind = _KINDS[keyword]
    fits = pattern.fullmatch(words[0]) and (keyword != "port" or int(words[0]) <= 65535)
    return "" if fits else f"must be {kind}, not {words[0]!r}"


def seconds(text: str) -> float:
    """A time in ssh's form: `90`, `90s`, `1m30s`."""
    parts: list[tuple[str, str]] = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def refused(options: Options) -> list[str]:
    """What was said that cannot be obeyed, and must not be passed over either."""
    found = []
    revoked = options.get("revokedhostkeys")
    if revoked:
        found.append(f"{revoked.where}: RevokedHostKeys is not supported")
    if options.get("proxycommand") and options.is_on("proxyusefdpass"):
        found.append("ProxyUseFdpass is not supported")
    return found
