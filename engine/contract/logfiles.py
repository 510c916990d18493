"""The ends of log files on a host, read through its link."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections.base import Argv, Script
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell, powershell
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from engine.contract.target import Target

MOST_FILES = 50
"""That one look reads; more is a pattern that was meant otherwise."""
UNPACKING = 64
"""How many times as much as is kept a packed file may unpack to."""

# Each argument is a path or a pattern of the host's shell. With an empty IFS an unquoted expansion
# is matched against file names and is otherwise inert.
_FIND = """LC_ALL=C; export LC_ALL; IFS= count=0
echo "now $(date '+%s %z')"
for pattern; do
  found=
  for path in $pattern; do
    if [ -d "$path" ]; then problem="is a directory"
    elif [ -f "$path" ]; then found=yes count=$((count + 1))
      [ $count -le 100 ] || exit 0  # too many, and how many is of no matter
      changed=$(stat -L -c %Y -- "$path" 2>/dev/null || stat -L -f %m -- "$path" 2>/dev/null)
      printf 'file %s %s\\0\\n' "${changed:-0}" "$path"
      continue
    elif [ -e "$path" ]; then problem="is no regular file"
    else problem="no such file"
    fi
    [ "$path" != "$pattern" ] || found=no
  done
  [ "$found" != no ] || { echo "$pattern: $problem" >&2; exit 3; }
  [ -n "$found" ] || { echo "$pattern: no such file" >&2; exit 3; }
done
exit 0
"""
_FIND_WINDOWS = """
$files = @(foreach ($pattern in $given.patterns) {
  $found = @(Get-Item -Path $pattern -Force -ErrorAction SilentlyContinue |
    Where-Object { -not $_.PSIsContainer })
  if (-not $found) { throw "${pattern}: no such file" }
  $found | ForEach-Object {
    @{ path = $_.FullName
       changed = [double]([DateTimeOffset]$_.LastWriteTimeUtc).ToUnixTimeSeconds() }
  }
})
$now = [DateTimeOffset]::Now
@{ files = $files; now = [double]$now.ToUnixTimeSeconds()
   offset = [double]$now.Offset.TotalSeconds } | ConvertTo-Json -Depth 3 -Compress
