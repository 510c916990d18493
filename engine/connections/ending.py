"""What ends a command on its host, with all that it began.

Most of it is in the command's process group. What left that is found by its parents, or because it
can still write to the command's output: so a child that called setsid, and one whose parent is
gone, are ended too. A daemon that let go of all that is no longer the command's, nor is what an
earlier command of the same shell has left running.
"""

from __future__ import annotations

from msgspec import Struct

from engine.connections.base import Script

# A row is `pid:start:parent:group`; pid and start together are a process, however soon its pid is
# given to another. Processes that have ended and wait to be collected are left out. What is not
# Linux has no /proc: there `ps` knows all but the start, and who writes where stays unknown.
#
# A command that has its leader for itself began when that did. A shell that runs one command after
# the other began its present one when it started its child; what is older in its group is of
# earlier ones. A start counts hundredths of a second: of two in one, the lower pid was first.
#
# Whoever may write to the leader's own output, and is no older than the command, is the command's:
# the other end belongs to the SSH server, or to us. A file or a FIFO it shares with anybody.
#
# Parents come before their children, whatever their pids: a script whose present command is ended
# before it would go on to its next one.
_FIND = """\
see() {
  if [ -r /proc/self/stat ]; then
    line=
    while read -r part; do line=$line$part; done 2>/dev/null </proc/$1/stat
    set -- "$1" ${line##*) }
    [ $# -gt 20 ] && [ "$2" != Z ] && row=$1:${21}:$3:$4
  else
    set -- "$1" $(ps -o ppid= -o pgid= -o stat= -p "$1" 2>/dev/null)
    [ $# -eq 4 ] && [ "${4#Z}" = "$4" ] && row=$1:0:$2:$3
  fi
}
processes() {
  rows=
  if [ -r /proc/self/stat ]; then
    for file in /proc/[0-9]*; do
      see "${file#/proc/}" && rows="$rows $row"
    done
  else
    rows=$(ps -A -o pid= -o ppid= -o pgid= -o stat= | while read -r pid parent group state; do
      [ "${state#Z}" != "$state" ] || echo "$pid:0:$parent:$group"
    done)
  fi
}
fields() {
  pid=${row%%:*}
  parent=${row%:*} parent=${parent##*:}
  start=${row#*:} start=${start%%:*}
}
precedes() {
  [ "$1" -lt "$3" ] || { [ "$1" -eq "$3" ] && [ "$2" -lt "$4" ]; }
}
begun() {
  began= first_pid= outputs=
  processes
  for row in $rows; do
    fields
    if [ -n "$loop" ]; then of=$parent; else of=$pid; fi
    [ "$of" = "$leader" ] || continue
    if [ -z "$began" ] || precedes "$start" "$pid" "$began" "$first_pid"; then
      began=$start first_pid=$pid
    fi
  done
  [ -r /proc/$leader/fd ] || return
  for file in /proc/$leader/fd/[123]; do
    case $(readlink "$file" 2>/dev/null) in pipe:* | socket:*) outputs="$outputs $file" ;; esac
  done
}
writes() {
  for file in /proc/$pid/fd/*; do
    for output in $outputs; do
      [ "$file" -ef "$output" ] || continue
      while read -r name flags; do
        [ "$name" = flags: ] && case $flags in *[12]) return ;; esac
      done 2>/dev/null <"${file%/fd/*}/fdinfo/${file##*/}"
    done
  done
  return 1
}
belongs() {
  case $known in *" ${row%:*:*} "*) return ;; esac
  fields
  if [ "$pid" = "$leader" ]; then [ -z "$loop" ]; return; fi
  case " $leader: $all" in *" $parent:"*) return ;; esac
  [ -z "$kin" ] || return 1
  [ -z "$began" ] || ! precedes "$start" "$pid" "$began" "$first_pid" || return
  [ "${row##*:}" = "$group" ] && return
  [ -n "$first" ] && [ -n "$outputs" ] && writes
}
find_all() {
  processes
  all=' ' kin=yes grown=yes
  while [ -n "$kin$grown" ]; do
    kin=$grown grown=
    for row in $rows; do
      case $all in *" $row "*) continue ;; esac
      if belongs; then
        all="$all$row " known="$known${row%:*:*} " grown=yes
      fi
    done
    [ -n "$kin" ] || first=
  done
}
"""

