"""PostgreSQL 15 in a machine: on its unix socket and its loopback only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

BIN = "/usr/lib/postgresql/15/bin"
SOCKET_DIR = "/var/run/postgresql"
PORT = 5432
DATABASE = "insightengine"
ROLE = "insight"
PASSWORD = "open sesame"
SECURE_ROLE = "secure"
"""May log in over TCP with TLS only."""
_DATA = "/srv/postgresql"
CERTIFICATE = f"{_DATA}/data/server.crt"
"""Signed by itself, for the name `db.NAME` that the machine's /etc/hosts gives to its loopback."""
_CONFIG = f"""
listen_addresses = 'localhost'
port = {PORT}
unix_socket_directories = '{SOCKET_DIR}'
max_connections = 20
shared_buffers = 16MB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
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


def start_postgres(machine: Namespace) -> None:
    """Make a cluster and start its server; returns when it answers."""
    if not Path(BIN).is_dir():
        raise RuntimeError("the lab needs PostgreSQL 15: apt-get install postgresql")
    script = f"""
mkdir -p {_DATA} {SOCKET_DIR}
chown postgres: {_DATA} {SOCKET_DIR}
cd {_DATA}
{" ".join(AS_POSTGRES)} {BIN}/initdb -D {_DATA}/data -U postgres --locale=C.UTF-8 -A trust --no-sync
cd data
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=lab \\
  -addext subjectAltName=DNS:db.{machine.name} -keyout server.key -out server.crt 2>/dev/null
chown postgres: server.key server.crt
"""
    machine.exec(["sh", "-ec", script], check=True)
    machine.write(f"{_DATA}/data/postgresql.conf", _CONFIG)
    machine.write(f"{_DATA}/data/pg_hba.conf", _HBA)
    machine.write(f"{_DATA}/data/pg_ident.conf", _IDENT)
    ctl = [f"{BIN}/pg_ctl", "-D", f"{_DATA}/data", "-l", f"{_DATA}/log", "-w", "start"]
    done = machine.exec([*AS_POSTGRES, *ctl])
    if done.returncode != 0:
        log = machine.exec(["cat", f"{_DATA}/log"]).stdout
        raise RuntimeError(f"PostgreSQL did not start: {done.stdout}{done.stderr}{log}")
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", "postgres"]
    machine.exec([*AS_POSTGRES, *psql], stdin=_SQL, check=True)
