"""All that a module's author imports.

A module is one frozen class in one file. Its fields are its arguments: from them come the JSON
Schema that playbooks are checked with, the conversion, the reference page and the editor's
completion. Its docstring is the reference's text; the file ends with `EXAMPLE`, one task.

- A `Probe` only reads: it has `observe`.
- An `Action` changes a host or a service: `observe`, `decide`, `apply`. **The engine owns the
  sequence**: observe → decide → (check mode stops here) → the intent is durable in the journal →
  apply → confirm. A change that did not take is a failure.
- A `Record` changes something outside the hosts that is safe to repeat: `decide`, `apply`.

A host's failure is raised as `ModuleFailed`; a target that must never be hit as `GuardRefused`.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from engine.commands import Presence, Ran, presence
from engine.connections.base import (
    Address,
    Argv,
    Finished,
    Output,
    Pipe,
    Platform,
    Script,
    Tcp,
    Unix,
)
from engine.errors import DeadlineExceeded, DialRefused, GuardRefused, LinkLost, ModuleFailed
from engine.postgres_errors import postgres_errors

if TYPE_CHECKING:
    import docker
    import httpx
    import psycopg

    from engine.connections.base import Connection

__all__ = [
    "Action",
    "Address",
    "Argv",
    "Bytes",
    "Change",
    "Condition",
    "Deadline",
    "DeadlineExceeded",
    "DialRefused",
    "Duration",
    "Finished",
    "GuardRefused",
    "Identity",
    "LinkLost",
    "Meta",
    "Module",
    "ModuleFailed",
    "Output",
    "Pattern",
    "Pipe",
    "Platform",
    "Port",
    "Presence",
    "Probe",
    "Ran",
    "Record",
    "Script",
    "Struct",
    "Target",
    "Tcp",
    "Unix",
    "contains",
    "docker_client",
    "http_client",
    "postgres_errors",
    "postgres_session",
    "presence",
    "seconds",
    "size",
    "to_plain",
]

# ── argument types ────────────────────────────────────────────────────────────────────────────

Port = Annotated[int, Meta(ge=1, le=65535, title="port number", examples=[8080])]
"""A TCP port."""

Duration = Annotated[
    Annotated[str, Meta(pattern=r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$")]
    | Annotated[float, Meta(ge=0)],
    Meta(title="duration", examples=["10s", "5m", "1h30m"]),
]
"""A length of time: `500ms`, `10s`, `5m`, `1h30m`, `2d`; a bare number is seconds."""

Bytes = Annotated[
    Annotated[str, Meta(pattern=r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]i?)?[bB]?\s*$")]
    | Annotated[int, Meta(ge=0)],
    Meta(title="size", examples=["512m", "2g"]),
]
"""An amount of memory or disk: `512m`, `2g`, as Docker reads them (powers of 1024)."""

Pattern = Annotated[str, Meta(title="RE2 pattern", extra_json_schema={"format": "re2"})]
"""A regular expression in RE2's syntax, which no text can make slow."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def seconds(duration: str | float) -> float:
    """A `Duration` in seconds: `"1h30m"` → 5400.0.

    Raises:
        ValueError: the text is not a duration.
    """
    if not isinstance(duration, str):
        return float(duration)
    if not re.fullmatch(r"\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+", duration):
        raise ValueError(f"not a duration: {duration!r}")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|[smhd])", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size(amount: str | float) -> int:
    """A `Bytes` amount in bytes: `"2g"` → 2147483648.

    Raises:
        ValueError: the text is not an amount.
    """
    if not isinstance(amount, str):
        return int(amount)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", amount.lower())
    if match is None:
        raise ValueError(f"not a size: {amount!r}")
    return int(float(match[1]) * _SIZES[match[2]])


