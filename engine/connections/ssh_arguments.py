"""The arguments of `ssh` in `ansible_ssh_common_args` and its like: those that map to options.

**Source:** ssh(1) of OpenSSH 9.2.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from engine.connections.ssh_options import KEYWORDS, REST_OF_LINE, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.ssh_options import Options

_KEYWORD_OF = {"J": "proxyjump", "i": "identityfile", "p": "port", "l": "user"}
# They change neither where a link leads nor who is trusted, and have no meaning here.
_IDLE_FLAGS = frozenset("CqvTxan")
_IDLE = frozenset(
    {
        *("batchmode", "compression", "controlmaster", "controlpath", "controlpersist"),
        *("addkeystoagent", "gssapiauthentication", "hashknownhosts", "loglevel", "requesttty"),
        *("tcpkeepalive", "updatehostkeys"),
    }
)


class Unmapped(ValueError):
    """An argument that would have to be passed over."""


def add_arguments(options: Options, text: str, where: str) -> str:
    """Add what the arguments say to what was said of a host.

    Args:
        options: added to.
        text: as a shell would split it.
        where: the variable's name.

    Returns:
        The file of `-F`; empty where there is none.

    Raises:
        Unmapped: an argument is not known, or would be passed over; its name and why.
    """
    file = ""
    for flag, value in _arguments(text):
        if flag == "F":
            file = value
            continue
        keyword, words = _option(value) if flag == "o" else (_KEYWORD_OF[flag], (value,))
        if keyword in _IDLE:
            continue
        if keyword not in KEYWORDS:
            raise Unmapped(f"-o {value} is not supported: it would be passed over")
        if why := wrong(keyword, words):
            raise Unmapped(f"{keyword} {why}")
        options.add(keyword, words, where)
    return file


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Each argument that has a value, with the value."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Unmapped(str(error)) from error
    while words:
        word = words.pop(0)
        flag = word[1:2]
        if re.fullmatch(r"-[A-Za-z]+", word) and set(word[1:]) <= _IDLE_FLAGS:
            continue
        if not word.startswith("-") or flag not in {*_KEYWORD_OF, "o", "F"}:
            raise Unmapped(f"{word} is not supported: it would be passed over")
        if not word[2:] and not words:
            raise Unmapped(f"{word} needs a value")
        yield flag, word[2:] or words.pop(0)


def _option(text: str) -> tuple[str, tuple[str, ...]]:
    match = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", text, re.DOTALL)
    if match is None:
        raise Unmapped(f"-o {text}: a keyword needs a value")
    keyword = match[1].lower()
    # The value may still be quoted once more, for ssh itself.
    words = (match[2],) if keyword in REST_OF_LINE else tuple(shlex.split(match[2]))
    return keyword, words
