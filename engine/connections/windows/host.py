"""Commands on a Windows host: each over a channel of its own, through the account's shell."""

from __future__ import annotations

import codecs
import contextlib
import re
import secrets
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.connections.channels import request_exec
from engine.connections.command import WORK, RemoteCommand, end_each, errand_line
from engine.connections.entrance import SessionRefused, exit_status, time_left
from engine.connections.windows import orders
from engine.connections.windows.files import Files
from engine.errors import DeadlineExceeded, DialRefused, HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from engine.connections.base import Argv, Finished, Output, Script, ShellType
    from engine.connections.entrance import Entrance
    from engine.connections.output import Outputs
    from engine.connections.sessions import Sessions

Result = TypeVar("Result")

_AT_ONCE = 7
"""Commands: sshd's MaxSessions is 10 by default, and files, a pipe and what ends an overdue command
need a session too."""

_PAUSE = 0.1
"""Seconds between tries to open a session."""

_CHUNK = 4096
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
_ANSWER = re.compile(rb"HTTP/1\.[01] (\d+[^\r]*)(?s:.*?)\r\n\r\n(?s:(.*))\Z")


class WindowsHost:
    """Runs commands on one host, and leads to its pipes.

    A command whose time is over is ended with all that it started, by another channel: the line
    that it was sent as holds a name that nothing else has, and Windows knows every process's line.

    Args:
        sessions: of the host.
        login: the account's own shell.
        language: what scripts are written in.
    """

    def __init__(self, sessions: Sessions, login: ShellType, language: ShellType) -> None:
        """Nothing runs yet."""
        self._sessions = sessions
        self._login = login
        self._language = language
        self.files = Files(sessions)
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._running: set[RemoteCommand] = set()
        self._encoding: str | None = None

    def run(
        self, command: Argv | Script, stdin: bytes, timeout: float, outputs: Outputs
    ) -> Finished:
        """Run a command to its end. It is sent once.

        Raises:
            As `Connection.run`.
        """
        name = f"quell-{secrets.token_hex(8)}"
        order = orders.order(command, name, self._login, self._language)
        deadline = time.monotonic() + timeout
        if not self._free.acquire(timeout=timeout):
            raise DeadlineExceeded(
                f"{self._sessions.where}: {_AT_ONCE} commands were under way the whole time; "
                f"nothing was run"
            )
        left = tuple(order.files)
        try:
            for file, data in order.files.items():
                _patiently(deadline, partial(self.files.place, file, data))
            finished = self._run(name, order.line, stdin, deadline, outputs)
            left = order.left
        finally:
            self._free.release()
            if left:
                with contextlib.suppress(HostError):
                    self.files.remove(*left, timeout=WORK)
        return self._readable(finished)

    def _run(
        self, name: str, line: str, stdin: bytes, deadline: float, outputs: Outputs
    ) -> Finished:
        remote = RemoteCommand(
            self._sessions, outputs, marker=name, end_all=partial(self._end, name)
        )
        with self._lock:
            self._running.add(remote)
        try:
            return _patiently(deadline, partial(remote.run_line, line, stdin))
        finally:
            with self._lock:
                self._running.discard(remote)

    def _end(self, name: str, sessions: Entrance) -> bool:
        """End all that has a name in its line; whether it is known to be gone."""
        return errand_line(sessions, orders.end(name, self._login)).status == 0

    def end(self) -> None:
        """End all commands from another thread, and wait until that is done."""
        with self._lock:
            running = list(self._running)
        end_each(running)

    # ── output ────────────────────────────────────────────────────────────────────────────────

    def _readable(self, finished: Finished) -> Finished:
        """With the host's code page where a stream is no UTF-8."""
        return replace(
            finished,
            stdout=self._decoded(finished.stdout),
            stderr=self._decoded(finished.stderr),
        )

    def _decoded(self, output: Output) -> Output:
        if output.is_utf8:
            return output
        if self._encoding is None:
            self._encoding = self._code_page()
        return replace(output, encoding=self._encoding)

    def _code_page(self) -> str:
        # In every language the number is the last word: `Active code page: 850`.
        with contextlib.suppress(HostError, LookupError):
            said = errand_line(self._sessions, "chcp.com").stdout.head
            number = re.search(rb"(\d+)\D*\Z", said)
            if number:
                return codecs.lookup(f"cp{number[1].decode()}").name
        return "utf-8"

    # ── pipes ─────────────────────────────────────────────────────────────────────────────────

    def pipe(self, name: str, timeout: float) -> paramiko.Channel:
        """A stream to a Docker engine's named pipe, through the host's own Docker client.

        Raises:
            DialRefused: why there is none.
            DeadlineExceeded: no answer in time.
        """
        shown = rf"\\.\pipe\{name}"
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise DialRefused(f"{shown}: not a pipe's name")
        channel = self._sessions.open(timeout)
        channel.settimeout(timeout)
        try:
            request_exec(channel, orders.dial_docker(name))
            self._ping(channel, shown)
        except TimeoutError as error:
            channel.close()
            raise DeadlineExceeded(f"{shown}: no answer within {timeout:g} s") from error
        except BaseException:
            channel.close()
            raise
        channel.settimeout(None)
        return channel

    def _ping(self, channel: paramiko.Channel, shown: str) -> None:
        """Ask the engine whether it is there: nothing else tells whether the client reached it."""
        with contextlib.suppress(OSError):
            channel.sendall(_PING)
        answer = b""
        while not ((found := _ANSWER.search(answer)) and found[2] == b"OK"):
            if found and not found[1].startswith(b"200"):
                raise DialRefused(f"{shown}: the engine answers {found[1].decode()}")
            more = channel.recv(_CHUNK)
            if not more:
                raise DialRefused(f"{shown}: {self._last_words(channel)}")
            answer += more

    def _last_words(self, channel: paramiko.Channel) -> str:
        said = b""
        while more := channel.recv_stderr(_CHUNK):
            said += more
        lines = said.decode("utf-8", "replace").strip().splitlines()
        status = exit_status(channel)
        return lines[-1] if lines else f"`docker system dial-stdio` ended with status {status}"


def _patiently(deadline: float, do: Callable[..., Result]) -> Result:
    """Do what needs a session; where the server opens none, wait for one of ours to end.

    What was refused a session has not been begun. The server counts one for a while after its end.

    Args:
        deadline: in monotonic time.
        do: given `timeout`.
    """
    while True:
        left = time_left(deadline)
        try:
            return do(timeout=left)
        except SessionRefused:
            if left <= _PAUSE:
                raise
            time.sleep(_PAUSE)
