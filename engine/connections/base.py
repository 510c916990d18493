"""The connection seam: all that the rest of quell knows about a host's link.

`dial` is the point of it: HTTP, Docker and PostgreSQL clients run on the controller and speak
through the link, so they see the network as the host does and nothing is installed there.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import msgspec
from msgspec import Struct

from engine.discreet import Discreet

if TYPE_CHECKING:
    import socket
    from contextlib import AbstractContextManager

OsFamily = Literal["linux", "macos", "windows", "posix"]
ShellType = Literal["sh", "cmd", "powershell"]
BecomeMethod = Literal["sudo", "su", "doas"]

OUTPUT_HEAD = 256 * 1024
OUTPUT_TAIL = 256 * 1024
"""Bytes kept of a command's stdout, and of its stderr: from the start, and from the end."""


class Platform(Struct, frozen=True):
    """What a host is, found in one round trip.

    Args:
        family: `posix` for a Unix that is neither Linux nor macOS.
        shell: what a command line is written for.
        machine: as `uname -m` or `%PROCESSOR_ARCHITECTURE%` says.
        user: the account that commands run as.
        uid: its number; None on Windows.
    """

    family: OsFamily
    shell: ShellType
    machine: str
    user: str
    uid: int | None


class Argv(Struct, frozen=True):
    """A program and its arguments; no shell reads them. Quoting happens in `shells`, once.

    Args:
        args: the program first.
        env: variables set for this command alone; on Windows an empty one is none.
        cwd: the directory it runs in; None for the account's home.
    """

    args: tuple[str, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None


class Script(Struct, frozen=True):
    """Text for the host's own shell; its values arrive beside the text and are never part of it.

    In `sh` they are `$1`, `$2`…, in cmd `!1!`, `!2!`…, in PowerShell `$args[0]`, `$args[1]`….

    Args:
        text: what the host's `Platform.shell` reads: `sh` on POSIX hosts, a batch file for cmd
            or PowerShell on Windows ones.
        args: the values.
        env: variables set for this script alone.
        cwd: the directory it runs in; None for the account's home.
        executable: what reads it instead: a program that takes `-c` on POSIX hosts; `cmd`,
            `powershell` or `pwsh` on Windows ones.
    """

    text: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    executable: str | None = None


class Become(Discreet, frozen=True):
    """As whom a command runs.

    Args:
        user: the account, root unless said.
        method: how to get there.
        password: for the method's prompt; never in argv, a log or the journal.
    """

    hides: ClassVar[tuple[str, ...]] = ("password",)

    user: str = "root"
    method: BecomeMethod = "sudo"
    password: str | None = None


class Output(Struct, frozen=True):
    """What a command wrote on one stream, bounded: the head and the tail are kept.

    Args:
        head: the first bytes, all of them if they were few.
        tail: the last bytes of a longer output; empty otherwise.
        size: how many bytes there were in all.
        encoding: of the text, where it is not UTF-8: a Windows program's code page.
    """

    head: bytes = b""
    tail: bytes = b""
    size: int = 0
    encoding: str = "utf-8"

    @property
    def omitted(self) -> int:
        """How many bytes between head and tail were counted and dropped."""
        return self.size - len(self.head) - len(self.tail)

    @property
    def text(self) -> str:
        """As text, undecodable bytes replaced; a gap is named where bytes were dropped."""
        head = self.head.decode(self.encoding, "replace")
        if not self.tail:
            return head
        gap = f"\n… {self.omitted} bytes left out …\n" if self.omitted else ""
        return head + gap + self.tail.decode(self.encoding, "replace")

    @property
    def is_utf8(self) -> bool:
        """Whether it is UTF-8, as far as can be seen where a piece was cut off."""
        whole = self.head if self.omitted else self.head + self.tail
        try:
            codecs.getincrementaldecoder("utf-8")().decode(whole)
        except UnicodeDecodeError:
            return False
        return True


class Finished(Struct, frozen=True):
    """A command that ended.

    Args:
        status: its exit status; negative: the number of the signal that ended it.
        stdout: bounded.
        stderr: bounded.
        seconds: from sending it to its end.
    """

    status: int
    stdout: Output
    stderr: Output
    seconds: float


class Tcp(Struct, frozen=True):
    """A TCP address as the host sees it: names are resolved there."""

    host: str
    port: int


class Unix(Struct, frozen=True):
    """A unix socket's path on the host."""

    path: str


class Pipe(Struct, frozen=True):
    """A Windows named pipe on the host, such as `docker_engine`."""

    name: str


Address = Tcp | Unix | Pipe


def shown(address: Address) -> str:
    """An address as a person writes it: `localhost:8080`, `/var/run/docker.sock`."""
    match address:
        case Tcp(host, port):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case Unix(path):
            return path
        case Pipe(name):
            return name


Listener = Callable[[Literal["stdout", "stderr"], bytes], None]
"""Is told of output as it comes, in whole chunks, from another thread."""


class Connection(Protocol):
    """One host's link, used by several threads at once, for the whole run."""

    @property
    def platform(self) -> Platform:
        """What the host is; found once."""
        ...

    @property
    def alive(self) -> bool:
        """False once an open link is known to have died: then no stream's end can be believed."""
        ...

    def run(
        self,
        command: Argv | Script,
        *,
        stdin: bytes = b"",
        timeout: float,
        keep: int | None = None,
        become: Become | None = None,
        listener: Listener | None = None,
    ) -> Finished:
        """Run a command to its end. It is sent once, whatever happens.

        Args:
            command: what to run.
            stdin: given to it, then closed.
            timeout: seconds; then its process group gets TERM, and KILL after a grace.
            keep: bytes of its stdout to keep from the start; None for the usual head and tail.
            become: as another account.
            listener: hears output as it comes.

        Raises:
            Unreachable: there is no link; nothing was sent.
            LinkLost: the link died; it may have run.
            BecomeRefused: the host does not let us act as the account; nothing was run.
            DeadlineExceeded: the time was over; `Overdue` if the command had begun.
        """
        ...

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """A real, connected socket to an address as seen from the host.

        Args:
            address: where to.
            timeout: seconds for the connect; the socket is left in blocking mode.
            become: as another account; a TCP address is the same for all of them.

        Raises:
            Unreachable: there is no link.
            DialRefused: the address refused or does not exist, in the host's own words.
            BecomeRefused: the host does not let us act as the account.
            DeadlineExceeded: the time was over.
        """
        ...

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """A unix socket on the controller that leads to `address`, while the context lasts.

        For clients that want a path and not a socket (libpq, the Docker SDK). It dials once
        eagerly, so that the caller hears the true reason, and hands that socket to the first
        accept. The path ends in `/.s.PGSQL.5432`, libpq's name for a socket; others don't mind.

        Args:
            address: where to.
            timeout: seconds for the connect, and for all that goes through it: then its streams
                end, whatever their clients wait for.
            become: as another account; a TCP address is the same for all of them.

        Raises:
            As `dial`.
        """
        ...

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """Write a file on the host: whole or not at all (a temporary name, then a rename).

        On Windows there is no mode to set.

        Raises:
            Unreachable, LinkLost, BecomeRefused, DeadlineExceeded: as `run`.
            HostError: the host's own word, such as no space or no permission.
        """
        ...

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """The first `limit` bytes of a file on the host.

        Raises:
            Unreachable, LinkLost, BecomeRefused, DeadlineExceeded: as `run`.
            HostError: no such file, no permission.
        """
        ...

    def interrupt(self) -> None:
        """End every command and stream that is under way, from another thread.

        Commands get TERM, and KILL after a grace; those who wait for them hear of it. What is
        begun afterwards works as before. Never raises.
        """
        ...

    def close(self) -> None:
        """End the link and every command and stream on it. Never raises; safe to call twice."""
        ...
