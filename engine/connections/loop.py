"""What a persistent shell runs: one command after the other, each as a process of its own.

Nothing of a command is evaluated by the shell itself, so nothing of it can stay behind in it. The
shell uses what a Linux `sh` has built in, so a command costs little more than its process. From
/proc it learns what `sh` has no word for: whether a status above 128 was a signal, and whether a
process was left behind that can still write to the command's output. Where /proc cannot tell, the
shell ends before it has said that it is ready.
"""

from __future__ import annotations

from msgspec import Struct

from engine.connections import shells
from engine.connections.base import Argv, Script

READY = b"+\n"
"""The shell's first output, once it knows that it can keep its promises here."""

_INT, _PIPE = 2, 13

# Names begin with _q_ and are unset first: what the account's environment exports under the same
# name would hand our values on to commands.
#
# fd 3: the commands' stderr. fd 2: where the shell itself reports a child that a signal ended;
# it is the write end of a pipe that a here-document made, and fd 9 is the end to read it from.
# bash says nothing of signals after `-c` in POSIX mode, so it is taken out of that.
#
# A process that a command left behind has a pid from after the command's start. The kernel's
# newest pid is read again whenever all up to it were looked at, so a process that forks on while
# we look is found too. Of another account's process the files cannot be seen; it can only be the
# command's if it is of our session, or of one that began after the command did. Where too many
# pids have gone by, or they began anew, the answer is yes: a shell that goes without need is
# only slow.
_LOOP = """\
unset _q_reader _q_line _q_mark _q_kind _q_from _q_last _q_pid _q_file _q_state _q_session
unset _q_ours _q_end _q_status _q_sign
[ -z "${BASH_VERSION-}" ] || set +o posix
_q_reader='@READER@'
newest() { read -r _q_line _q_line _q_line _q_line _q_last </proc/loadavg; }
session() {
  read -r _q_line 2>/dev/null </proc/$1/stat || return
  set -- ${_q_line##*) }
  _q_state=$1 _q_session=$4
}
writes() {
  if [ -r /proc/$1/fd ]; then
    for _q_file in /proc/$1/fd/*; do
      [ "$_q_file" -ef /proc/$$/fd/1 ] && return
      [ "$_q_file" -ef /proc/$$/fd/3 ] && return
    done
    return 1
  fi
  session $$
  _q_ours=$_q_session
  session $1 && [ "$_q_state" != Z ] || return
  [ $_q_session -gt $_q_from ] || [ $_q_session -eq $_q_ours ]
}
leaves() {
  [ $_q_last -gt $_q_from ] && [ $_q_last -le $((_q_from + 500)) ] || return 0
  _q_pid=$_q_from
  while [ $_q_pid -lt $_q_last ]; do
    _q_pid=$((_q_pid + 1))
    [ -e /proc/$_q_pid ] && writes $_q_pid && return
    [ $_q_pid -lt $_q_last ] || newest
  done
  return 1
}
exec 3>&2 9<<end
.
end
read -r _q_line <&9
exec 2>>/proc/self/fd/9
newest
[ $_q_last -ge $$ ] && [ $_q_last -le $(($$ + 1000)) ] && [ -r /proc/1/stat ] || exit
[ /proc/self/fd/1 -ef /proc/$$/fd/1 ] || exit
trap _q_end=end TERM
echo +
while read -r _q_line _q_mark _q_kind && [ "$_q_line" = "$1" ]; do
  newest
  _q_from=$_q_last _q_sign=
  (
    [ $_q_kind = argv ] || exec /bin/sh -c "$_q_reader" sh
    eval "$_q_reader"
  ) 2>&3 3>&- 9<&-
  _q_status=$?
  if [ $_q_status -gt 128 ]; then
    echo . >&2
    while read -r _q_line <&9 && [ "$_q_line" != . ]; do _q_sign=-; done
  fi
  newest
  if leaves; then _q_end=end; fi
  echo "$_q_mark" >&3
  echo "$_q_mark $_q_sign$_q_status $_q_end"
  [ -z "$_q_end" ] || exit
done
""".replace("@READER@", shells.DEAF_READER)


def program(key: str) -> str:
    """The loop, as text for `sh`.

    Args:
        key: unguessable; what does not begin with it is not taken for a command.
    """
    return shells.program(Script(_LOOP, (key,)))


def order(command: Argv | Script, key: str, mark: str) -> bytes:
    """A command as the loop reads it.

    Args:
        command: to run without stdin.
        key: the loop's.
        mark: unguessable; what the loop says on both streams when the command has ended.

    Raises:
        HostError: it cannot be said to a shell.
    """
    replaced = isinstance(command, Argv) or command.executable is not None
    kind = "argv" if replaced else "script"
    return f"{key} {mark} {kind}\n".encode() + shells.on_stdin(shells.program(command), b"")


class End(Struct, frozen=True):
    """What the loop says of a command that ended.

    Args:
        status: as in `Finished`.
        last: the shell has ended too: a process may be left behind that can still write to its
            streams, or it was told to end.
    """

    status: int
    last: bool


def end(said: bytes) -> End:
    """Read what stands behind the mark on stdout."""
    status, *last = said.decode().split()
    number = int(status.lstrip("-"))
    # No shell says so of these two. Nothing ends with such a status of its own accord.
    by_signal = status.startswith("-") or number in {128 + _INT, 128 + _PIPE}
    return End(128 - number if by_signal else number, bool(last))
