"""A file on a host, read whole and replaced whole, if it is still the one that was read.

The new content is written beside it into a copy of the file, so that its owner, mode, access lists
and labels stay; it is looked at there by whatever validates it, and then takes the file's place.
Whoever reads the file sees the old content or the new one, never a part.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.connections.base import Script
from engine.contract.hearing import understood
from engine.contract.powershell import ask_powershell, powershell
from engine.errors import ModuleFailed

if TYPE_CHECKING:
    from engine.connections.base import Argv
    from engine.contract.target import Target

LARGEST = 2**20
"""Bytes of a file that is read whole."""
PLACEHOLDER = "%s"
"""Stands in a validating command for the new content's file."""
_WORDS = 8192
"""Bytes for what is said of the file beside its content."""
_MEANWHILE = 3
_INVALID = 4
"""Exit statuses of the replacing scripts."""

# $1 the path, $2 how many bytes to read. readlink -f is not everywhere.
_LOOK = """LC_ALL=C; export LC_ALL
path=$1 left=40
while [ -L "$path" ]; do
  [ $left -gt 0 ] || { echo "too many links, one to the other" >&2; exit 1; }
  left=$((left - 1)) to=$(readlink -- "$path") || exit
  case $to in /*) path=$to ;; *) path=$(dirname -- "$path")/$to ;; esac
done
directory=$(cd -P -- "$(dirname -- "$path")" 2>/dev/null && pwd -P) ||
  { echo "there is no directory $(dirname -- "$path")" >&2; exit 1; }
path=${directory%/}/$(basename -- "$path")
if [ -d "$path" ]; then echo "it is a directory" >&2; exit 1; fi
if [ ! -e "$path" ]; then printf '%s\\0\\0' "$path"; exit 0; fi
[ -f "$path" ] || { echo "it is no regular file" >&2; exit 1; }
[ -r "$path" ] || { echo "it may not be read by $(id -un): needs become" >&2; exit 1; }
facts=$(stat -c '%d:%i %a %u:%g' -- "$path" 2>/dev/null ||
  stat -f '%d:%i %Mp%Lp %u:%g' -- "$path") || exit
printf '%s\\0%s\\0' "$path" "$facts"
exec head -c "$2" -- "$path"
"""
# A link's target is followed as often as there is one.
_LOOK_WINDOWS = """
$path = [IO.Path]::GetFullPath($given.path)
$item = Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
for ($left = 40; $item.LinkType -eq 'SymbolicLink' -and $left; $left--) {
  $path = [IO.Path]::Combine((Split-Path $path), @($item.Target)[0])
  $item = Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
}
if ($item.PSIsContainer) { throw 'it is a directory' }
if (-not $item -and -not (Test-Path -LiteralPath (Split-Path $path))) {
  throw "there is no directory $(Split-Path $path)"
}
$data = ''
if ($item) {
  $file = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite, Delete')
  $buffer = New-Object byte[] ([Math]::Min($file.Length, $given.limit))
  $size = 0
  while ($size -lt $buffer.Length) {
    $some = $file.Read($buffer, $size, $buffer.Length - $size)
    if (-not $some) { break }
    $size += $some
  }
  $file.Close()
  $data = [Convert]::ToBase64String($buffer, 0, $size)
}
@{ path = $path; exists = [bool]$item; data = $data
   inode = $(if ($item) { [string]$item.CreationTimeUtc.Ticks } else { '' }) } |
  ConvertTo-Json -Compress
"""
# $1 path, $2 name for the copy, $3 device and inode, or nothing for a file that is not there,
# $4 and $5 the sums of the old and the new content, $6 the mode of a new file, $7 name for the
# backup, $8 how many of them stay; then the command that validates.
_REPLACE = """LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
path=$1 copy=$2 inode=$3 old=$4 new=$5 mode=$6 backup=$7 keep=$8; shift 8
sum() {
  if command -v sha256sum >/dev/null; then sha256sum
  elif command -v shasum >/dev/null; then shasum -a 256
  elif command -v sha256 >/dev/null; then sha256 -q
  else openssl dgst -sha256 -r; fi <"$1" | cut -d ' ' -f 1
}
facts() { stat -c "$1" -- "$3" 2>/dev/null || stat -f "$2" -- "$3"; }
owner() { facts '%a %u:%g' '%Mp%Lp %u:%g' "$1"; }
double() { cp --preserve=all -- "$1" "$2" 2>/dev/null || cp -p -- "$1" "$2"; }
same() {
  if [ -z "$inode" ]; then [ ! -e "$path" ] && [ ! -L "$path" ]
  else [ "$(facts %d:%i %d:%i "$path")" = "$inode" ] && [ "$(sum "$path")" = "$old" ]
  fi
}
forget() { while [ $# -gt "$keep" ]; do rm -f -- "$1"; shift; done; }
[ -n "$(sum /dev/null)" ] || { echo "it needs sha256sum, shasum or openssl" >&2; exit 1; }
same || exit 3
trap 'rm -f -- "$copy"' EXIT
trap 'exit 1' HUP INT TERM
if [ -n "$inode" ]; then double "$path" "$copy" || exit
else (umask 077; : >"$copy") || exit
fi
cat >"$copy" || exit
[ "$(sum "$copy")" = "$new" ] || { echo "not all of the new content arrived" >&2; exit 1; }
if [ -z "$inode" ]; then chmod "$mode" -- "$copy" || exit
elif [ "$(owner "$copy")" != "$(owner "$path")" ]; then
  echo "its mode and owner ($(owner "$path")) cannot be kept: needs become" >&2; exit 1
fi
if [ $# -gt 0 ]; then "$@" >&2 </dev/null || { echo "exit status $?" >&2; exit 4; }; fi
same || exit 3
[ -z "$backup" ] || double "$path" "$backup" || exit
if [ -n "$inode" ]; then mv -f -- "$copy" "$path" || exit
else ln -- "$copy" "$path" 2>/dev/null || { same || exit 3; mv -f -- "$copy" "$path"; } || exit
fi
[ -z "$backup" ] || forget "$path".????????T??????Z-????.quell~
"""
_REPLACE_WINDOWS = """
$path = $given.path
function Same {
  $item = Get-Item -LiteralPath $path -Force -ErrorAction SilentlyContinue
  if (-not $given.inode) { return -not $item }
  $item -and [string]$item.CreationTimeUtc.Ticks -eq $given.inode -and
    (Get-FileHash -LiteralPath $path).Hash -eq $given.old
}
if (-not (Same)) { exit 3 }
try {
  $file = [IO.File]::Create($given.copy)
  [Console]::OpenStandardInput().CopyTo($file); $file.Close()
  if ((Get-FileHash -LiteralPath $given.copy).Hash -ne $given.new) {
    throw 'not all of the new content arrived'
  }
  if ($given.validate) {
    $program, $rest = @($given.validate)
    $ErrorActionPreference = 'Continue'
    $said = & $program $rest 2>&1 | Out-String
    $ErrorActionPreference = 'Stop'
    if ($LASTEXITCODE) { [Console]::Error.WriteLine("$said`nexit status $LASTEXITCODE"); exit 4 }
  }
  if (-not (Same)) { exit 3 }
  if (-not $given.inode) { [IO.File]::Move($given.copy, $path); exit 0 }
  $backup = if ($given.backup) { $given.backup } else { [NullString]::Value }
  [IO.File]::Replace($given.copy, $path, $backup)
  if ($given.backup) {
    Get-ChildItem "$([WildcardPattern]::Escape($path)).????????T??????Z-????.quell~" |
      Sort-Object Name | Select-Object -SkipLast $given.keep | Remove-Item
  }
} finally { Remove-Item -LiteralPath $given.copy -ErrorAction SilentlyContinue }
"""


