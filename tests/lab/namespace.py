"""A machine of its own: network, mount, pid, host name and IPC namespaces, and a pid 1.

Its pid 1 ends when the pipe from us closes, so nothing of it outlives the test run, however that
ends: with its pid 1 the kernel ends every process in it, and with them go the mounts and the link.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# /run and /srv are the machine's own; /etc is its own copy, so that users and names can differ.
_MOUNTS = """
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir -p /srv/.etc/upper /srv/.etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/srv/.etc/upper,workdir=/srv/.etc/work overlay /etc
hostname "$1"
exec "$2" -IS -c "$3"
"""
# An ignored SIGCHLD makes the kernel collect the orphans that a pid 1 inherits.
_INIT = """
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
sys.stdin.read()
"""
_PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "sshd": "openssh-server",
    "sudo": "sudo",
    "doas": "opendoas",
    "su": "util-linux",
    "chpasswd": "passwd",
    "ssh-keygen": "openssh-client",
    "wine": "wine",
    "x86_64-w64-mingw32-gcc-win32": "gcc-mingw-w64-x86-64-win32",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "curl": "curl",
    "promtool": "prometheus",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "hostname": "hostname",
    "systemctl": "systemd",
}


def need(*programs: str) -> None:
    """Fail with the Debian package's name where a program is missing; never skip."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [p for p in programs if shutil.which(p, path=path) is None]
    if missing:
        packages = " ".join(sorted({_PACKAGES[p] for p in missing}))
        raise RuntimeError(f"the lab needs {', '.join(missing)}: apt-get install {packages}")
    if os.geteuid() != 0:
        raise RuntimeError("the lab makes namespaces: run these tests as root")


class Namespace:
    """A running machine without any service.

    Args:
        name: its host name.
        network: False to stay in the controller's own network.
    """

    def __init__(self, name: str, *, network: bool = True) -> None:
        need("unshare", "nsenter", "ip", "hostname")
        self.name = name
        flags = ["--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc"]
        self._enter = ["-m", "-p", "-u", "-i"]
        if network:
            flags.append("--net")
            self._enter.append("-n")
        self._started: list[subprocess.Popen[bytes]] = []
        self._unshare = subprocess.Popen(
            ["unshare", *flags, "sh", "-ec", _MOUNTS, "sh", name, sys.executable, _INIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the tests, which then close this
        )
        assert self._unshare.stdout is not None
        if self._unshare.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"{name}: the namespaces could not be made")
        pid = self._unshare.pid
        self.pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        """Of its pid 1, as the controller sees it."""

    def _command(self, argv: Sequence[str], cwd: Path | None) -> list[str]:
        where = [f"--wd={cwd}"] if cwd else []
        return ["nsenter", "-t", str(self.pid), *self._enter, *where, "--", *argv]

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: str | bytes = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        check: bool = False,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root inside, without SSH.

        Args:
            argv: the program and its arguments.
            stdin: given to it.
            env: added to our own variables.
            cwd: the directory it runs in; `/` unless said.
            check: raise with its output if it fails.
            timeout: seconds.
        """
        done = subprocess.run(
            self._command(argv, cwd),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            check=False,
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {argv} ended with {done.returncode}: {out}{err}")
        return subprocess.CompletedProcess(list(argv), done.returncode, out, err)

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a program as root inside that runs until it is ended, or the machine is.

        The pid of what is returned is not the program's own: nsenter stands in between.
        """
        process = subprocess.Popen(
            self._command(argv, None),
            env={**os.environ, **(env or {})},
            start_new_session=True,
            **options,
        )
        self._started.append(process)
        return process

    def resume(self) -> None:
        """Let go on what stands in for a program: nsenter stops itself when that is stopped."""
        for process in self._started:
            process.send_signal(signal.SIGCONT)

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file inside, and the directories above it."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
        self.exec(["sh", "-c", script, "sh", path, f"{mode:o}"], stdin=text, check=True)

    def connect(self, ours: str, ours_address: str, address: str) -> None:
        """Join it to the controller with a link.

        Args:
            ours: the name of the controller's end, at most 15 characters.
            ours_address: of the controller's end, `10.130.0.1/30`.
            address: of the machine's `eth0`, with the same prefix length.
        """
        batch = (
            f"link add {ours} type veth peer name eth0 netns {self.pid}\n"
            f"addr add {ours_address} dev {ours}\n"
            f"link set {ours} up\n"
        )
        subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True)
        self.exec(
            ["ip", "-batch", "-"],
            stdin=f"addr add {address} dev eth0\nlink set eth0 up\nlink set lo up\n",
            check=True,
        )

    def close(self) -> None:
        """End every process in it; with the last one the kernel drops the rest."""
        for pipe in (self._unshare.stdin, self._unshare.stdout):
            if pipe is not None:
                pipe.close()
        self.resume()  # one that stands still would not hear that its program has ended
        self._unshare.wait(timeout=30)
        for process in self._started:
            process.wait(timeout=30)