def contains(text: str, pattern: str) -> bool:
    """Whether the text has a match of a `Pattern` in it.

    Raises:
        ValueError: it is not an RE2 pattern.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search(text) is not None
    except re2.error as error:
        raise ValueError(f"not an RE2 pattern: {pattern!r}: {error}") from None


class Condition:
    """An argument that is a bare expression: the engine evaluates it, the module sees both.

    Args:
        text: the expression as the playbook has it.
        holds: what it came to.
    """

    __slots__ = ("holds", "text")

    def __init__(self, text: str, *, holds: bool) -> None:
        """Keep the expression and its value."""
        self.text = text
        self.holds = holds


# ── what a module works on ────────────────────────────────────────────────────────────────────


class Deadline:
    """A point in time by which a task must have ended; monotonic, so no clock jump moves it."""

    __slots__ = ("_at", "seconds")

    def __init__(self, seconds: float) -> None:
        """Start the time now."""
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, always above zero.

        Raises:
            DeadlineExceeded: none is left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"not done within {self.seconds:g} s")
        return left


class Target:
    """The host that a module works on. It gives these and nothing else; there are no globals.

    Args:
        host: its name in the inventory.
        deadline: by when the task must have ended.
    """

    def __init__(self, host: str, connection: Connection, deadline: Deadline) -> None:
        """Wrap a host's connection, which is opened when it is first used."""
        self.host = host
        self.connection = connection
        self.deadline = deadline

    @property
    def platform(self) -> Platform:
        """What the host is."""
        return self.connection.platform

    def run(self, command: Argv | Script, *, stdin: bytes = b"") -> Finished:
        """Run a command on the host within the task's deadline; see `Connection.run`."""
        return self.connection.run(command, stdin=stdin, timeout=self.deadline.remaining())


class Identity(Struct, frozen=True):
    """What a change acts on, named so that it cannot be recycled under our hands.

    Args:
        kind: `process`, `backend`, `container`, `command`…
        name: for people, and for the guards' lists: `python3`, `backend`, `appuser`.
        key: pid and start time; backend pid and backend_start; container id and StartedAt.
    """

    kind: str
    name: str
    key: dict[str, str | int] = {}


class Change(Struct, frozen=True, kw_only=True):
    """What an action is about to do: shown, approved, journalled, then applied as it stands.

    Args:
        summary: one line for people: `python3 (pid 4711) on port 8080 → ended`.
        on: what it acts on; `apply` uses these identities, never a fresh look-up.
        before: the state before, for `--diff` and the report; plain JSON values.
        after: the state that it will bring about.
        reversible: whether it can be undone.
    """

    summary: str
    on: tuple[Identity, ...]
    before: Any = None
    after: Any = None
    reversible: bool = False

    def narrowed(self, approved: Change) -> Change | None:
        """What is left of an approved change, now that this one is what there is to do.

        Nothing is hit that was not shown: what has come since then is left out.

        Returns:
            This change where all of it was approved, else the approved one for those of its
            identities that are still there; None where there are none.
        """
        still = tuple(identity for identity in self.on if identity in approved.on)
        if len(still) == len(self.on):
            return self
        return msgspec.structs.replace(approved, on=still) if still else None


# ── modules ───────────────────────────────────────────────────────────────────────────────────

Seen = TypeVar("Seen")


