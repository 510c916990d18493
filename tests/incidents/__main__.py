"""`python -m tests.incidents up|down|cause NAME`: the incident lab, to try things on by hand.

A keeper in the background holds it, and does what it is told over a socket beside its files.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.incidents.causes import INCIDENTS
from tests.incidents.system import ROOT, System

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTORY = ROOT / ".lab"
_CONTROL = "control"
_LOG = ROOT / ".lab.log"


def up() -> int:
    """Start it; returns when it runs."""
    if (DIRECTORY / _CONTROL).exists():
        say("the lab is up already: make lab-down removes it")
        return 1
    say("starting the hosts app1, db1 and mon1; half a minute")
    with _LOG.open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.incidents", "keep"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while not (DIRECTORY / _CONTROL).exists():
        if keeper.poll() is not None:
            say(f"the lab did not start:\n{_LOG.read_text()}")
            return 1
        time.sleep(0.1)
    say(f"the lab is up. Its inventory is {DIRECTORY.relative_to(ROOT)}/inventory.yml")
    say(f"  make incident NAME=crash      cause an incident: {', '.join(INCIDENTS)}")
    say("  make lab-down                 remove it all")
    return 0


def keep() -> int:
    """Hold it until told to end it."""
    DIRECTORY.mkdir(mode=0o700)
    with System(DIRECTORY) as system, socket.socket(socket.AF_UNIX) as listener:
        system.inventory()
        listener.bind(str(DIRECTORY / _CONTROL))
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as stream:
                wish = stream.readline().strip()
                if wish == "down":
                    break
                try:
                    stream.write(_caused(system, wish) + "\n")
                except (RuntimeError, subprocess.SubprocessError) as error:
                    stream.write(f"{error}\n")
    return 0


def _caused(system: System, name: str) -> str:
    """Cause an incident, and wait until somebody is told of it."""
    incident = INCIDENTS[name]
    if system.ready() != 200:
        raise RuntimeError("an incident is under way: end that one first")
    system.calm()
    incident.cause(system)
    alert = system.noticed(incident.alert)
    return f"{incident.cause.__doc__} The alert is {alert.relative_to(ROOT)}"


def down() -> int:
    """End it, and wait until nothing of it is left."""
    if _tell("down") is None:
        return 1
    while DIRECTORY.exists():
        time.sleep(0.1)
    _LOG.unlink(missing_ok=True)
    say("the lab is removed")
    return 0


def cause(name: str) -> int:
    """Cause an incident there."""
    if name not in INCIDENTS:
        say(f'no incident is called "{name}": {", ".join(INCIDENTS)}')
        return 1
    answer = _tell(name)
    if answer is None:
        return 1
    say(answer)
    return 0


def _tell(wish: str) -> str | None:
    """What the keeper says to that; None, and a word, if there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(DIRECTORY / _CONTROL))
            with connection.makefile("rw") as stream:
                stream.write(f"{wish}\n")
                stream.flush()
                return stream.readline().strip()
    except OSError:
        say("the lab is not up: make lab starts it")
        return None


def say(text: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    commands: dict[str, Callable[..., int]] = {"up": up, "keep": keep, "down": down, "cause": cause}
    sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
