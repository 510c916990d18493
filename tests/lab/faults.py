"""What production does to a host: it is cut off, frozen, rebooted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.lab.namespace import Namespace

# It changes its title once it listens: `sshd: /usr/sbin/sshd -D …`.
_LISTENER = 'pgrep -f "sshd -D -f /srv/ssh/config-$1 "'
_BELOW = 'below() ( for c in $(ps -o pid= --ppid "$1"); do below "$c"; echo "$c"; done )'


def sshd_sessions(host: Namespace, port: int) -> list[str]:
    """The pids of the server processes of an sshd's connections."""
    script = f"for p in $({_LISTENER}); do ps -o pid= --ppid $p; done"
    return host.exec(["sh", "-c", script, "sh", str(port)]).stdout.split()


def kill_sshd(host: Namespace, port: int) -> None:
    """End an sshd, its connections, and all that runs in them, at once."""
    # What stands still starts no more. What is killed first takes some others with it.
    end = "kill -STOP $p $(below $p); kill -9 $p $(below $p)"
    script = f"{_BELOW}; p=$({_LISTENER}) || exit; for p in $p; do {end}; done; :"
    host.exec(["sh", "-c", script, "sh", str(port)], check=True)
    host.resume()


def sshd_tree(host: Namespace, port: int) -> list[str]:
    """The pids of an sshd, its connections, and all that runs in them."""
    script = f"{_BELOW}; for p in $({_LISTENER}); do echo $p; below $p; done"
    return host.exec(["sh", "-c", script, "sh", str(port)]).stdout.split()


@contextmanager
def black_hole(host: Namespace, port: int) -> Iterator[None]:
    """Nothing gets to that port from outside, nor from it, while the context lasts."""
    rules = [
        ["INPUT", "-i", "eth0", "-p", "tcp", "--dport", str(port), "-j", "DROP"],
        ["OUTPUT", "-o", "eth0", "-p", "tcp", "--sport", str(port), "-j", "DROP"],
    ]
    for rule in rules:
        host.exec(["iptables", "-w", "-I", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            host.exec(["iptables", "-w", "-D", *rule], check=True)


@contextmanager
def frozen(host: Namespace, pids: Sequence[str]) -> Iterator[None]:
    """These processes stand still while the context lasts; what they hold open stays open."""
    assert pids
    signal(host, "STOP", pids)
    try:
        yield
    finally:
        signal(host, "CONT", pids)
        host.resume()


def signal(host: Namespace, name: str, pids: Sequence[str]) -> None:
    """Send a signal to those of these processes that are still there."""
    host.exec(["sh", "-c", 'kill -s "$@" 2>/dev/null; :', "sh", name, *pids], check=True)
