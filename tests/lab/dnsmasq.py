"""A DNS server in a machine: on its loopback only."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING

from tests.lab.namespace import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.lab.namespace import Namespace

DOMAIN = "lab.test"
_PID = "/run/dnsmasq.pid"
_PATIENCE = 20.0


@contextlib.contextmanager
def dns_server(machine: Namespace, records: Sequence[str]) -> Iterator[None]:
    """While it lasts the machine resolves names with it; all of `lab.test` is its own.

    Args:
        machine: where.
        records: as dnsmasq(8) has them, `host-record=db.lab.test,10.0.0.1`.
    """
    need("dnsmasq", "dig")
    before = machine.exec(["cat", "/etc/resolv.conf"]).stdout
    machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    server = machine.start(
        [
            *["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--pid-file={_PID}"],
            *["--user=root", "--no-resolv", "--no-hosts", "--cache-size=0"],
            *["--listen-address=127.0.0.1", "--bind-interfaces", f"--local=/{DOMAIN}/"],
            *[f"--{record}" for record in records],
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(machine, server)
        yield
    finally:
        machine.exec(["sh", "-c", f"kill $(cat {_PID})"], check=True)
        server.wait()
        machine.write("/etc/resolv.conf", before)


def _await(machine: Namespace, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    ask = ["dig", "+time=1", "+tries=1", "@127.0.0.1", DOMAIN]
    while server.poll() is None and time.monotonic() < until:
        if machine.exec(ask).returncode == 0:
            return
        time.sleep(0.02)
    raise RuntimeError("dnsmasq did not start")