class HostFile(Struct, frozen=True, kw_only=True):
    """A file as it was seen.

    Args:
        path: its own, with every link on the way followed.
        exists: whether it is there.
        inode: device and inode; on Windows when it was made.
        mode: in octal; empty on Windows.
        owner: numbers of its user and group; empty on Windows.
        data: all that is in it.
    """

    path: str
    exists: bool = True
    inode: str = ""
    mode: str = ""
    owner: str = ""
    data: bytes = b""

    @property
    def sha256(self) -> str:
        """Of its content; empty where it is not there."""
        return hashlib.sha256(self.data).hexdigest() if self.exists else ""


class _Seen(Struct):
    path: str
    exists: bool
    inode: str
    data: str


def look(target: Target, path: str) -> HostFile:
    """A file, whole; one that is not there is no error.

    Raises:
        ModuleFailed: it cannot be read, is no regular file, or is too large.
    """
    windows = target.platform.family == "windows"
    try:
        file = _look_windows(target, path) if windows else _look(target, path)
    except ModuleFailed as error:
        raise ModuleFailed(f"{path}: {error.message}") from None
    if len(file.data) > LARGEST:
        raise ModuleFailed(f"{path}: it is larger than {LARGEST} bytes")
    return file


def _look(target: Target, path: str) -> HostFile:
    keep = LARGEST + 1 + _WORDS
    found = target.run(Script(_LOOK, args=(path, str(LARGEST + 1))), keep=keep)
    if found.status:
        raise ModuleFailed(found.stderr.text.strip() or "it cannot be read")
    with understood():
        own, facts, data = found.stdout.head.split(b"\0", 2)
        inode, mode, owner = facts.decode().split() if facts else ("", "", "")
    name = own.decode("utf-8", "surrogateescape")
    if not facts:
        return HostFile(path=name, exists=False)
    return HostFile(path=name, inode=inode, mode=mode, owner=owner, data=data)


