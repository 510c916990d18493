"""The controller itself as a host: the same promises without a link."""

from __future__ import annotations

import contextlib
import os
import platform as machine
import secrets
import signal
import socket
import subprocess
import threading
import time
import weakref
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.connections import bridge, shells
from engine.connections.base import (
    Address,
    Argv,
    Become,
    Finished,
    Listener,
    Pipe,
    Platform,
    Script,
    Tcp,
    Unix,
    shown,
)
from engine.connections.become import Ladders
from engine.connections.forward import Forward
from engine.connections.local_sessions import LocalSessions
from engine.connections.output import LINGER, Keeper, Outputs
from engine.connections.pumps import join
from engine.connections.runner import Runner
from engine.errors import DeadlineExceeded, DialRefused, HostError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.connections.entrance import Entrance

GRACE = 1.0
"""Seconds between TERM and KILL."""

_CHUNK = 64 * 1024


class LocalConnection:
    """Runs commands on the controller and dials from it."""

    alive = True

    def __init__(self, ladders: Ladders | None = None) -> None:
        """Nothing runs yet."""
        self._sessions = LocalSessions()
        self._runner = Runner(self._sessions, ladders or Ladders())
        self._running: weakref.WeakSet[_Running] = weakref.WeakSet()
        self._dialled: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @cached_property
    def platform(self) -> Platform:
        """What the controller is."""
        system = machine.system()
        families = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
        windows = system == "Windows"
        return Platform(
            family=families.get(system, "posix"),  # type: ignore[arg-type]
            shell="cmd" if windows else "sh",
            machine=machine.machine(),
            user=_user_name(),
            uid=None if windows else os.geteuid(),
        )

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
        """As in `Connection`; a program that cannot be started ends with 126 or 127, as in sh."""
        outputs = Outputs(keep=keep, listener=listener)
        other = self._other(become)
        if other is not None:
            return self._runner.run(command, stdin, timeout, outputs, other)
        started = time.monotonic()
        argv, data = _prepare(command, stdin)
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=Path.home() / (command.cwd or ""),
                env={**os.environ, **command.env},
                start_new_session=True,
            )
        except OSError as error:
            status = 127 if isinstance(error, FileNotFoundError) else 126
            said = f"{error.filename}: {error.strerror}\n".encode()
            stderr = Keeper()
            stderr.feed(said)
            return Finished(status, Keeper().output(), stderr.output(), 0.0)
        running = _Running(process, data, outputs)
        self._running.add(running)  # before its first output is heard: it can be interrupted now
        return running.finish(started, timeout)

    def dial(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> socket.socket:
        """As in `Connection`."""
        other = self._other(become)
        if isinstance(address, Unix) and other is not None:
            channel = bridge.stream(other, address.path, timeout)
            dialled, theirs = socket.socketpair()
            join(theirs, channel)
        else:
            dialled = _dialled(address, timeout)
        self._dialled.add(dialled)
        return dialled

    def _other(self, become: Become | None) -> Entrance | None:
        """Where the sessions of an account come from, if it is another than ours."""
        if become is None:
            return None
        entrance = self._runner.entrance(become, self.platform)
        return None if entrance is self._sessions else entrance

    def forward(
        self, address: Address, *, timeout: float, become: Become | None = None
    ) -> AbstractContextManager[str]:
        """As in `Connection`."""
        return Forward(lambda: self.dial(address, timeout=timeout, become=become))

    def put(
        self, data: bytes, path: str, mode: int, *, timeout: float, become: Become | None = None
    ) -> None:
        """As in `Connection`; `timeout` has no say over a file of our own account."""
        other = self._other(become)
        if other is not None:
            self._runner.put(data, path, mode, timeout, other)
            return
        temporary = Path(f"{path}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                temporary.chmod(mode)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise HostError(f"put {path}: {error.strerror}") from error

    def get(self, path: str, limit: int, *, timeout: float, become: Become | None = None) -> bytes:
        """As in `Connection`; `timeout` has no say over a file of our own account."""
        other = self._other(become)
        if other is not None:
            return self._runner.get(path, limit, timeout, other)
        try:
            with Path(path).open("rb") as file:
                return file.read(limit)
        except OSError as error:
            raise HostError(f"get {path}: {error.strerror}") from error

    def interrupt(self) -> None:
        """As in `Connection`."""
        for stream in list(self._dialled):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        ending = [_start(running.end) for running in list(self._running)]
        self._runner.end()
        self._sessions.close()
        for thread in ending:
            thread.join()

    def close(self) -> None:
        """As in `Connection`."""
        self.interrupt()


def _user_name() -> str:
    import getpass

    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()


def _prepare(command: Argv | Script, stdin: bytes) -> tuple[list[str], bytes]:
    text = shells.program(command)  # an Argv too: what no shell can be told is refused everywhere
    if isinstance(command, Argv):
        return list(command.args), stdin
    return ["/bin/sh", "-c", shells.READER, "sh"], shells.on_stdin(text, stdin)


def _dialled(address: Address, timeout: float) -> socket.socket:
    try:
        dialled = _dial(address, timeout)
    except TimeoutError as error:
        raise DeadlineExceeded(f"no answer from {shown(address)} in {timeout:g} s") from error
    except OSError as error:
        raise DialRefused(f"{shown(address)}: {error.strerror or error}") from error
    except UnicodeError as error:  # from IDNA: a label that is too long or empty
        raise DialRefused(f"{shown(address)}: no such name: {error}") from error
    dialled.settimeout(None)
    return dialled


def _dial(address: Address, timeout: float) -> socket.socket:
    match address:
        case Tcp(host, port):
            return socket.create_connection((host, port), timeout=timeout)
        case Unix(path):
            dialled = socket.socket(socket.AF_UNIX)
            dialled.settimeout(timeout)
            try:
                dialled.connect(path)
            except BaseException:
                dialled.close()
                raise
            return dialled
        case Pipe(name):
            raise OSError(f"named pipe {name}: not supported yet")


class _Running:
    """A started process: its streams are pumped by threads, so that none can block another."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, outputs: Outputs) -> None:
        self._process = process
        self._stdin = stdin
        self._ended = threading.Event()
        self.stdout = outputs.stdout
        self.stderr = outputs.stderr

    def _pump(self) -> list[threading.Thread]:
        """Start all that flows; returns the threads that read."""
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdin is not None
        readers = [
            _start(_drain, process.stdout, self.stdout),
            _start(_drain, process.stderr, self.stderr),
        ]
        if self._stdin:
            _start(_feed, process.stdin, self._stdin)
        else:
            process.stdin.close()
        _start(self._wait)
        return readers

    def _wait(self) -> None:
        self._process.wait()
        self._ended.set()

    def finish(self, started: float, timeout: float) -> Finished:
        """Wait for the end, or bring it about at the deadline."""
        deadline = started + timeout
        readers = self._pump()
        if not self._ended.wait(max(0.0, deadline - time.monotonic())):
            self._kill()
            found = {"stdout": self.stdout.output().text, "stderr": self.stderr.output().text}
            raise DeadlineExceeded(f"not done within {round(timeout, 2):g} s; it was ended", found)
        # A child that it left behind may hold the output open, and then still write to it unread.
        linger = min(deadline, time.monotonic() + LINGER)
        for reader in readers:
            reader.join(max(0.0, linger - time.monotonic()))
        return Finished(
            status=self._process.returncode,
            stdout=self.stdout.output(),
            stderr=self.stderr.output(),
            seconds=time.monotonic() - started,
        )

    def end(self) -> None:
        """End the process from another thread; `finish` returns then. Ended ones are left alone."""
        if not self._ended.is_set():
            self._kill()

    def _kill(self) -> None:
        if not hasattr(os, "killpg"):
            self._process.kill()
            return
        group = self._process.pid
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGTERM)
            until = time.monotonic() + GRACE
            while time.monotonic() < until:
                os.killpg(group, 0)  # raises when the last of the group is gone
                time.sleep(0.02)
            os.killpg(group, signal.SIGKILL)
        self._ended.wait(GRACE)


def _start(target: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def _drain(stream: IO[bytes], keeper: Keeper) -> None:
    with stream:
        while data := os.read(stream.fileno(), _CHUNK):
            keeper.feed(data)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError), stream:  # it need not read what it was given
        stream.write(data)
