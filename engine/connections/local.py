"""The controller itself as a host: the same promises without a link."""

from __future__ import annotations

import contextlib
import os
import platform as machine
import secrets
import socket
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

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
    ShellType,
    Tcp,
    Unix,
    shown,
)
from engine.connections.become import Ladders
from engine.connections.forward import Forward, unix_socket
from engine.connections.local_processes import Process, start
from engine.connections.local_sessions import LocalSessions
from engine.connections.output import Keeper, Outputs
from engine.connections.pumps import join
from engine.connections.runner import Runner
from engine.errors import DeadlineExceeded, DialRefused, HostError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.connections.entrance import Entrance


class LocalConnection:
    """Runs commands on the controller and dials from it.

    Args:
        ladders: to other accounts.
        shell: what scripts are written in, on Windows; None for cmd.
    """

    alive = True

    def __init__(self, ladders: Ladders | None = None, shell: ShellType | None = None) -> None:
        """Nothing runs yet."""
        self._shell = shell
        self._sessions = LocalSessions()
        self._runner = Runner(self._sessions, ladders or Ladders())
        self._interruptions = 0
        self._running: weakref.WeakSet[Process] = weakref.WeakSet()
        self._dialled: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @cached_property
    def platform(self) -> Platform:
        """What the controller is."""
        system = machine.system()
        families = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
        windows = system == "Windows"
        return Platform(
            family=families.get(system, "posix"),  # type: ignore[arg-type]
            shell=(self._shell or "cmd") if windows else "sh",
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
        if self.platform.family == "windows":
            return self._run_on_windows(command, stdin, timeout, outputs)
        argv, data = _prepare(command, stdin)
        return self._run(argv, data, command, timeout, outputs)

    def _run_on_windows(
        self, command: Argv | Script, stdin: bytes, timeout: float, outputs: Outputs
    ) -> Finished:
        from engine.connections.windows.orders import local

        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            made = local(command, Path(directory), self.platform.shell)
            for path, data in made.files.items():
                path.write_bytes(data)
            told = replace(command, env={**command.env, **made.env})
            return self._run(made.argv, stdin, told, timeout, outputs)

    def _run(
        self,
        argv: str | list[str],
        data: bytes,
        command: Argv | Script,
        timeout: float,
        outputs: Outputs,
    ) -> Finished:
        cwd = Path.home() / (command.cwd or "")
        seen = self._interruptions
        try:
            process = Process(argv, data, outputs, cwd=cwd, env=command.env)
        except OSError as error:
            status = 127 if isinstance(error, FileNotFoundError) else 126
            said = f"{error.filename}: {error.strerror}\n".encode()
            stderr = Keeper()
            stderr.feed(said)
            return Finished(status, Keeper().output(), stderr.output(), 0.0)
        self._running.add(process)  # before its first output is heard: it can be interrupted now
        if self._interruptions != seen:  # while it began: that has not known of it
            start(process.end)
        return process.finish(timeout)

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
        return Forward(lambda left: self.dial(address, timeout=left, become=become), timeout)

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
        self._interruptions += 1
        for stream in list(self._dialled):
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        ending = [start(running.end) for running in list(self._running)]
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
    return ["/bin/sh", "-c", shells.READER, "/bin/sh"], shells.on_stdin(text, stdin)


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
            dialled = unix_socket()
            dialled.settimeout(timeout)
            try:
                dialled.connect(path)
            except BaseException:
                dialled.close()
                raise
            return dialled
        case Pipe(_):
            raise OSError("from the controller itself quell dials no named pipes")
