"""ssh_config files: read once a run, then asked for each host.

**Source:** ssh_config(5) of OpenSSH 9.2; what it says of a host is what `ssh -G` says.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import stat
from pathlib import Path

from msgspec import Struct, field

from engine.connections import ssh_match
from engine.connections.ssh_match import Condition, Patterns, Subject
from engine.connections.ssh_options import KEYWORDS, REST_OF_LINE, Options, wrong
from engine.errors import InputError, Problem

USUAL = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
"""The account's own, and the machine's: what the first says is not overruled by the second."""

_DEPTH = 16
_WORD = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|(\S+))')


class _Line(Struct, frozen=True):
    keyword: str
    words: tuple[str, ...]
    where: str


class _Block(Struct, frozen=True):
    """Lines that hold for some hosts.

    Args:
        conditions: all must hold; those of the blocks that include this one come first.
        lines: in order.
    """

    conditions: tuple[Condition, ...]
    lines: list[_Line] = field(default_factory=list)


class SshConfig(Struct):
    """What some files say, together."""

    _blocks: list[_Block]
    _account: str = ""
    _executed: dict[str, bool] = field(default_factory=dict)

    def fill(self, options: Options, host: str) -> None:
        """Add what the files say of a host to what was said of it before.

        Args:
            options: added to.
            host: as it would be given to `ssh`.
        """
        if not self._blocks:
            return
        if not self._account:
            self._account = getpass.getuser()
        subject = Subject(host, host, options, self._account, self._executed)
        self._go_through(subject)
        if any(c.final for block in self._blocks for c in block.conditions):
            self._go_through(subject.again())

    def _go_through(self, subject: Subject) -> None:
        for block in self._blocks:
            if block.lines and all(condition.holds(subject) for condition in block.conditions):
                for line in block.lines:
                    subject.options.add(line.keyword, line.words, line.where)


class SshConfigs:
    """Every file that a run reads, each once.

    Args:
        usual: read where no other file is named; one that does not exist is an empty one.
    """

    def __init__(self, usual: tuple[Path, ...] = ()) -> None:
        """Nothing is read before it is asked for."""
        self._usual = usual
        self._read: dict[str, SshConfig] = {}

    def get(self, file: str) -> SshConfig:
        """The usual files for an empty name, no file for `none`, else the one of this name.

        Raises:
            InputError: all that is wrong with it.
        """
        if file not in self._read:
            self._read[file] = self._load(file)
        return self._read[file]

    def _load(self, file: str) -> SshConfig:
        reader = _Reader()
        if not file:
            for path in self._usual:
                reader.file(path.expanduser(), (), 0, must_be_private=path.parts[0] == "~")
        elif file != "none":
            path = Path(file).expanduser()
            if not path.exists():
                raise InputError(Problem(f"there is no such ssh_config file: {file}"))
            reader.file(path, (), 0)
        if reader.problems:
            raise InputError(*reader.problems)
        return SshConfig(reader.blocks)


class _Reader:
    """Reads files, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.problems: list[Problem] = []

    def file(
        self,
        path: Path,
        conditions: tuple[Condition, ...],
        depth: int,
        *,
        must_be_private: bool = False,
    ) -> None:
        try:
            text = path.read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(Problem(f"cannot be read: {error.strerror}", str(path)))
            return
        if must_be_private and _others_may_write(path):
            # It may name commands to run; ssh refuses it, too.
            hint = f"chmod go-w {path}"
            self.problems.append(Problem("others may write this file", str(path), hint=hint))
            return
        self.blocks.append(_Block(conditions))
        for number, line in enumerate(text.splitlines(), 1):
            match = re.fullmatch(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*", line)
            if match:
                place = _Place(path, number, line, match.start(1) + 1, depth, must_be_private)
                self._line(match[1].lower(), match[2], place, conditions)
            elif line.strip() and not line.lstrip().startswith("#"):
                problem = Problem("a keyword needs a value", str(path), number, 1, line)
                self.problems.append(problem)

    def _line(self, keyword: str, rest: str, place: _Place, outer: tuple[Condition, ...]) -> None:
        words = (rest,) if keyword in REST_OF_LINE else split(rest)
        if keyword == "host":
            self.blocks.append(_Block((*outer, Patterns(words))))
        elif keyword == "match":
            try:
                condition = ssh_match.parse(words, place.where)
            except ValueError as error:
                self.problems.append(place.problem(str(error)))
                condition = Patterns(())
            self.blocks.append(_Block((*outer, condition)))
        elif keyword == "include":
            self._include(words, place)
        elif keyword in KEYWORDS:
            if why := wrong(keyword, words):
                self.problems.append(place.problem(f"{keyword} {why}"))
            else:
                self.blocks[-1].lines.append(_Line(keyword, words, place.where))

    def _include(self, words: tuple[str, ...], place: _Place) -> None:
        if place.depth >= _DEPTH:
            self.problems.append(place.problem(f"files include one another {_DEPTH} deep"))
            return
        here = self.blocks[-1].conditions
        own = Path("~/.ssh").expanduser()
        folder = Path("/etc/ssh") if place.path.is_relative_to("/etc/ssh") else own
        for word in words:
            for found in sorted(glob.glob(str(folder / Path(word).expanduser()))):  # noqa: PTH207
                self.file(Path(found), here, place.depth + 1, must_be_private=place.must_be_private)
        self.blocks.append(_Block(here))


class _Place(Struct, frozen=True):
    """A line of a file."""

    path: Path
    number: int
    source: str
    column: int
    depth: int
    must_be_private: bool

    @property
    def where(self) -> str:
        return f"{self.path}:{self.number}"

    def problem(self, message: str) -> Problem:
        return Problem(message, str(self.path), self.number, self.column, self.source)


def split(rest: str) -> tuple[str, ...]:
    """The words of a line, as ssh splits it: quotes hold one together, `#` begins a comment."""
    words = []
    for match in _WORD.finditer(rest):
        double, single, plain = match.groups()
        if plain is not None and plain.startswith("#"):
            break
        quoted = double if double is not None else single
        words.append(plain if quoted is None else re.sub(r"\\([\"'\\])", r"\1", quoted))
    return tuple(words)


def _others_may_write(path: Path) -> bool:
    if os.name != "posix":
        return False
    found = path.stat()
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid not in (0, os.getuid()) or bool(writable)