"""
# As others write on: they must be let, and may cut the file off under us.
_READ_WINDOWS = """
$file = [IO.File]::Open($given.path, 'Open', 'Read', 'ReadWrite, Delete')
$from = [Math]::Max(0, $file.Length - $given.last)
if ($given.whole) { $from = 0 }
$null = $file.Seek($from, 'Begin')
$out = [Console]::OpenStandardOutput()
$buffer = New-Object byte[] 65536
$left = $given.last
while ($left -gt 0) {
  $size = $file.Read($buffer, 0, [Math]::Min($left, $buffer.Length))
  if ($size -le 0) { break }
  $out.Write($buffer, 0, $size); $left -= $size
}
$out.Flush(); $file.Close()
"""


class LogFile(Struct, frozen=True):
    """A file that was found.

    Args:
        path: its name on the host.
        changed: when it was last written to, seconds since 1970; 0 where that is not known.
    """

    path: str
    changed: float

    @property
    def name(self) -> str:
        """The path for people, with what is not UTF-8 replaced."""
        return self.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class LogFiles(Struct, frozen=True):
    """What was found.

    Args:
        files: the least recently written first.
        now: the host's clock, seconds since 1970.
        offset: its time zone's, in seconds before UTC.
    """

    files: list[LogFile]
    now: float
    offset: float


def find_logs(target: Target, patterns: tuple[str, ...]) -> LogFiles:
    """The files that paths and patterns name.

    Raises:
        ModuleFailed: one of them names no file, or they name too many.
    """
    if target.platform.family == "windows":
        found = ask_powershell(target, _FIND_WINDOWS, LogFiles, patterns=patterns)
    else:
        finished = target.run(Script(_FIND, args=patterns))
        if finished.status:
            raise ModuleFailed(finished.stderr.text.strip() or "files cannot be looked for")
        # A path is bytes, and must come back as it was.
        with understood():
            found = _read_found(finished.stdout.head.decode("utf-8", "surrogateescape"))
    if len(found.files) > MOST_FILES:
        raise ModuleFailed(
            f"{', '.join(patterns)}: more than {MOST_FILES} files, which are not read at once"
        )
    files = {each.path: each for each in found.files}.values()
    return LogFiles(sorted(files, key=lambda each: each.changed), found.now, found.offset)


def _read_found(said: str) -> LogFiles:
    head, _, rest = said.partition("\n")
    _, now, zone = head.split()
    sign = -1 if zone.startswith("-") else 1
    offset = sign * (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60)
    files = []
    for entry in rest.split("\0\n"):
        if entry:
            _, changed, path = entry.split(" ", 2)
            files.append(LogFile(path, float(changed)))
    return LogFiles(files, float(now), offset)


def read_end(target: Target, file: LogFile, limit: int) -> tuple[str, bool]:
    """The end of a log as text, from the beginning of a line on.

    What ends in `.gz` is unpacked here. Undecodable bytes are replaced.

    Args:
        target: the host.
        file: on it.
        limit: bytes to read of it at most, and to keep of what it unpacks to.

    Returns:
        The text, and whether it is all of it.

    Raises:
        ModuleFailed: it cannot be read or unpacked.
    """
    if file.path.endswith(".gz"):
        packed = _read(target, file, limit + 1, whole=True)
        if len(packed) > limit:
            raise ModuleFailed(f"{file.name}: only {limit} bytes are read, and it is longer packed")
        data = _unpacked(file, packed, limit + 1)
    else:
        data = _read(target, file, limit + 1, whole=False)
    complete = len(data) <= limit
    text = _decoded(data)
    return (text, True) if complete else (text.partition("\n")[2] or text, False)


def _read(target: Target, file: LogFile, limit: int, *, whole: bool) -> bytes:
    if target.platform.family == "windows":
        command = powershell(_READ_WINDOWS, path=file.path, last=limit, whole=whole)
    else:
        command = Argv(("head" if whole else "tail", "-c", str(limit), "--", file.path))
    finished = target.run(command, keep=limit)
    if finished.status:
        raise ModuleFailed(f"{file.name}: {_why(finished.stderr.text)}")
    return finished.stdout.head


def _why(said: str) -> str:
    """`tail: cannot open '/x' for reading: Permission denied` without what we know."""
    line = said.strip().partition("\n")[0]
    return line.rpartition(": ")[2] or "cannot be read"


def _unpacked(file: LogFile, packed: bytes, keep: int) -> bytes:
    """The last bytes of what a gzip file unpacks to, however often it was appended to."""
    kept = bytearray()
    total = 0
    while packed:
        member = zlib.decompressobj(wbits=31)
        left = packed
        while left and not member.eof:
            try:
                data = member.decompress(left, 2**20)
            except zlib.error as error:
                raise ModuleFailed(f"{file.name}: cannot be unpacked: {error}") from error
            total += len(data)
            if total > UNPACKING * keep:
                raise ModuleFailed(f"{file.name}: unpacks to more than {UNPACKING} times max_bytes")
            kept += data
            del kept[: max(0, len(kept) - keep)]
            left = member.unconsumed_tail
        kept += member.flush()
        packed = member.unused_data
    return bytes(kept)


def _decoded(data: bytes) -> str:
    """As UTF-8, or as the UTF-16 that Windows' own programs write."""
    sample = data[:2000]
    if len(sample) > 8 and sample[1::2].count(0) > len(sample) // 4:
        return data.decode("utf-16-le", "replace").lstrip("\ufeff")
    if len(sample) > 8 and sample[0::2].count(0) > len(sample) // 4:  # cut within a character
        return data[1:].decode("utf-16-le", "replace").lstrip("\ufeff")
    return data.decode("utf-8", "replace").lstrip("\ufeff")
