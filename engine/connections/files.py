"""Files on a host, by its own commands: as whichever account runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.connections.base import Script
from engine.errors import HostError

if TYPE_CHECKING:
    from engine.connections.base import Finished

PUT = """\
[ -d "$1" ] && { echo "Is a directory" >&2; exit 1; }
temporary=$(mktemp "$1.XXXXXX") || exit
trap 'rm -f -- "$temporary"' EXIT
cat >"$temporary" || exit
size=$(wc -c <"$temporary") || exit
[ "$size" -eq "$3" ] || { echo "only $size of $3 bytes arrived" >&2; exit 1; }
chmod "$2" "$temporary" && mv -f -- "$temporary" "$1"
"""
"""Arguments: path, mode in octal, size. A link that dies on the way is an early end of file."""

_GET = 'LC_ALL=C exec head -c "$2" -- "$1"'


def put(path: str, mode: int, size: int) -> Script:
    """Writes a file of so many bytes from its stdin."""
    return Script(PUT, (path, f"{mode:o}", str(size)))


def get(path: str, limit: int) -> Script:
    """Says a file's first bytes."""
    return Script(_GET, (path, str(limit)))


def check(what: str, finished: Finished) -> None:
    """Whether it went well.

    Raises:
        HostError: it did not, in the host's own words.
    """
    if finished.status != 0:
        raise HostError(f"{what}: {finished.stderr.text.strip() or 'failed'}")
