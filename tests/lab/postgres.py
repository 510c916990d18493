"""PostgreSQL 15 in a machine: on its unix socket and its loopback only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    from tests.lab.namespace import Namespace

BIN = "/usr/lib/postgresql/15/bin"
SOCKET_DIR = "/var/run/postgresql"
PORT = 5432
DATABASE = "insightengine"
ROLE = "insight"
PASSWORD = "open sesame"
SECURE_ROLE = "secure"
"""May log in over TCP with TLS only."""
_DIRECTORY = "/srv/postgresql"
CERTIFICATE = f"{_DIRECTORY}/data/server.crt"
"""Signed by itself, for the name `db.NAME` that the machine's /etc/hosts gives to its loopback."""
# What is on the disk does not matter: the machine ends with the tests.
_CONFIG = """
listen_addresses = 'localhost'
shared_buffers = 16MB
fsync = off
full_page_writes = off
autovacuum = off
"""
_LAB_CONFIG = f"""
port = {PORT}
unix_socket_directories = '{SOCKET_DIR}'
max_connections = 20
synchronous_commit = off
ssl = on
"""
# root may be postgres, itself or the application on the socket; over TCP everyone has a password.
_HBA = f"""
local all all peer map=lab
hostnossl all {SECURE_ROLE} all reject
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""
_IDENT = f"""
lab postgres postgres
lab root postgres
lab root root
lab root {ROLE}
"""
_SQL = f"""
create role {ROLE} login password '{PASSWORD}';
create role {SECURE_ROLE} login password '{PASSWORD}';
create role root login in role pg_monitor, pg_signal_backend;
create database {DATABASE} owner {ROLE};
"""
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


@dataclass(frozen=True)
class Cluster:
    """A server's data in a machine, and how it is started and ended.

    Args:
        machine: where.
        port: the server's.
        directory: of its data and its log.
        socket_dir: of its unix socket.
    """

    machine: Namespace
    port: int = PORT
    directory: str = _DIRECTORY
    socket_dir: str = SOCKET_DIR

    def make(self, config: str) -> None:
        """Make the data, with these settings and the lab's own."""
        if not Path(BIN).is_dir():
            raise RuntimeError("the lab needs PostgreSQL 15: apt-get install postgresql")
        data = f"{self.directory}/data"
        initdb = f"{BIN}/initdb -D {data} -U postgres --locale=C.UTF-8 -A trust --no-sync"
        script = f"""
mkdir -p {self.directory} {self.socket_dir}
chown postgres: {self.directory} {self.socket_dir}
cd {self.directory}
{" ".join(AS_POSTGRES)} {initdb}
"""
        self.machine.exec(["sh", "-ec", script], check=True)
        self.machine.write(f"{data}/postgresql.conf", _CONFIG + config)
        self.machine.write(f"{data}/pg_hba.conf", _HBA)
        self.machine.write(f"{data}/pg_ident.conf", _IDENT)

    def start(self) -> None:
        """Start the server; returns when it answers."""
        done = self._control("-l", f"{self.directory}/log", "-w", "start")
        if done.returncode != 0:
            log = self.machine.exec(["cat", f"{self.directory}/log"]).stdout
            raise RuntimeError(f"PostgreSQL did not start: {done.stdout}{done.stderr}{log}")

    def stop(self, mode: str) -> None:
        """End it: `fast` in good order, `immediate` as a crash would."""
        done = self._control("-m", mode, "-w", "stop")
        assert done.returncode == 0, done.stdout + done.stderr

    def psql(self, sql: str, *, database: str = "postgres") -> str:
        """What it answers the superuser: a row a line, columns separated by `|`."""
        argv = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        where = ["-h", self.socket_dir, "-p", str(self.port), database]
        done = self.machine.exec([*AS_POSTGRES, *argv, *where], stdin=sql, check=True)
        return done.stdout.strip()

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        ctl = [f"{BIN}/pg_ctl", "-D", f"{self.directory}/data", *arguments]
        return self.machine.exec([*AS_POSTGRES, *ctl])


def start_postgres(machine: Namespace) -> Cluster:
    """Make the lab's cluster and start its server; returns when it answers."""
    cluster = Cluster(machine)
    cluster.make(_LAB_CONFIG)
    script = f"""
cd {cluster.directory}/data
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=lab \\
  -addext subjectAltName=DNS:db.{machine.name} -keyout server.key -out server.crt 2>/dev/null
chown postgres: server.key server.crt
"""
    machine.exec(["sh", "-ec", script], check=True)
    cluster.start()
    cluster.psql(_SQL)
    return cluster
