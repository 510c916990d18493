"""Accounts of a host that may become others, each by a rule of its own; each password is counted.

An account is called what is true of it. All of them have `PASSWORD`, and root has `ROOT_PASSWORD`;
both are words that stand nowhere else.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.lab.namespace import need

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

PASSWORD = f"pa ss'{secrets.token_hex(6)}"
ROOT_PASSWORD = f"ro$ot{secrets.token_hex(6)}"

HOMES = "/srv/homes"

OTHER = "other"
"""Whom they become besides root; it has a home and a shell."""
NO_SHELL = "noshell"
"""Nobody logs in as this one."""
ACCOUNTS = (
    "asked", "slow", "free", "norule", "terminal", "doasked", "doasfree", "onlyid", OTHER, NO_SHELL,
)  # fmt: skip

# timestamp_timeout: sudo remembers nobody, and asks each time.
_SUDOERS = f"""\
Defaults env_reset, use_pty, timestamp_timeout=0, lecture=always
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults:terminal requiretty
asked,slow,terminal ALL=(ALL) ALL
free ALL=(ALL) NOPASSWD: ALL
onlyid ALL=(ALL) NOPASSWD: /usr/bin/id
root,{OTHER} ALL=(ALL) NOPASSWD: ALL
"""
_DOAS = f"""\
permit doasked as root
permit doasked as {OTHER}
permit nopass doasfree
"""
_PAM = """\
{first}
auth optional pam_exec.so quiet expose_authtok /srv/tried.sh
auth required pam_unix.so use_first_pass nodelay
auth optional pam_exec.so quiet /srv/answered.sh
account required pam_unix.so
session required pam_permit.so
"""
_TRIED = 'echo "$PAM_SERVICE $PAM_USER" >>/srv/passwords\n'
_ANSWERED = '[ "$PAM_USER" != slow ] || exec sleep 5\n'
_LOG = "/srv/passwords"


def add_accounts(machine: Namespace) -> None:
    """Give a machine with an sshd these accounts, and the programs to become another."""
    need("sudo", "doas", "su", "chpasswd")
    lines = [
        f"echo '{name}:x:{uid}:{uid}::{HOMES}/{name}:{_shell(name)}' >>/etc/passwd\n"
        f"echo '{name}:x:{uid}:' >>/etc/group\n"
        f"echo '{name}:*:19000:0:99999:7:::' >>/etc/shadow\n"
        f"mkdir -m 700 {HOMES}/{name} && chown {uid}:{uid} {HOMES}/{name}\n"
        for uid, name in enumerate(ACCOUNTS, 4801)
    ]
    machine.exec(["sh", "-ec", "".join((f"mkdir {HOMES}\n", *lines))], check=True)
    words = [f"{name}:{PASSWORD}" for name in ACCOUNTS] + [f"root:{ROOT_PASSWORD}"]
    chpasswd = ["chpasswd", "-c", "SHA512", "-s", "1000"]
    machine.exec(chpasswd, stdin="\n".join(words) + "\n", check=True)
    machine.write("/etc/sudoers", _SUDOERS, 0o440)
    machine.write("/etc/doas.conf", _DOAS, 0o400)
    machine.write("/srv/tried.sh", f"#!/bin/sh\n{_TRIED}", 0o755)
    machine.write("/srv/answered.sh", f"#!/bin/sh\n{_ANSWERED}", 0o755)
    machine.write(_LOG, "", 0o666)
    for service, first in (("sudo", ""), ("doas", ""), ("su", "auth sufficient pam_rootok.so")):
        machine.write(f"/etc/pam.d/{service}", _PAM.format(first=first))


def _shell(name: str) -> str:
    return "/usr/sbin/nologin" if name == NO_SHELL else "/bin/bash"


def passwords(machine: Namespace, *, keep: bool = False) -> list[str]:
    """Each password that was tried since this was last called: `sudo asked`, what and for whom.

    Args:
        machine: where.
        keep: let the next call tell them again; one that is tried meanwhile is not lost then.
    """
    said = machine.exec(["cat", _LOG], check=True).stdout
    if not keep:
        machine.write(_LOG, "", 0o666)  # by su it is written as whoever calls it
    return said.splitlines()
