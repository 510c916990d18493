"""A server to dial, started as a program on the host under test: `echo.py SOCKET_PATH`.

It prints its TCP ports: one echoes until the end of file, one hangs up after the first byte, one
neither answers nor hangs up. The unix socket echoes too.
"""

from __future__ import annotations

import socketserver
import sys
import threading


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class HangUp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1)


class Mute(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        threading.Event().wait()


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    servers = [Tcp(("127.0.0.1", 0), handler) for handler in (Echo, HangUp, Mute)]
    unix = Unix(sys.argv[1], Echo)
    for server in (*servers, unix):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(" ".join(str(server.server_address[1]) for server in servers) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