def _look_windows(target: Target, path: str) -> HostFile:
    keep = 2 * LARGEST
    seen = ask_powershell(target, _LOOK_WINDOWS, _Seen, keep=keep, path=path, limit=LARGEST + 1)
    with understood():
        data = base64.b64decode(seen.data)
    return HostFile(path=seen.path, exists=seen.exists, inode=seen.inode, data=data)


def replace(
    target: Target,
    file: HostFile,
    data: bytes,
    *,
    mode: str,
    backups: int,
    validate: tuple[str, ...] = (),
) -> str:
    """Put another content in a file's place.

    Args:
        target: the host.
        file: as it was seen; any other, or one with another content by now, is left alone.
        data: the content.
        mode: of a file that was not there.
        backups: how many old files stay beside it, this one among them; 0 keeps none.
        validate: a command that refuses bad content by its exit status; `%s` in its arguments is
            the file with the new content.

    Returns:
        The path of the backup; empty if there is none.

    Raises:
        ModuleFailed: it was not replaced.
    """
    directory, slash, name = _split(target, file.path)
    copy = f"{directory}{slash}.{secrets.token_hex(4)}.{name}"
    backup = _backup_name(file.path) if backups and file.exists else ""
    argv = tuple(arg.replace(PLACEHOLDER, copy) for arg in validate)
    command: Script | Argv
    if target.platform.family == "windows":
        command = powershell(
            _REPLACE_WINDOWS,
            path=file.path,
            copy=copy,
            inode=file.inode,
            old=file.sha256,
            new=_sum(data),
            backup=backup,
            keep=backups,
            validate=argv,
        )
    else:
        facts = (file.inode, file.sha256, _sum(data), mode, backup, str(backups))
        command = Script(_REPLACE, args=(file.path, copy, *facts, *argv))
    finished = target.run(command, stdin=data)
    if finished.status:
        raise ModuleFailed(f"{file.path}: {_why(finished.status, finished.stderr.text)}")
    return backup


def _why(status: int, said: str) -> str:
    if status == _MEANWHILE:
        return "it is not the file that was looked at, or has changed since; nothing was done"
    if status == _INVALID:
        return f"the new content is not valid, nothing was changed: {said.strip()}"
    return f"{said.strip() or f'exit status {status}'}; nothing was changed"


def _split(target: Target, path: str) -> tuple[str, str, str]:
    if target.platform.family == "windows":
        slash = max(path.rfind("\\"), path.rfind("/"))
        return path[:slash], "\\", path[slash + 1 :]
    return path.rpartition("/")


def _backup_name(path: str) -> str:
    return f"{path}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.quell~"


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
