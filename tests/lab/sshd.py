"""An sshd in a machine, and what a client needs to know to use it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.namespace import Namespace, need

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USER = "deploy"
PASSWORD = "correct horse"
_PASSWORD_HASH = (
    "$6$quelllab$"
    "DAu1PAKCEKxHoYAQtrrTegyHuyLOLoBtVf6XKqIyjC77/mwPhM41ykqYUFSk/VYB4OX16.kSb.MwC9kxhcIuB1"
)
_PAM = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
_DEFAULTS = {
    "AuthorizedKeysFile": "/srv/ssh/authorized_keys",
    "HostKey": "/srv/ssh/host_ed25519",
    "KbdInteractiveAuthentication": "no",
    "LogLevel": "VERBOSE",
    "MaxSessions": "100",
    "MaxStartups": "1000",
    "PasswordAuthentication": "yes",
    "PermitRootLogin": "yes",
    "PidFile": "none",
    "PrintMotd": "no",
    "StrictModes": "no",
    "Subsystem": "sftp internal-sftp",
    "UsePAM": "no",
}


@dataclass(frozen=True)
class ClientKey:
    """A made-up client's key pair."""

    path: Path
    public: str


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> ClientKey:
    """Make a key pair at `path` and `path.pub`."""
    need("ssh-keygen")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "lab", "-f", str(path)],
        check=True,
    )
    return ClientKey(path, path.with_name(f"{path.name}.pub").read_text())


def prepare(machine: Namespace, client: ClientKey) -> str:
    """Give a machine its users and host keys.

    There are `root`, who enters with the client's key, and `deploy`, who enters with it or with
    `PASSWORD`. Their homes are the machine's own: no start-up file of ours is read.

    Returns:
        The machine's public host key, as `type base64`.
    """
    need("sshd")
    script = f"""
mkdir -p /run/sshd /srv/ssh
grep -q '^sshd:' /etc/passwd || echo 'sshd:x:499:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
sed -i 's|^root:.*|root:x:0:0:root:/srv/root:/bin/bash|' /etc/passwd
mkdir -p /srv/root
echo '{USER}:x:4711:4711::/srv/{USER}:/bin/bash' >>/etc/passwd
echo '{USER}:x:4711:' >>/etc/group
sed -i '/^root:/d' /etc/shadow
echo 'root:*:19000:0:99999:7:::' >>/etc/shadow
echo '{USER}:{_PASSWORD_HASH}:19000:0:99999:7:::' >>/etc/shadow
mkdir -p /srv/{USER} && chown 4711:4711 /srv/{USER}
ssh-keygen -q -t ed25519 -N '' -C '' -f /srv/ssh/host_ed25519
ssh-keygen -q -t ecdsa -N '' -C '' -f /srv/ssh/host_ecdsa
"""
    machine.exec(["sh", "-ec", script], check=True)
    machine.write("/etc/pam.d/sshd", _PAM)
    machine.write("/srv/ssh/authorized_keys", client.public)
    return machine.exec(["cat", "/srv/ssh/host_ed25519.pub"], check=True).stdout.strip()


def start_sshd(
    machine: Namespace, listen: str, port: int, options: Mapping[str, str | list[str]]
) -> None:
    """Start an sshd and wait until it answers.

    Args:
        machine: where.
        listen: the address it listens on; `0.0.0.0` for all.
        port: and the port.
        options: sshd_config keywords that differ from the lab's usual ones.
    """
    lines = [f"ListenAddress {listen}", f"Port {port}"]
    for keyword, value in {**_DEFAULTS, **options}.items():
        lines += [f"{keyword} {item}" for item in ([value] if isinstance(value, str) else value)]
    config, log = f"/srv/ssh/config-{port}", f"/srv/ssh/log-{port}"
    machine.write(config, "\n".join(lines) + "\n")
    process = machine.start(["/usr/sbin/sshd", "-D", "-f", config, "-E", log])
    address = "127.0.0.1" if listen == "0.0.0.0" else listen
    knock = ["bash", "-c", ': <"/dev/tcp/$0/$1"', address, str(port)]
    until = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < until:
        if machine.exec(knock).returncode == 0:
            return
        time.sleep(0.02)
    raise RuntimeError(f"sshd did not start: {machine.exec(['cat', log]).stdout}")
