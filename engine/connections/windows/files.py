"""A Windows host's files, by SFTP: there is no `sh` that could write them."""

from __future__ import annotations

import contextlib
import secrets
import stat
import threading
import time
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import paramiko

from engine.connections.entrance import time_left
from engine.errors import DeadlineExceeded, HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.connections.sessions import Sessions

_BROKEN = (EOFError, paramiko.SSHException, paramiko.SFTPError)


class Files:
    """One SFTP session, opened when it is first needed. Thread-safe: one file after the other.

    Args:
        sessions: of the host.
    """

    def __init__(self, sessions: Sessions) -> None:
        """Open nothing yet."""
        self._sessions = sessions
        self._lock = threading.Lock()
        self._client: paramiko.SFTPClient | None = None

    def put(self, data: bytes, path: str, *, timeout: float) -> None:
        """Write a file: whole or not at all."""
        where = _remote(path)
        temporary = f"{where}.{secrets.token_hex(4)}"
        with self._open(f"put {path}", timeout) as client:
            # The server would take away an empty directory to put the file in its place.
            if _is_directory(client, where):
                raise HostError(f"put {path}: Is a directory")
            try:
                _write(client, temporary, data)
                client.posix_rename(temporary, where)
            except BaseException:
                with contextlib.suppress(OSError, *_BROKEN):
                    client.remove(temporary)
                raise

    def get(self, path: str, limit: int, *, timeout: float) -> bytes:
        """The first `limit` bytes of a file."""
        with (
            self._open(f"get {path}", timeout) as client,
            client.open(_remote(path), "rb") as file,
        ):
            file.prefetch(min(limit, file.stat().st_size or 0))
            return file.read(limit)

    def place(self, name: str, data: bytes, *, timeout: float) -> None:
        """Write a new file of an unguessable name into the account's home."""
        with self._open("a command's file", timeout) as client:
            _write(client, name, data)

    def remove(self, *names: str, timeout: float) -> None:
        """Remove what is still there of such files."""
        with self._open("a command's file", timeout) as client:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    client.remove(name)

    @contextlib.contextmanager
    def _open(self, what: str, timeout: float) -> Iterator[paramiko.SFTPClient]:
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=timeout):
            raise DeadlineExceeded(f"{what}: not done within {timeout:g} s")
        try:
            client = self._connected(deadline)
            with self._told(what, timeout):
                yield client
        finally:
            self._lock.release()

    def _connected(self, deadline: float) -> paramiko.SFTPClient:
        left = time_left(deadline)
        if self._client is None:
            channel = self._sessions.open(left)
            channel.settimeout(left)
            try:
                channel.invoke_subsystem("sftp")
                self._client = paramiko.SFTPClient(channel)
            except (OSError, *_BROKEN) as error:
                channel.close()
                raise HostError(
                    f"{self._sessions.where}: no SFTP there, which files and scripts for Windows "
                    f"need: is `Subsystem sftp sftp-server.exe` in its sshd_config?"
                ) from error
        channel = self._client.get_channel()  # type: ignore[assignment]
        assert channel is not None
        channel.settimeout(left)
        return self._client

    @contextlib.contextmanager
    def _told(self, what: str, timeout: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            self._give_up()  # its answer may still come, and would be taken for another's
            raise DeadlineExceeded(f"{what}: not done within {round(timeout, 2):g} s") from error
        except _BROKEN as error:
            self._give_up()
            if not self._sessions.alive:
                raise self._sessions.lost() from error
            raise HostError(f"{what}: the host's SFTP server ended: {error}") from error
        except OSError as error:
            raise HostError(f"{what}: {error.strerror or error}") from error

    def _give_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _write(client: paramiko.SFTPClient, path: str, data: bytes) -> None:
    with client.open(path, "wbx") as file:
        file.set_pipelined(True)
        file.write(data)
    size = client.stat(path).st_size
    if size != len(data):
        raise OSError(f"only {size} of {len(data)} bytes arrived")


def _is_directory(client: paramiko.SFTPClient, path: str) -> bool:
    try:
        return stat.S_ISDIR(client.stat(path).st_mode or 0)
    except FileNotFoundError:
        return False


def _remote(path: str) -> str:
    return PureWindowsPath(path).as_posix()
