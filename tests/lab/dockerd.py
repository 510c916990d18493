"""A Docker engine in a machine: its socket, its containers and their ports exist only there."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace
    from tests.lab.systemd import Systemd

IMAGE = "lab:1"
SOCKET = "/var/run/docker.sock"
_LOG = "/srv/docker/log"


def cgroup(machine: Namespace | Systemd) -> str:
    """The control group that holds the containers, told apart from those of other test runs."""
    return f"quell-{os.getpid()}-{machine.name}"


def start_dockerd(machine: Namespace, *listen: str) -> None:
    """Start the engine and import the image; returns when both are there.

    Args:
        machine: where.
        listen: where it listens besides its socket, as `dockerd -H`.
    """
    need("dockerd", "docker", "iptables", "busybox")
    machine.exec(["mkdir", "-p", "/srv/docker"], check=True)
    argv = ["dockerd", "--data-root", "/srv/docker/data", "--exec-root", "/run/docker"]
    argv += ["--pidfile", "/run/docker.pid", "-H", f"unix://{SOCKET}"]
    argv += [option for address in listen for option in ("-H", address)]
    argv += ["--cgroup-parent", f"/{cgroup(machine)}"]
    process = machine.start(["sh", "-c", f'exec "$@" >{_LOG} 2>&1', "sh", *argv])
    until = time.monotonic() + 60
    while machine.exec(["docker", "version"]).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            log = machine.exec(["cat", _LOG]).stdout
            raise RuntimeError(f"dockerd did not start: {log[-4000:]}")
        time.sleep(0.1)
    machine.exec(["docker", "import", "-", IMAGE], stdin=_image(), check=True)


def _image() -> bytes:
    # No registry can be reached: the image is busybox under each of its names.
    busybox = Path("/bin/busybox").read_bytes()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for directory in ("bin", "tmp", "www", "etc"):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(busybox), 0o755
        tar.addfile(entry, io.BytesIO(busybox))
        for name in ("sh", "httpd", "nc", "sleep", "echo", "cat", "kill", "ls", "ps", "true", "dd"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return file.getvalue()


def remove_cgroups(machine: Namespace | Systemd) -> None:
    """Remove the control groups that the engine left, once the machine is closed."""
    roots = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    for root in (r / cgroup(machine) for r in roots):
        for directory, _, _ in os.walk(root, topdown=False):
            _remove(Path(directory))


def _remove(directory: Path) -> None:
    for _ in range(50):  # the kernel counts a group as busy until its last process is collected
        try:
            directory.rmdir()
        except OSError:
            time.sleep(0.02)
        else:
            return
    directory.rmdir()
