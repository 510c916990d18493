"""A container's log, line by line as it comes, never held as a whole.

**Source:** Docker Engine API, `POST /containers/{id}/attach`, "Stream format"; moby,
api/server/httputils/write_log_stream.go; daemon/logger/copier.go for long lines, which come in
parts of 16 KiB that each repeat the time.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from engine.contract.docker.engine import ask, said, streamed
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import docker

    from engine.contract.target import Deadline

StreamName = Literal["stdout", "stderr"]

LINE_LIMIT = 64 * 1024
"""Bytes kept of one line."""
STAMP_LIMIT = 40
"""Bytes that a line's time takes at most."""
FRAME_LIMIT = 1024 * 1024
"""Bytes; Docker's own frames hold a part of a line, and none is that large."""

_HEADER = struct.Struct(">B3xI")
_STREAMS: dict[int, StreamName] = {1: "stdout", 2: "stderr"}
_TROUBLE = 3
"""The stream on which the engine says what went wrong after it has begun to answer."""


class Line(Struct, frozen=True):
    """One line of a log.

    Args:
        time: when it was written, RFC 3339 with nanoseconds; None where the engine does not say.
        stream: a container with a terminal has `stdout` only.
        text: without the newline, at most 64 KiB, undecodable bytes replaced.
    """

    time: str | None
    stream: StreamName
    text: str


def read_log(
    client: docker.DockerClient,
    raw: dict[str, Any],
    deadline: Deadline,
    params: Mapping[str, str | int],
) -> Iterator[Line]:
    """A container's log up to now.

    Args:
        client: of its engine.
        raw: the engine's own description of the container.
        deadline: by when it must have been read.
        params: `tail`, `since`, `until`, `stdout`, `stderr` as the API takes them.

    Raises:
        ModuleFailed: its log driver cannot be read, or the engine broke off.
        DeadlineExceeded: there is more, and no time for it.
    """
    import docker.errors

    path = f"/containers/{raw['Id']}/logs"
    asked = {"stdout": 1, "stderr": 1, **params, "timestamps": 1, "follow": 0}
    try:
        response = ask(client, "GET", path, params=asked, stream=True)
    except docker.errors.APIError as error:
        if "does not support reading" in said(error):
            raise ModuleFailed(_unreadable(raw)) from error
        raise
    chunks = streamed(response, deadline)
    return _of_terminal(chunks) if raw["Config"]["Tty"] else _of_streams(chunks)


def _unreadable(raw: dict[str, Any]) -> str:
    name, driver = raw["Name"].lstrip("/"), raw["HostConfig"]["LogConfig"]["Type"]
    if driver == "none":
        return f"{name} has no log: it was made with the log driver 'none'"
    return (
        f"the log of {name} cannot be read back from Docker: its log driver {driver!r} only sends "
        "it away; search it where it goes"
    )


def _of_streams(chunks: Iterable[bytes]) -> Iterator[Line]:
    """The lines of stdout and stderr, each of which may be in the middle of one."""
    unfinished: dict[StreamName, bytearray] = {}
    for kind, payload in _frames(chunks):
        if kind == _TROUBLE:
            raise ModuleFailed(f"Docker says: {payload.decode('utf-8', 'replace').strip()}")
        stream = _STREAMS.get(kind, "stdout")
        line = unfinished.setdefault(stream, bytearray())
        stamp, known = _stamp(payload), _stamp(line)
        if known and stamp and stamp != known:
            # The driver `local` leaves out the newline after the last part of a long line.
            yield _line(stream, line)
            line.clear()
        line += payload[: LINE_LIMIT - len(line)]
        if payload.endswith(b"\n"):
            yield _line(stream, unfinished.pop(stream))
    for stream, line in unfinished.items():
        yield _line(stream, line)


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        at = 0
        while len(buffer) - at >= _HEADER.size:
            kind, size = _HEADER.unpack_from(buffer, at)
            if size > FRAME_LIMIT:
                raise ModuleFailed(f"no log of Docker's: a frame of {size} bytes")
            end = at + _HEADER.size + size
            if end > len(buffer):
                break
            yield kind, bytes(buffer[at + _HEADER.size : end])
            at = end
        del buffer[:at]


def _of_terminal(chunks: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a container with a terminal, which come as they are."""
    line = bytearray()
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line += part[: LINE_LIMIT - len(line)]
            yield _line("stdout", line)
            line.clear()
        line += rest[: LINE_LIMIT - len(line)]
    if line:
        yield _line("stdout", line)


def _stamp(line: bytes | bytearray) -> bytes:
    """The time that a line begins with, and the space after it."""
    written = line[4:5] == b"-" and line[10:11] == b"T"
    return bytes(line[: line.find(b" ", 0, STAMP_LIMIT) + 1]) if written else b""


def _line(stream: StreamName, line: bytearray) -> Line:
    stamp = _stamp(line)
    # Each part of a long line begins with it again; nobody else writes that nanosecond.
    text = bytes(line).replace(stamp, b"") if stamp else bytes(line)
    time = stamp.decode("ascii", "replace").strip() or None
    return Line(time, stream, text.decode("utf-8", "replace").rstrip("\r\n"))
