"""Why a stream was refused: the server's code seldom says, so the host is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.connections.base import Script, Unix
from engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.base import Address, Finished
    from engine.connections.transport import OpenRefused

_PROHIBITED = 1

# sshd answers "open failed" to all of these; /proc/net/unix lists what listens, on Linux.
_LOOK = """\
if [ ! -e "$1" ]; then echo "no such socket"
elif [ ! -S "$1" ]; then echo "not a socket"
elif [ ! -r "$1" ] || [ ! -w "$1" ]
then echo "permission denied for $(id -un): needs another account (become)"
elif grep -q "/${1##*/}\\$" /proc/net/unix 2>/dev/null
then echo "the SSH server forbids it (AllowStreamLocalForwarding), or the socket's queue is full"
else echo "connection refused: nothing listens there"
fi
"""


def explain(refused: OpenRefused, address: Address, run: Callable[[Script], Finished]) -> str:
    """The reason in a person's words.

    Args:
        refused: the server's answer.
        address: what was dialled.
        run: runs a script on the same host, to look.
    """
    if not isinstance(address, Unix):
        if refused.code == _PROHIBITED:
            return "the SSH server forbids it (AllowTcpForwarding, PermitOpen)"
        # sshd has no more to say where, for one, no route leads to the address.
        return refused.reason.replace("open failed", "no connection from the host")
    try:
        return run(Script(_LOOK, (address.path,))).stdout.text.strip() or refused.reason
    except HostError:
        return refused.reason
