"""A web server to probe, started as a program: `web.py CERTIFICATE KEY`; prints HTTP, HTTPS port.

`/` says hello and counts the connections so far, `/elsewhere` redirects to the other port under
another name, `/slow` answers late, `/short` hangs up in the middle of its body.
"""

from __future__ import annotations

import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    connections = 0
    other = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self._answer(302, b"", f"http://127.0.0.1:{self.server.other}/")
        elif self.path == "/slow":
            threading.Event().wait(5)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        else:
            self._answer(200, f"hello {self.server.connections}".encode())

    def _answer(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    certificate, key = sys.argv[1:]
    plain, other, tls = (Server(("127.0.0.1", 0), Handler) for _ in range(3))
    plain.other = other.server_port
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    tls.socket = context.wrap_socket(tls.socket, server_side=True)
    for server in (plain, other, tls):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{plain.server_port} {tls.server_port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
