"""A machine whose pid 1 is a real systemd, with units of its own and nothing else.

All that it shares with this one is read-only to it: systemd clears /tmp, sets kernel parameters
and writes logs wherever it can. Its processes end with it, and it ends with us.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.lab.dockerd import remove_cgroups
from tests.lab.namespace import need

_START = r"""
mount --make-rprivate /
awk '{print $2}' /proc/self/mounts | sort | while read -r at; do
  case $at in /sys/fs/cgroup*|/proc*) ;; *) mount -o remount,ro,bind "$at" || : ;; esac
done 2>/dev/null
for at in /tmp /run /var /srv; do mount -t tmpfs -o mode=755 tmpfs $at; done
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
# Nothing runs unless what is shared is safe.
for at in /root /etc /usr /dev; do
  if (: >"$at/quell-may-not-write") 2>/dev/null; then
    rm -f "$at/quell-may-not-write"; echo "$at can be written" >&2; exit 1
  fi
done
mkdir -p /srv/upper /srv/work /run/systemd/system /run/lock
mount -t overlay -o lowerdir=/etc,upperdir=/srv/upper,workdir=/srv/work overlay /etc
rm -rf /etc/systemd/system
mkdir /etc/systemd/system
printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/lab.target
for at in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ ! -e "$at/cgroup.procs" ] || { mkdir "$at/$1" && echo $$ >"$at/$1/cgroup.procs"; } || :
done 2>/dev/null
export container=lab
exec /lib/systemd/systemd --system --unit=lab.target --log-target=null --show-status=no
"""
_ENTER = ("-m", "-p", "-u", "-i", "-n")


class Systemd:
    """The machine; a context manager."""

    def __init__(self) -> None:
        need("unshare", "nsenter", "systemctl")
        self.name = "systemd"
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net"]
        cgroup = f"quell-{os.getpid()}-{self.name}"
        self._unshare = subprocess.Popen(
            ["unshare", *namespaces, "sh", "-ec", _START, "sh", cgroup],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            if self._unshare.poll() is not None:
                assert self._unshare.stderr is not None
                raise RuntimeError(f"systemd did not start: {self._unshare.stderr.read().decode()}")
            if time.monotonic() > until:
                raise RuntimeError("systemd did not start within a minute")
            if self._pid() and self.run("systemctl", "is-active", "lab.target").returncode == 0:
                return
            time.sleep(0.1)

    def _pid(self) -> str:
        pid = self._unshare.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    @property
    def enter(self) -> tuple[str, ...]:
        """What goes before a command to run it there."""
        return ("nsenter", "-t", self._pid(), *_ENTER, "--")

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program there as root."""
        return subprocess.run(
            [*self.enter, *argv], input=stdin, capture_output=True, text=True, check=False
        )

    def unit(self, name: str, service: str, unit: str = "") -> None:
        """Write a unit, with these lines in `[Service]` and `[Unit]`."""
        text = f"[Unit]\nDefaultDependencies=no\n{unit}\n[Service]\n{service}\n"
        done = self.run("sh", "-c", 'cat >"/run/systemd/system/$1"', "sh", name, stdin=text)
        assert done.returncode == 0, done.stderr
        assert self.run("systemctl", "daemon-reload").returncode == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, with every process in it."""
        self._unshare.kill()  # which ends its pid 1
        self._unshare.wait(timeout=30)
        assert self._unshare.stderr is not None
        self._unshare.stderr.close()
        remove_cgroups(self)
