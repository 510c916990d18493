"""`file_set`: change a line, a key or all of a file."""

from __future__ import annotations

import hashlib
import shlex
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from engine.contract import (
    Action,
    Change,
    Identity,
    Meta,
    ModuleFailed,
    Pattern,
    Struct,
    Target,
    matcher,
)
from engine.contract.edits import (
    JSON,
    YAML,
    Difference,
    decoded,
    difference,
    encoded,
    fingerprint,
    on_plain_lines,
    remove_key,
    remove_lines,
    remove_option,
    remove_variable,
    set_key,
    set_line,
    set_option,
    set_variable,
)
from engine.contract.hostfiles import LARGEST, PLACEHOLDER, HostFile, look, replace

Format = Literal["ini", "json", "yaml", "env"]
FilePath = Annotated[
    str,
    Meta(
        pattern=r"^(/|[A-Za-z]:[\\/]|\\\\)[^\0]+$", title="absolute path", examples=["/etc/app.ini"]
    ),
]
Line = Annotated[str, Meta(pattern=r"^[^\r\n]*$", title="line")]
_FORMATS: dict[str, Format] = {
    ".json": "json",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".ini": "ini",
    ".env": "env",
}


class Seen(Struct, frozen=True, kw_only=True):
    """A file, and what is to become of it.

    Args:
        path: its own, with every link on the way followed.
        exists: whether it is there.
        size: of its content in bytes.
        sha256: of its content.
        mode: in octal; empty on Windows.
        owner: numbers of its user and group; empty on Windows.
        edit: what is to change; None for nothing.
        which: tells that change from any other.
    """

    path: str
    exists: bool
    size: int
    sha256: str
    mode: str
    owner: str
    edit: Difference | None
    which: str


class Written(Struct, frozen=True, kw_only=True):
    """What was done.

    Args:
        path: of the file.
        sha256: of its content now.
        backup: the path of the old file; empty if none was kept.
    """

    path: str
    sha256: str
    backup: str


