"""A program that acts as another account of the machine that it runs on, and says what came of it.

It is told on stdin as whom, by what and with which password.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.connections.base import Argv, Become, Script, Unix
from engine.connections.local import LocalConnection
from engine.errors import DeadlineExceeded, HostError


def main() -> None:
    """Do it."""
    told = json.loads(sys.stdin.read())
    act = climb_interrupted if told.pop("interrupt", False) else done
    become = Become(**told)
    others = leftovers()
    connection = LocalConnection()
    said: dict[str, Any] = {"platform": connection.platform.user}
    try:
        said |= act(connection, become)
    except HostError as error:
        said["error"] = f"{type(error).__name__}: {error.message}"
    connection.close()
    until = time.monotonic() + 10
    while (left := leftovers() - others) and time.monotonic() < until:
        time.sleep(0.02)
    print(json.dumps({**said, "left": sorted(left)}))  # noqa: T201  # it is the answer


def done(connection: LocalConnection, become: Become) -> dict[str, Any]:
    """One of each."""

    def run(command: Argv | Script, stdin: bytes = b"", timeout: float = 20) -> Any:
        return connection.run(command, stdin=stdin, timeout=timeout, become=become)

    def streamed(data: bytes) -> bool:
        with connection.dial(Unix("/run/echo.sock"), timeout=20, become=become) as stream:
            sender = threading.Thread(target=stream.sendall, args=(data,))
            sender.start()
            got = b""
            while len(got) < len(data):
                got += stream.recv(65536)
            sender.join()
            return got == data

    who = run(Script('id -un; pwd; echo "${LC_ALL-none}"; echo err >&2; exit 3'))
    many = {run(Script('echo "$1" $PPID', ("x",))).stdout.text for _ in range(20)}
    data = bytes(range(256)) * 3000
    cat = run(Argv(("cat",)), data)
    connection.put(b"data", "/srv/made here", 0o640, timeout=20, become=become)
    late = ""
    try:
        run(Script('trap "" TERM; sleep 66.25 & sleep 66.25'), timeout=0.5)
    except DeadlineExceeded as error:
        late = error.message
    return {
        "who": [who.status, who.stdout.text, who.stderr.text],
        "shells": len(many),
        "cat": [cat.status, cat.stdout.size, cat.stdout.head == data[: len(cat.stdout.head)]],
        "got": connection.get("/srv/made here", 3, timeout=20, become=become).decode(),
        "late": late,
        "interrupted": interrupted(connection, become),
        "streamed": streamed(data),
    }


def interrupted(connection: LocalConnection, become: Become) -> int:
    """The status of a command that is ended by an interrupt."""
    begun = threading.Event()
    statuses: list[int] = []

    def run() -> None:
        script = Script("echo begun; sleep 66.25")
        finished = connection.run(
            script, timeout=60, become=become, listener=lambda *_: begun.set()
        )
        statuses.append(finished.status)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(20)
    connection.interrupt()
    thread.join(20)
    return statuses[0]


def climb_interrupted(connection: LocalConnection, become: Become) -> dict[str, Any]:
    """What becomes of a command whose password is still being looked at."""
    ended = threading.Event()
    threading.Thread(target=interrupt_a_climb, args=(connection, ended), daemon=True).start()
    try:
        connection.run(Script("echo no"), timeout=60, become=become)
    finally:
        ended.set()
    return {}


def interrupt_a_climb(connection: LocalConnection, ended: threading.Event) -> None:
    """Wait until a password was given, by us or one whom a test left behind, and interrupt."""
    while not Path("/srv/passwords").read_text():
        time.sleep(0.02)
    while not ended.wait(0.1):
        connection.interrupt()


def leftovers() -> set[str]:
    """What runs that looks like ours."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode()
            if "_t=$_t" in line or "66.25" in line:
                found.add(f"{path.parent.name} {line}")
    return found


if __name__ == "__main__":
    main()
