"""`quell demo`: a small real incident on this machine, found and ended by a shipped playbook."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

import engine
from engine.cli.journal_option import journal_option
from engine.errors import Interrupted, QuellError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHIPPED = Path(engine.__file__).parents[1]
"""Where playbooks and inventory stand beside the engine: in a clone, and installed."""

_PATIENCE = 10.0
"""Seconds for a staged process to be where it should be."""


@click.command()
@journal_option
@click.option("-v", "--verbose", count=True, help="More of the results.")
def command(journal: str | None, verbose: int) -> int:
    """Stage a small real incident on this machine and end it.

    A stale process holds a service's port and answers 503, so the service cannot start. The
    playbook port_conflict.yml finds it, judges it, ends it, and watches the service come up.
    """
    from engine.cli import session
    from engine.execution.options import Options

    playbook = _SHIPPED / "playbooks" / "port_conflict.yml"
    inventory = _SHIPPED / "inventory" / "local.yml"
    with _stopped_by_signals(), _incident() as port:
        click.echo(f"Running {playbook.name} against it, with --yes\n", err=True)
        options = Options(
            playbook=str(playbook),
            inventory=[str(inventory)],
            extra={"port": port, "watch": "2s"},
        )
        manner = session.Manner(yes=True, journal=journal, verbosity=verbose)
        return session.start(options, manner)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Outside the run itself, Ctrl-C and SIGTERM end the demo through its own cleaning up."""

    def stop(number: int, _frame: object) -> None:
        raise Interrupted(f"stopped by {signal.Signals(number).name}")

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _incident() -> Iterator[int]:
    """Stage it; yields the port. Its processes are gone when the context is left."""
    port = _free_port()
    with _staged("stale", port) as stale:
        _wait(lambda: _answers(port), "the stale process")
        with _staged("service", port) as service:
            click.echo(
                f"Staged: a stale process (pid {stale.pid}) holds port {port} and answers 503; "
                f"the service (pid {service.pid}) cannot start: EADDRINUSE",
                err=True,
            )
            yield port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _staged(role: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    # A session of its own: Ctrl-C in the terminal goes to the run, not to what it looks at.
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli.staged", role, str(port)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def _wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise QuellError(f"{what} did not come up within {_PATIENCE:g} s")
        time.sleep(0.05)