# TERM comes once, since to some programs a second one means haste; CONT is for what was stopped.
_END = """\
signal() {
  [ -n "$loop" ] || kill -s "$1" -- "-$leader" 2>/dev/null
  for row in $all; do
    [ -z "$loop" ] && [ "${row##*:}" = "$leader" ] || kill -s "$1" "${row%%:*}" 2>/dev/null
  done
}
wait_for_all() {
  n=0
  while [ $n -lt $1 ] && [ "$all" != ' ' ]; do
    sleep 0.1 2>/dev/null || { sleep 1; n=9; }
    n=$((n + 1)) before=$all all=' '
    for was in $before; do
      see "${was%%:*}" && [ "${row%:*:*}" = "${was%:*:*}" ] && all="$all$row "
    done
  done
}
end_all() {
  known=' ' first=yes
  begun
  [ -n "$began" ] || [ -z "$loop" ] || return 0
  find_all
  [ "$all" != ' ' ] || return 0
  signal TERM
  signal CONT
  [ -z "$loop" ] || kill -s CONT "$leader" 2>/dev/null
  wait_for_all 8
  for again in 1 2 3; do
    find_all
    [ "$all" != ' ' ] || return 0
    signal KILL
    wait_for_all 2
  done
  find_all
  [ "$all" = ' ' ]
}
"""

END = f"{_FIND}{_END}leader=$1 group=$2 loop=$3\nend_all\n"
"""Ends what a `Leader` leads: TERM, a second of grace, KILL.

Its status says whether all of it is known to be gone.
"""

# A loop that has not said its process id yet is found by its marker, with which its command line
# ends. So does that of a copy of it that runs a text; the loop is the one whose parent's does not.
# A NUL, which stands between two words there, is nothing to `read`; what is no /bin/sh is not read,
# since `read` takes a system call for each byte.
#
# The session that it is given in ends at once. It looks each second whether its command is still
# there, after a minute every five.
_TIMER = """\
look_for_loop() {
  processes
  loops=' '
  for row in $rows; do
    pid=${row%%:*} line=
    [ /proc/$pid/exe -ef /bin/sh ] || continue
    read -r line 2>/dev/null </proc/$pid/cmdline
    case $line in *-s"$loop") loops="$loops$pid " ;; esac
  done
  for row in $rows; do
    fields
    case $loops in *" $pid "*) ;; *) continue ;; esac
    case $loops in *" $parent "*) continue ;; esac
    leader=$pid group=${group:-$pid}
    return
  done
  return 1
}
leader=$1 group=$2 loop=$3 left=$4 age=$5
[ -n "$leader" ] || look_for_loop || exit 0
begun
[ -n "$began" ] || exit 0
if [ "$age" -gt 0 ]; then
  read -r up idle 2>/dev/null </proc/uptime || exit 0
  ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)
  [ $((${up%.*} - began / ticks)) -ge "$age" ] || exit 0
fi
of=$first_pid:$began
(
  passed=0
  while [ "$left" -gt 0 ]; do
    step=1
    [ $passed -lt 60 ] || [ "$left" -lt 5 ] || step=5
    sleep $step
    passed=$((passed + step)) left=$((left - step))
    see "${of%:*}" && [ "${row%:*:*}" = "$of" ] || exit
  done
  end_all
) </dev/null >/dev/null 2>&1 &
echo $!
"""

TIMER = f"{_FIND}{_END}{_TIMER}"
"""Stays on the host, and ends what a `Leader` leads if it is still there after so many seconds.

It says its own pid. It does nothing about a process that is younger than so many seconds.
"""


class Leader(Struct, frozen=True):
    """The process on the host that a command begins with.

    Args:
        pid: of it; None while a loop has not said it.
        group: its process group, if it does not lead that itself: what led to another account may.
        loop: the marker of a shell that runs one command after the other, which is left alone
            itself; empty where it is none.
        since: monotonic time at which it was there.
    """

    pid: int | None
    group: int | None = None
    loop: str = ""
    since: float = 0.0

    @property
    def _args(self) -> tuple[str, str, str]:
        return str(self.pid or ""), str(self.group or self.pid or ""), self.loop

    @property
    def end(self) -> Script:
        """What ends the command."""
        return Script(END, self._args)

    def timer(self, left: int, age: int) -> Script:
        """What ends the command in so many seconds, if the leader is at least so old."""
        return Script(TIMER, (*self._args, str(left), str(age)))
