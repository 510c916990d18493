"""`make soak`: use hosts that fail again and again. Nothing may be lost, doubled or left behind."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.leaks import Held, left, memory
from engine.connections.base import Argv, Script, Tcp
from engine.connections.links import Links
from engine.connections.settings import Settings
from engine.errors import DeadlineExceeded, HostError
from tests.lab.several import SeveralHosts

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Connection
    from tests.lab.several import One

TIME = 8.0
"""Seconds that a command, a stream or a file may take."""

_SLEEP = "86400.5"
_QUIET = 30.0
"""Seconds after which nothing of it may be there any more."""

_LARGEST = 512 * 1024


class Wrong(Exception):
    """A result that must never be."""


@dataclass(frozen=True, slots=True)
class Use:
    """One host as one worker uses it.

    Args:
        host: which.
        connection: to it.
        echo: the port of a server there that says back what it is told.
        marks: a file there; each command adds a line of its own to it.
        seen: lines of commands that are known to have run.
    """

    host: One
    connection: Connection
    echo: int
    marks: str
    seen: list[str]


# ── what is done with a host ──────────────────────────────────────────────────────────────────


def command(use: Use) -> None:
    """A command, of which the host keeps a mark."""
    mark = secrets.token_hex(8)
    script = Script('echo "$1" >>"$2" && echo "$1"', (mark, use.marks))
    said = use.connection.run(script, timeout=TIME)
    _check(said.stdout.text == f"{mark}\n", f"a command said {said}")
    use.seen.append(mark)


def with_input(use: Use) -> None:
    """A command that reads what it is given."""
    data = random.randbytes(random.randrange(_LARGEST))  # noqa: S311  # no secret
    said = use.connection.run(Argv(("sha256sum",)), stdin=data, timeout=TIME)
    _check(said.stdout.text.startswith(hashlib.sha256(data).hexdigest()), f"it read else: {said}")


def overdue(use: Use) -> None:
    """A command that does not end in time, and has begun another in a session of its own."""
    script = Script('setsid sleep "$1" & sleep "$1"', (_SLEEP,))
    try:
        said = use.connection.run(script, timeout=random.uniform(0.2, 2.5))  # noqa: S311
    except DeadlineExceeded:
        return
    # An interruption ends it, too.
    _check(said.status != 0, f"a command that sleeps for a day ended: {said}")


def stream(use: Use) -> None:
    """A stream to the server there."""
    with use.connection.dial(Tcp("127.0.0.1", use.echo), timeout=TIME) as dialled:
        _echoed(dialled)


def forward(use: Use) -> None:
    """The same through a socket on this machine, three times."""
    with use.connection.forward(Tcp("127.0.0.1", use.echo), timeout=TIME) as path:
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                _echoed(client)


def file(use: Use) -> None:
    """A file there and back."""
    data = random.randbytes(random.randrange(_LARGEST))  # noqa: S311
    path = f"{use.marks}-file-{threading.get_ident()}"
    use.connection.put(data, path, 0o600, timeout=TIME)
    _check(use.connection.get(path, _LARGEST, timeout=TIME) == data, "a file is another one")


def _echoed(dialled: socket.socket) -> None:
    dialled.settimeout(TIME)
    data = secrets.token_bytes(random.randrange(1, 64 * 1024))  # noqa: S311
    dialled.sendall(data)
    dialled.shutdown(socket.SHUT_WR)
    back = b""
    while more := dialled.recv(64 * 1024):
        back += more
    _check(data.startswith(back), "a stream brought what was not sent")
    if back != data:
        raise ConnectionError  # cut off, which a stream cannot tell from its end


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


USES: dict[str, Callable[[Use], None]] = {
    "command": command,
    "with input": with_input,
    "overdue": overdue,
    "stream": stream,
    "forward": forward,
    "file": file,
}


# ── what is done to it ────────────────────────────────────────────────────────────────────────


def reboot(lab: SeveralHosts, links: Links, host: One) -> None:
    """All of it ends at once, and it comes back."""
    del links
    lab.kill(host)
    time.sleep(random.uniform(0.0, 2.0))  # noqa: S311
    lab.start(host)


def cut(lab: SeveralHosts, links: Links, host: One) -> None:
    """Its links break; what runs there goes on."""
    del links
    lab.cut(host)


def freeze(lab: SeveralHosts, links: Links, host: One) -> None:
    """It stands still for a while."""
    del links
    with lab.frozen(host):
        time.sleep(random.uniform(0.5, 4.0))  # noqa: S311


def interrupt(lab: SeveralHosts, links: Links, host: One) -> None:
    """Somebody presses Ctrl-C."""
    del lab
    links.get(host.name).interrupt()


FAULTS = (reboot, cut, freeze, interrupt)


# ── the soak ──────────────────────────────────────────────────────────────────────────────────


class Soak:
    """Workers that use the hosts, and faults that befall these; for so many seconds.

    Args:
        lab: the hosts.
        pause: seconds between two faults.
    """

    def __init__(self, lab: SeveralHosts, pause: float) -> None:
        """Reach nothing yet."""
        self._lab = lab
        self._pause = pause
        self._links = Links({one.name: self._settings(one) for one in lab.hosts})
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._seen: dict[str, list[str]] = {one.name: [] for one in lab.hosts}
        self.done: Counter[str] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.wrong: list[str] = []

    def _settings(self, one: One) -> Settings:
        where = {"ansible_host": one.address, "ansible_port": one.port}
        return Settings.from_variables(one.name, {**self._lab.variables, **where})

    def each_once(self) -> None:
        """Use every host in every way, so that all is loaded that will be."""
        for one in self._lab.hosts:
            for name in USES:
                self._use(one, name)

    def run(self, seconds: float, workers: int, report: Callable[[float], None]) -> None:
        """Use the hosts at random, with faults."""
        started = time.monotonic()
        with ThreadPoolExecutor(workers + 1) as pool:
            running = [pool.submit(self._work) for _ in range(workers)]
            running.append(pool.submit(self._befall))
            try:
                every = max(1.0, min(30.0, seconds / 10))
                while (passed := time.monotonic() - started) < seconds:
                    time.sleep(min(every, seconds - passed))
                    report(time.monotonic() - started)
            finally:
                self._over.set()
        for one in running:
            one.result()

    def close(self) -> None:
        """Reach each host once more, look at what has run there, and end."""
        for one in self._lab.hosts:
            self._look_back(one)
        self._links.close()

    def _work(self) -> None:
        while not self._over.is_set():
            self._use(random.choice(self._lab.hosts), random.choice(list(USES)))  # noqa: S311

    def _use(self, host: One, name: str) -> None:
        use = Use(
            host,
            self._links.get(host.name),
            self._lab.echo,
            f"/srv/soak-{host.name}",
            self._seen[host.name],
        )
        started = time.monotonic()
        outcome = ""
        try:
            USES[name](use)
        except Wrong as error:
            self.wrong.append(f"{host.name}: {name}: {error}")
        except (HostError, OSError) as error:
            outcome = type(error).__name__
        took = time.monotonic() - started
        with self._lock:
            if outcome:
                self.failed[name, outcome] += 1
            else:
                self.done[name] += 1
            # Two seconds is what an end at a deadline may take; a forward has several streams.
            if took > 2 * TIME + 4:
                self.wrong.append(f"{host.name}: {name} took {took:.1f} s")

    def _befall(self) -> None:
        while not self._over.wait(random.uniform(0.0, 2 * self._pause)):  # noqa: S311
            fault = random.choice(FAULTS)  # noqa: S311
            fault(self._lab, self._links, random.choice(self._lab.hosts))  # noqa: S311
            self.faults[fault.__name__] += 1

    def _look_back(self, one: One) -> None:
        """Whether each command ran once."""
        marks: list[str] | None = None
        for _ in range(5):
            with contextlib.suppress(HostError):
                script = Script('sort "$1" | uniq -d; echo; cat "$1"', (f"/srv/soak-{one.name}",))
                said = self._links.get(one.name).run(script, timeout=TIME, keep=1 << 30)
                marks = said.stdout.head.decode().split("\n")
                break
            time.sleep(1.0)
        if marks is None:
            self.wrong.append(f"{one.name} could not be reached in the end")
            return
        twice, ran = marks[: marks.index("")], set(marks)
        self.wrong += [f"{one.name}: the command {mark} ran more than once" for mark in twice]
        missing = [mark for mark in self._seen[one.name] if mark not in ran]
        self.wrong += [f"{one.name}: the command {mark} left no mark" for mark in missing]


def soak(seconds: float, hosts: int, workers: int, pause: float) -> list[str]:
    """Do it, and print the figures.

    Returns:
        What is wrong.
    """
    with SeveralHosts(hosts) as lab:
        first = Soak(lab, pause)
        first.each_once()
        first.close()
        left(lab.processes, _QUIET)
        before = Held()
        print(f"{hosts} hosts, {workers} workers, for {seconds:g} s", flush=True)
        print("     s   done  failed  descriptors  threads  MB", flush=True)
        one = Soak(lab, pause)

        def report(passed: float) -> None:
            held = Held()
            done, failed = one.done.total(), one.failed.total()
            figures = f"{held.descriptors.total():>11}  {held.threads.total():>7}  {memory():.0f}"
            print(f"{passed:>6.0f} {done:>6} {failed:>7}  {figures}", flush=True)

        one.run(seconds, workers, report)
        one.close()
        wrong = [*first.wrong, *one.wrong, *_never(one)]
        wrong += [f"left on a host: {process}" for process in left(lab.processes, _QUIET)]
        wrong += left(lambda: Held().beyond(before), _QUIET)
        _print(one, seconds)
        return wrong


def _never(one: Soak) -> list[str]:
    """What never succeeded: then the soak has shown nothing."""
    return [f"{name} never succeeded" for name in USES if not one.done[name]]


def _print(one: Soak, seconds: float) -> None:
    print(f"\n{one.done.total() / seconds:.1f} a second succeeded")
    for name in USES:
        kinds = [f"{kind} {n}" for (what, kind), n in sorted(one.failed.items()) if what == name]
        print(f"  {name:<12} {one.done[name]:>6}  {', '.join(kinds)}".rstrip())
    print(f"faults: {', '.join(f'{name} {n}' for name, n in sorted(one.faults.items()))}")


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two faults")
    said = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="quell-soak-") as directory:
        tempfile.tempdir = directory  # what is left in it is ours
        try:
            wrong = soak(said.minutes * 60, said.hosts, said.workers, said.pause)
        finally:
            tempfile.tempdir = None
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    if not wrong:
        print("nothing was lost, doubled or left behind")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
