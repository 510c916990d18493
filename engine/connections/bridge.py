"""A stream to a unix socket as another account: by a program on the host that joins the two.

sshd opens sockets as the login account alone. So one of the host's own programs does it, and its
input and output are the stream.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

from engine.connections import shells
from engine.connections.base import Script
from engine.connections.entrance import send, time_left
from engine.connections.output import LINGER, Keeper, Marked
from engine.errors import DeadlineExceeded, DialRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.connections.entrance import Channel, Entrance
    from engine.connections.output import Ending
    from engine.errors import HostError

# One process for each direction, so that neither can block the other; each hands on its end of
# file. Both languages in their common versions, the first Python 3 and the last Python 2 included.
_PYTHON = """
import os, select, socket, sys
far = socket.socket(socket.AF_UNIX)
try:
    far.connect(sys.argv[1])
except socket.error:
    sys.exit("%s: %s" % (sys.argv[1], sys.exc_info()[1].strerror))
def say(data):
    while data:
        data = data[os.write(1, data):]
def down():
    ends = select.poll()
    ends.register(far, select.POLLIN)
    ends.register(1, 0)
    while 1 not in dict(ends.poll()):
        data = far.recv(65536)
        if not data:
            return
        say(data)
def up():
    data = os.read(0, 65536)
    while data:
        far.sendall(data)
        data = os.read(0, 65536)
    far.shutdown(socket.SHUT_WR)
say((sys.argv[2] + "\\n").encode())
child = os.fork()
try:
    if child:
        down()
    else:
        up()
except (OSError, socket.error):
    pass
if child:
    os.kill(child, 9)
os._exit(0)
"""
_PERL = """
use Socket;
socket(my $far, PF_UNIX, SOCK_STREAM, 0) or die "$!\\n";
connect($far, pack_sockaddr_un($ARGV[0])) or die "$ARGV[0]: $!\\n";
sub copy {
  my ($in, $out, $data) = @_;
  while (sysread($in, $data, 65536)) {
    for (my $at = 0; $at < length $data;) {
      $at += syswrite($out, $data, length($data) - $at, $at) || return;
    }
  }
}
syswrite(STDOUT, "$ARGV[1]\\n");
defined(my $child = fork) or die "$!\\n";
if ($child) { copy($far, \\*STDOUT); kill 9, $child; }
else { copy(\\*STDIN, $far); shutdown($far, 1); }
"""

# $1 path, $2 the word that the stream begins behind, $3 and $4 the programs above.
BRIDGE = """\
PATH=$PATH:/usr/sbin:/sbin:/usr/libexec
why() { echo "$1" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
[ -e "$1" ] || why "no such socket"
[ -S "$1" ] || why "not a socket"
[ -r "$1" ] && [ -w "$1" ] || why "permission denied for $(id -un)"
for python in python3 platform-python python python2; do
  has $python && exec $python -c "$3" "$1" "$2"
done
has perl && exec perl -e "$4" "$1" "$2"
if [ -r /proc/net/unix ]; then
  grep -q "/${1##*/}\\$" /proc/net/unix || why "connection refused: nothing listens there"
fi
if has socat; then
  echo "$2"
  exec socat -t 1000000 - "UNIX-CONNECT:$1"
fi
for nc in nc ncat; do
  has $nc || continue
  case $($nc -h 2>&1) in
    *-N*-U*) echo "$2"; exec $nc -N -U "$1" ;;
    *-U*) echo "$2"; exec $nc -U "$1" ;;
  esac
done
case $1 in
  */docker.sock) has docker && { echo "$2"; exec docker -H "unix://$1" system dial-stdio; } ;;
esac
why "no program to join a stream to it: install python3, perl, socat or a nc that knows -U"
"""


class Gate:
    """A sink for what comes before the stream, which begins behind a word's line.

    Args:
        word: unguessable.
    """

    def __init__(self, word: str) -> None:
        """Nothing has come yet."""
        self._line = f"{word}\n".encode()
        self._said = b""
        self.open = False
        """Whether the stream has begun."""
        self.settled = threading.Event()
        """Is set once that is known."""

    def hear(self, receive: Callable[[int], bytes], stdout: Ending) -> None:
        """Read in the background, up to the stream and not a byte further.

        Args:
            receive: reads so many bytes.
            stdout: is fed what comes, and hands it on to this gate.
        """
        threading.Thread(target=self._hear, args=(receive, stdout), daemon=True).start()

    def _hear(self, receive: Callable[[int], bytes], stdout: Ending) -> None:
        while not self.open:
            try:
                byte = receive(1)
            except TimeoutError:
                continue  # it was for what is sent in the meantime
            except OSError:
                byte = b""
            if not byte:
                stdout.finish()
                return
            stdout.feed(byte)

    def feed(self, data: bytes) -> None:
        """Take the next byte."""
        self._said += data
        if self._said.endswith(self._line):
            self.open = True
            self.settled.set()

    def finish(self) -> None:
        """There will be no stream."""
        self.settled.set()


def stream(entrance: Entrance, path: str, timeout: float) -> Channel:
    """A session that is a stream to a socket.

    Args:
        entrance: of the account that dials.
        path: of the socket.
        timeout: seconds.

    Raises:
        DialRefused: the socket refused, or nothing on the host can join us to it.
        DeadlineExceeded: the time was over.
        As `Entrance.enter`.
    """
    deadline = time.monotonic() + timeout
    marker, word = secrets.token_hex(12), secrets.token_hex(12)
    gate, errors = Gate(word), Keeper()
    entered = entrance.enter(gate, Marked(marker, errors), deadline, hear=gate.hear)
    channel = entered.channel
    program = shells.program(Script(BRIDGE, (path, word, _PYTHON, _PERL)))
    send(channel, shells.on_stdin(program, b"", marker), deadline)
    gate.settled.wait(time_left(deadline))
    if gate.open:
        channel.settimeout(None)
        return channel
    if gate.settled.is_set():
        entered.ended.wait(LINGER)
    channel.close()
    raise _failure(gate, errors, path, timeout)


def _failure(gate: Gate, errors: Keeper, path: str, timeout: float) -> HostError:
    """Why no stream came about."""
    if not gate.settled.is_set():
        return DeadlineExceeded(f"{path}: no answer within {timeout:g} s")
    said = errors.output().text.strip().removeprefix(f"{path}: ")
    return DialRefused(f"{path}: {said or 'the program that was to join us to it ended'}")