class FileSet(Action[Seen], frozen=True, kw_only=True):
    """Change a line, a key, or all of a file on the host.

    One of these says what: `line` and `regexp`; `key` with a `value`, for INI, JSON, YAML and
    files of variables; `content`; `copy_of`. All else in the file stays as it is to the byte,
    comments, order, CRLF and all, and so do its owner and mode. A link stays, and the file that it
    leads to is changed. Where a key of a YAML or JSON file cannot be set without changing more
    than that, nothing is changed.

    The new file takes the old one's place in one go, after `validate` has let it pass, and only if
    what changes is still what was shown. What is shown of it, before and after, has a mask for
    values with names such as `password`; `no_log: true` shows nothing of it. Files of up to 1 MiB.

    Args:
        path: the file.
        line: the line that is to be there: instead of the last one that `regexp` matches, else
            where `insertafter` or `insertbefore` says, else at the end.
        regexp: an RE2 pattern for the line to replace, or for all that are to go.
        insertafter: an RE2 pattern: a new line goes behind the last one that matches; or `EOF`.
        insertbefore: likewise, in front of it; or `BOF`, the beginning.
        key: the option, the variable, or the way to it, `server.port`; a list where a name has a
            dot. A number is a place in a list.
        section: of an INI file; without it, what comes before the first one.
        value: for the key; in JSON and YAML anything, elsewhere text or a number.
        format: what the file is; known for `.ini`, `.json`, `.yml`, `.yaml` and `.env`.
        content: all that is to be in it.
        copy_of: a file on the host that it is to be a copy of, such as a backup.
        state: `absent` removes the key, or every line that matches.
        create: make the file if it is not there; otherwise that is a failure.
        mode: of a file that is made.
        backup: how many old files are kept beside it, named `FILE.TIME.quell~`; 0 for none.
        validate: a command that must accept the new file before it is used; `%s` in it is that
            file. A list, or one line that is split as a shell would; no shell runs it.

    **Source:** Ansible's `ansible.builtin.lineinfile`, whose arguments these are where it has
    them; rename(2), ReplaceFileW.
    """

    path: FilePath
    line: Line | None = None
    regexp: Pattern | None = None
    insertafter: Pattern | None = None
    insertbefore: Pattern | None = None
    key: str | list[str | int] | None = None
    section: str | None = None
    value: Any | UnsetType = UNSET
    format: Format | None = None
    content: str | None = None
    copy_of: FilePath | None = None
    state: Literal["present", "absent"] = "present"
    create: bool = False
    mode: Annotated[str, Meta(pattern=r"^0?[0-7]{3,4}$", title="mode", examples=["0640"])] = "0644"
    backup: Annotated[int, Meta(ge=0, le=1000)] = 5
    validate: str | list[str] | None = None

    _WAYS: ClassVar[tuple[str, ...]] = ("line", "key", "content", "copy_of")

    def __post_init__(self) -> None:
        """Refuse arguments that do not go together.

        Raises:
            ValueError: they do not.
        """
        self._way()
        self._check_line()
        self._check_key()
        if self.validate is not None and not any(PLACEHOLDER in arg for arg in self._validate()):
            raise ValueError(f"validate: {PLACEHOLDER} must say where the new file's name goes")

    def _way(self) -> str:
        """Which of the ways to say what is to be changed was taken."""
        given = [way for way in self._WAYS if getattr(self, way) is not None]
        if self.regexp is not None and "line" not in given:
            given.append("line")
        if len(given) != 1:
            raise ValueError(
                f"give one of line, regexp, key, content and copy_of, not {given or 'none'}"
            )
        if self.state == "absent" and given[0] not in {"line", "key"}:
            raise ValueError("state: absent removes lines or a key; a file is not removed")
        return given[0]

    def _check_line(self) -> None:
        if self.regexp is not None and self.line is None and self.state == "present":
            raise ValueError("regexp: say with line what the line is to be")
        if self.insertafter is not None and self.insertbefore is not None:
            raise ValueError("give insertafter or insertbefore, not both")
        for name in ("regexp", "insertafter", "insertbefore"):
            pattern = getattr(self, name)
            if pattern is not None and self._way() != "line":
                raise ValueError(f"{name} goes with line")
            if pattern is not None:
                matcher(pattern)

    def _check_key(self) -> None:
        if self.key is None:
            if self.value is not UNSET or self.section is not None:
                raise ValueError("value and section go with key")
            return
        if not all(str(step) for step in self._steps()):
            raise ValueError("key: it has an empty name")
        if (self.value is UNSET) == (self.state == "present"):
            raise ValueError("key: give it a value, or state: absent")
        format_ = self._format()
        if self.section is not None and format_ != "ini":
            raise ValueError(f"section: {format_} files have none")
        if format_ in {"ini", "env"}:
            self._plain_key()
            self._plain_value()

    def observe(self, target: Target) -> Seen:
        """Read the file, and see what is to change in it."""
        file = look(target, self.path)
        new = self._edited(target, file)
        if len(new) > LARGEST:
            raise ModuleFailed(f"{file.path}: it would be larger than {LARGEST} bytes")
        edit = None if file.exists and new == file.data else difference(file.data, new)
        return Seen(
            path=file.path,
            exists=file.exists,
            size=len(file.data),
            sha256=file.sha256,
            mode=file.mode,
            owner=file.owner,
            edit=edit,
            which=self._which(file, new),
        )

    def decide(self, seen: Seen) -> Change | None:
        """Write it, if anything is to change."""
        if seen.edit is None:
            return None
        own = Identity("file", seen.path, {"edit": seen.which})
        # Who protects the link's name means what it leads to as well.
        link = (Identity("file", self.path),) if self.path != seen.path else ()
        what = seen.edit.summary if seen.exists else f"make it, mode {self.mode}"
        return Change(
            summary=f"{seen.path}: {what}",
            on=(own, *link),
            before=seen.edit.before if seen.exists else "",
            after=seen.edit.after,
            reversible=seen.exists and self.backup > 0,
        )

    def apply(self, target: Target, change: Change) -> Written:
        """Replace that very file."""
        file = look(target, self.path)
        new = self._edited(target, file)
        if Identity("file", file.path, {"edit": self._which(file, new)}) != change.on[0]:
            raise ModuleFailed(
                f"{file.path}: what would change is no longer what was shown; nothing was done"
            )
        backup = replace(
            target, file, new, mode=self.mode, backups=self.backup, validate=self._validate()
        )
        written = msgspec.structs.replace(file, data=new, exists=True)
        return Written(path=file.path, sha256=written.sha256, backup=backup)

    def _which(self, file: HostFile, new: bytes) -> str:
        """Tells this change from any other.

        An edit is the same whatever else is in the file, so that a playbook may have several of
        one file: they are shown before the first of them is made.
        """
        if file.exists and self.content is None and self.copy_of is None:
            return fingerprint(file.data, new)
        return f"{file.sha256} {hashlib.sha256(new).hexdigest()}"

    def _edited(self, target: Target, file: HostFile) -> bytes:
        if not file.exists and not self.create:
            raise ModuleFailed(f"{file.path}: there is no such file; create: true makes it")
        if self.content is not None:
            return self.content.encode()
        if self.copy_of is not None:
            source = look(target, self.copy_of)
            if not source.exists:
                raise ModuleFailed(f"{source.path}: there is no such file to copy")
            return source.data
        try:
            return encoded(on_plain_lines(decoded(file.data), self._edit))
        except ModuleFailed as error:
            raise ModuleFailed(f"{file.path}: {error.message}") from None

    def _edit(self, text: str) -> str:
        if self.key is not None:
            return self._edit_key(text)
        if self.state == "absent":
            return remove_lines(text, self.line, self.regexp)
        assert self.line is not None
        after, before = self.insertafter or "EOF", self.insertbefore or ""
        return set_line(text, self.line, self.regexp, after=after, before=before)

    def _edit_key(self, text: str) -> str:
        format_ = self._format()
        present = self.state == "present"
        if format_ == "ini":
            key, value = self._plain_key(), self._plain_value()
            if present:
                return set_option(text, self.section, key, value)
            return remove_option(text, self.section, key)
        if format_ == "env":
            key, value = self._plain_key(), self._plain_value()
            return set_variable(text, key, value) if present else remove_variable(text, key)
        syntax = JSON if format_ == "json" else YAML
        steps = self._steps()
        return (
            set_key(text, steps, self.value, syntax) if present else remove_key(text, steps, syntax)
        )

    def _format(self) -> Format:
        if self.format is not None:
            return self.format
        for suffix, format_ in _FORMATS.items():
            if self.path.lower().endswith(suffix):
                return format_
        raise ValueError(f"key: say with format what {self.path} is: ini, json, yaml or env")

    def _steps(self) -> list[str | int]:
        return list(self.key.split(".")) if isinstance(self.key, str) else list(self.key or ())

    def _plain_key(self) -> str:
        if not isinstance(self.key, str) or "\n" in self.key:
            raise ValueError("key: INI files and files of variables have plain names")
        return self.key

    def _plain_value(self) -> str:
        """The value as a line's text."""
        value = "" if self.value is UNSET or self.value is None else self.value
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float) or "\n" in str(value):
            raise ValueError("value: INI files and files of variables have lines of text")
        return str(value)

    def _validate(self) -> tuple[str, ...]:
        if isinstance(self.validate, str):
            return tuple(shlex.split(self.validate))
        return tuple(self.validate or ())


EXAMPLE = """
name: Allow more connections
file_set:
  path: /etc/app/app.ini
  section: database
  key: pool_size
  value: 40
  validate: [app, --check-config, "%s"]
"""
