"""What a persistent shell runs: one command after the other, each as a process of its own.

Nothing of a command is evaluated by the shell itself, so nothing of it can stay behind in it. The
shell uses what a Linux `sh` has built in, so a command costs little more than its process. From
/proc it learns what `sh` has no word for: whether a status above 128 was a signal, and whether a
process was left behind that can still write to the command's output. Where /proc cannot tell, the
shell ends before it has said that it is ready.

The shell is a bare `sh` that finds all of this on its stdin: first what it is to know, then a line
for each command, which has that as one quoted word. Its own parser reads them, many bytes at a
time where the shell can; `read` would take a system call for each.
"""

from __future__ import annotations

from msgspec import Struct

from engine.connections import shells
from engine.connections.base import Argv, Script

READY = b"+\n"
"""The shell's first output, once it knows that it can keep its promises here."""

_INT, _PIPE = 2, 13

_OF_ITS_PROCESS = ("$$", "{$", "PID")
"""A text without any of these does not ask for its shell's process: `$$`, `${$}`, `$PPID`."""

# A text may run in a copy of this shell where that is as good as a new one: in dash, which counts
# the lines of an `eval` from one, if its $LINENO knows of lines at all. In others errors would
# name lines that nobody wrote. A new one reads the text from a pipe: its arguments and its
# environment are for others to see.
#
# Names begin with _q_ and are unset first: what the account's environment exports under the same
# name would hand our values on to commands. `set +s` is for dash's $-, others do not know it.
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
#
# A command whose line was cut off has no `.` at its end.
_NAMES = (
    "_q_marker _q_reader _q_forget _q_line _q_from _q_last _q_pid _q_file _q_state _q_session"
    " _q_ours _q_end _q_status _q_sign _q_first _q_is"
)
_LOOP = """\
unset @NAMES@
_q_marker=$1
echo "$_q_marker $$"
echo "$_q_marker $$" >&2
[ -z "${BASH_VERSION-}" ] || set +o posix
command set +s 2>/dev/null
_q_forget='unset @NAMES@;unset -f newest session writes leaves begin run;trap - TERM;set --'
_q_reader='_t=
while IFS= read -r _l; do _t=$_t$_l${IFS#??}; done
exec </dev/null
eval "unset _l _t;$_t"'
newest() { read -r _q_line _q_line _q_line _q_line _q_last </proc/loadavg; }
session() {
  read -r _q_line 2>/dev/null </proc/$1/stat || return
  set -- ${_q_line##*) }
  _q_state=$1 _q_session=$4
}
writes() {
  if [ -r /proc/$1/fd ]; then
    for _q_file in /proc/$1/fd/*; do
      [ $_q_is "$_q_file" ] || continue
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
eval '_q_first=${LINENO-}'
begin() {
  case $1$_q_first in
    argv*) eval "$2" ;;
    text | text1) eval "$_q_forget;$2
" ;;
    *) exec /bin/sh -c "$_q_reader" /bin/sh <<end
$2
end
    ;;
  esac
}
run() {
  [ "${4-}" = . ] || exit
  newest
  _q_from=$_q_last _q_sign=
  (begin "$1" "$2") </dev/null 2>&3 3>&- 9<&-
  _q_status=$?
  if [ $_q_status -gt 128 ]; then
    echo . >&2
    while read -r _q_line <&9 && [ "$_q_line" != . ]; do _q_sign=-; done
  fi
  newest
  if leaves; then _q_end=end; fi
  echo "$3" >&3
  echo "$3 $_q_sign$_q_status $_q_end"
  [ -z "$_q_end" ] || exit
}
exec 3>&2 9<<end
.
end
read -r _q_line <&9
exec 2>>/proc/self/fd/9
newest
[ $_q_last -ge $$ ] && [ $_q_last -le $(($$ + 1000)) ] && [ -r /proc/1/stat ] || exit
[ /proc/self/fd/1 -ef /proc/$$/fd/1 ] || exit
_q_is=-e
[ -p /proc/$$/fd/1 ] && [ -p /proc/$$/fd/3 ] && _q_is=-p
trap _q_end=end TERM
echo +
""".replace("@NAMES@", _NAMES)

PROGRAM = _LOOP.encode()
"""What the shell is given first.

It says its first argument and its process id on both streams before anything else.
"""


def order(command: Argv | Script, mark: str) -> bytes:
    """A command as the loop reads it.

    Args:
        command: to run without stdin.
        mark: unguessable; what the loop says on both streams when the command has ended.

    Raises:
        HostError: it cannot be said to a shell.
    """
    text = shells.quoted(shells.program(command))
    return f"run {_kind(command)} {text} {mark} .\n".encode("utf-8", "surrogateescape")


def _kind(command: Argv | Script) -> str:
    """How the loop is to run it: as a program, or as text for a shell.

    A copy of the loop that has forgotten everything is as good as a new shell, for half of the
    cost; but `$$` and `$PPID` are the loop's there.
    """
    if isinstance(command, Argv) or command.executable is not None:
        return "argv"
    return "script" if any(word in command.text for word in _OF_ITS_PROCESS) else "text"


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
    status, _, last = said.strip().partition(b" ")
    number = abs(int(status))
    # No shell says so of these two. Nothing ends with such a status of its own accord.
    by_signal = status.startswith(b"-") or number in {128 + _INT, 128 + _PIPE}
    return End(128 - number if by_signal else number, bool(last))