class Module(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every module; write a `Probe`, an `Action` or a `Record`."""

    primary: ClassVar[str] = ""
    """The argument that a bare string or list stands for: `shell: uptime`."""

    free_form: ClassVar[str] = ""
    """The argument that takes the task's whole mapping, for modules with keys of the user's own."""

    defines_vars: ClassVar[bool] = False
    """Whether the result's `vars` become variables of the host."""


class Probe(Module, Generic[Seen], frozen=True, kw_only=True):
    """A module that only reads."""

    def observe(self, target: Target) -> Seen:
        """Look at the host; change nothing.

        Returns:
            What was seen: a struct or a dict of plain values, which becomes the task's result.

        Raises:
            ModuleFailed: it could not be seen.
        """
        raise NotImplementedError

    def finding(self, seen: Seen) -> str | None:
        """What is wrong with what was seen, for tasks without an `expect`; None if nothing is."""
        return None

    def summary(self, seen: Seen) -> str:
        """What was seen, in a few words, for the console."""
        return ""


class Action(Module, Generic[Seen], frozen=True, kw_only=True):
    """A module that changes a host or a service.

    One with a boolean argument `probe` is a probe where the playbook says `probe: true`: then
    only `observe` is called, with `finding` and `summary` as for a `Probe`.
    """

    observable: ClassVar[bool] = True
    """Whether a later `observe` can tell that the change took; not so for a free command."""

    def observe(self, target: Target) -> Seen:
        """Look at what would be changed; change nothing."""
        raise NotImplementedError

    def decide(self, seen: Seen) -> Change | None:
        """What is to be done, from what was seen and the arguments alone: no I/O.

        Returns:
            The change, or None where there is nothing to do.

        Raises:
            GuardRefused: what was seen must never be changed.
        """
        raise NotImplementedError

    def apply(self, target: Target, change: Change) -> object:
        """Do it: the only method that changes anything. Acts on `change.on`, never a new look-up.

        Returns:
            What was done, a struct or a dict that joins the task's result; or None.

        Raises:
            ModuleFailed: it was refused, or the target is no longer the one that was shown.
        """
        raise NotImplementedError

    def confirm(self, target: Target, change: Change) -> str | None:
        """Look again: None when the change took, else what is still wrong."""
        again = self.decide(self.observe(target))
        return None if again is None else f"still to be done: {again.summary}"

    def finding(self, seen: Seen) -> str | None:
        """As in `Probe`, where the action runs as one."""
        return None

    def summary(self, seen: Seen) -> str:
        """As in `Probe`, where the action runs as one."""
        return ""


class Record(Module, frozen=True, kw_only=True):
    """A module that changes something outside the hosts that is safe to repeat."""

    def decide(self) -> Change | None:
        """What is to be done, from the arguments alone."""
        raise NotImplementedError

    def apply(self, target: Target, change: Change) -> object:
        """Do it."""
        raise NotImplementedError


# ── clients that speak through the host's link ────────────────────────────────────────────────


def http_client(
    target: Target,
    *,
    verify: bool = True,
    ca: str | None = None,
    follow_redirects: bool = False,
) -> httpx.Client:
    """An httpx client whose every connection is dialled from the host.

    Args:
        target: the host.
        verify: check TLS certificates and names.
        ca: a PEM file on the controller with the authorities to trust; None for the usual ones.
        follow_redirects: whether to.
    """
    from engine.connections.http import open_client

    return open_client(
        target.connection,
        timeout=target.deadline.remaining(),
        verify=verify,
        ca=ca,
        follow_redirects=follow_redirects,
    )


def docker_client(target: Target, *, socket: str = "/var/run/docker.sock") -> docker.DockerClient:
    """A Docker SDK client on the host's own engine; close it, or use it as a context.

    Raises:
        DialRefused: there is no engine at that socket, or no right to it.
    """
    from engine.connections.docker import open_client

    return open_client(target.connection, socket, timeout=target.deadline.remaining())


def postgres_session(
    target: Target,
    *,
    database: str,
    user: str | None = None,
    password: str | None = None,
    host: str = "/var/run/postgresql",
    port: int = 5432,
) -> psycopg.Connection[dict[str, Any]]:
    """A psycopg connection to a server as the host sees it; rows come as dicts; autocommit.

    Args:
        target: the host.
        database: its name.
        user: the role; None for the account that we are on the host.
        password: for it; None where the server asks for none.
        host: a directory with the server's unix socket, or a host name.
        port: the server's.

    Raises:
        DialRefused: no server there.
        ModuleFailed: the server refused us, in its own words.
    """
    from engine.connections.postgres import open_session

    return open_session(
        target.connection,
        database=database,
        user=user or target.platform.user,
        password=password,
        host=host,
        port=port,
        timeout=target.deadline.remaining(),
    )


def to_plain(value: object) -> Any:
    """A result as plain JSON values, whatever the module returned."""
    return msgspec.to_builtins(value)
