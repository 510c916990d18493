"""A host that runs Windows as far as Wine does: cmd.exe behind an sshd, as on a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.lab import Host
from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.sshd import ClientKey

_DOCKER = 2375
_SOURCE = Path(__file__).with_suffix(".c")
_PREFIX = "/srv/wine/prefix"
DRIVE = f"{_PREFIX}/drive_c"
"""Its drive C:, as the machine sees it."""

_SYSTEM = f"{DRIVE}/windows/system32"
HOME = f"{DRIVE}/users/root"
"""The account's home, as the machine sees it."""

_PLACES = {
    "session": "/srv/wine",
    "args": _SYSTEM,
    "calc": _SYSTEM,
    "docker": _SYSTEM,
    "powershell": f"{_SYSTEM}/WindowsPowerShell/v1.0",
}
# Wine keeps its sockets in /tmp and writes to the home; here both are the machine's own. The
# prefix has hundreds of megabytes, so it is on the disk, with the lab's other files.
_ENVIRONMENT = f"""\
export WINEPREFIX={_PREFIX} WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=;powershell.exe=n"
export HOME=/srv/wine XDG_CACHE_HOME=/srv/wine LC_ALL=C.UTF-8 QUELL_DOCKER=$(cat /srv/wine/docker)
"""
_SESSION = f"""\
#!/bin/sh
{_ENVIRONMENT}
cd {HOME} || exit
[ "$SSH_ORIGINAL_COMMAND" != internal-sftp ] || exec /usr/lib/openssh/sftp-server
exec /usr/lib/wine/wine64 /srv/wine/session.exe
"""
# A wineserver that stays saves each command a second. `C:` is where SFTP looks for `C:/…`.
_START = f"""\
mkdir -p "$1/prefix" /srv/wine
mount --bind "$1" /srv/wine
mount -t tmpfs tmpfs /tmp
: >/srv/wine/docker
{_ENVIRONMENT}
wineserver --persistent >/srv/wine/log 2>&1
wineboot --init >>/srv/wine/log 2>&1
ln -s {DRIVE} {HOME}/C:
"""


class WindowsHost(Host):
    """One host; `lab.Host` tells how it is reached. Its account's shell is cmd.exe.

    Args:
        number: makes its subnet, as for other hosts.
        client: whose key it lets in.
        known_hosts: the file that its host key is added to.
    """

    port = 2222
    docker_listens = (f"tcp://127.0.0.1:{_DOCKER}",)

    def __init__(self, number: int, client: ClientKey, known_hosts: Path) -> None:
        need("wine", "x86_64-w64-mingw32-gcc-win32")
        super().__init__("win", number, client, known_hosts)
        try:
            self._install(known_hosts.parent / "wine")
        except BaseException:
            self.close()
            raise

    def sshd(self, port: int, options: object = None) -> None:
        """Start its sshd, which gives every command to cmd.exe."""
        assert options is None
        super().sshd(port, {"ForceCommand": "/srv/wine/session", "MaxSessions": "10"})

    def _install(self, directory: Path) -> None:
        directory.mkdir()
        program = directory / "windows.exe"
        compiler = ["x86_64-w64-mingw32-gcc-win32", "-O1", "-municode", "-o", str(program)]
        subprocess.run([*compiler, str(_SOURCE), "-lws2_32", "-lntdll"], check=True)
        self.exec(["sh", "-ec", _START, "sh", str(directory)], check=True)
        self.write("/srv/wine/session", _SESSION, 0o755)
        for name, place in _PLACES.items():
            self.write(f"{place}/{name}.exe", program.read_bytes(), 0o755)

    def file(self, name: str) -> str | None:
        """A file's text, by its path from the drive's root; None if there is none."""
        done = self.exec(["cat", f"{DRIVE}/{name}"])
        return done.stdout if done.returncode == 0 else None

    def files(self) -> list[str]:
        """What lies in the account's home."""
        return sorted(self.exec(["ls", "-A", HOME], check=True).stdout.splitlines())

    def dockerd(self) -> None:
        """Start the Docker engine unless it runs, and lead its named pipe there."""
        super().dockerd()
        self.write("/srv/wine/docker", str(_DOCKER))
