"""The two processes of the demo's incident."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time

import pytest


def staged(role: str, port: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "engine.cli.staged", role, str(port)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE)


def status(port: int) -> int:
    """What the port answers, once somebody does."""
    end = time.monotonic() + 20
    while True:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            link.request("GET", "/api/health/ready")
            return link.getresponse().status
        except ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.05)
        finally:
            link.close()


def leave(process: subprocess.Popen[bytes]) -> int:
    """Close its input; the exit status."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(timeout=20)


@pytest.mark.slow
def test_the_service_takes_the_port_when_the_stale_process_has_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stale = staged("stale", port)
    assert status(port) == 503
    service = staged("service", port)
    assert leave(stale) == 0
    assert status(port) == 200
    assert leave(service) == 0
