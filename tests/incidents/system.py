"""A small system to have incidents on: three hosts that are reached through SSH alone.

app1  Docker: the containers `backend` (8080) and `frontend` (3000)
db1   PostgreSQL: the database `insightengine`
mon1  Prometheus (9090), Alertmanager (9093), and what it tells, a file an alert
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.incidents.frontend import USER
from tests.incidents.monitoring import ALERTS, start_monitoring
from tests.lab.alertmanager import matching
from tests.lab.dockerd import IMAGE
from tests.lab.lab import Host
from tests.lab.postgres import AS_POSTGRES, DATABASE, PASSWORD, ROLE
from tests.lab.sshd import make_key

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BACKEND, FRONTEND, WEBSOCKET = 8080, 3000, 8081
MEMORY = "160m"
"""What the backend's container may use."""
SETTINGS = "/srv/insight/backend.env"
KEY = "/srv/insight/signing.key"
_PATIENCE = 60.0
_APP_TO_DB = ("192.168.77.1/30", "192.168.77.2/30")
_APP_TO_MON = ("192.168.78.1/30", "192.168.78.2/30")

_SCHEMA = f"""
create table settings (name text primary key, value int not null);
create table users (email text primary key, password text not null);
create table events (id bigint generated always as identity primary key, what text not null);
insert into settings values ('cache_megabytes', 8);
insert into events (what) select 'event ' || i from generate_series(1, 1000) i;
insert into users values ('{USER["email"]}', encode(sha256('{USER["password"]}'), 'hex'));
grant all on all tables in schema public to {ROLE};
"""  # noqa: S608 all of it is ours


class System:
    """All of it, running and healthy; a context manager.

    Args:
        directory: where the client's key and the inventory are written; made and removed, unless
            given.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="quell-incidents-"))
        self.hosts: list[Host] = []
        try:
            client = make_key(self.directory / "id_ed25519")
            known_hosts = self.directory / "known_hosts"
            for number, name in enumerate(("app1", "db1", "mon1"), 4):  # the lab has fewer
                self.hosts.append(Host(name, number, client, known_hosts))
            self.app, self.db, self.mon = self.hosts
            _link(self.app, self.db, "db", *_APP_TO_DB)
            _link(self.app, self.mon, "mon", *_APP_TO_MON)
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        with ThreadPoolExecutor() as pool:
            for started in (pool.submit(self._database), pool.submit(self.app.dockerd)):
                started.result()
        self.app.write(KEY, "0123456789abcdef" * 4 + "\n", 0o600)
        self.app.write(SETTINGS, _settings())
        self.app.write("/etc/hosts", "127.0.0.1 localhost\n192.168.77.2 db1\n")
        self._container("backend", MEMORY, SETTINGS)
        self._container("frontend", MEMORY, str(FRONTEND), f"http://localhost:{BACKEND}")
        self.wait_until_ready()
        self.mon.write("/etc/hosts", "127.0.0.1 localhost\n192.168.78.1 app1\n")
        start_monitoring(self.mon, f"app1:{BACKEND}")

    def _database(self) -> None:
        self.db.postgres()
        self.db.psql(_SCHEMA)
        server = "/srv/postgresql/data"
        allow = f"host {DATABASE} {ROLE} 192.168.77.0/30 scram-sha-256"
        listen = "listen_addresses = 'localhost,192.168.77.2'"
        script = f'echo "$1" >>{server}/pg_hba.conf; echo "$2" >>{server}/postgresql.conf'
        self.db.exec(["sh", "-ec", script, "sh", allow, listen], check=True)
        restart = ["/usr/lib/postgresql/15/bin/pg_ctl", "-D", server, "-w", "restart"]
        self.db.exec([*AS_POSTGRES, *restart, "-l", "/srv/postgresql/log"], check=True)

    def _container(self, name: str, memory: str, *arguments: str) -> None:
        # The image has nothing but busybox: this machine's Python is lent to it.
        lent = {"/usr", "/lib", "/lib64", sys.prefix, sys.base_prefix, str(ROOT)}
        volumes = [part for path in sorted(lent) for part in ("-v", f"{path}:{path}:ro")]
        limits = ["--memory", memory, "--memory-swap", memory]
        options = ["--name", name, "--network", "host", "-v", "/srv/insight:/srv/insight"]
        program = [sys.executable, "-u", "-m", f"tests.incidents.{name}", *arguments]
        where = ["-w", str(ROOT), IMAGE]
        self.app.docker("run", "-d", *options, *limits, *volumes, *where, *program)

    def wait_until_ready(self) -> None:
        """Wait until the backend answers that it is.

        Raises:
            RuntimeError: it does not, with its log.
        """
        until = time.monotonic() + _PATIENCE
        while self.ready() != 200:
            if time.monotonic() > until:
                log = self.app.docker("logs", "--tail", "50", "backend", check=False)
                raise RuntimeError(f"the backend is not ready: {log.stdout}{log.stderr}")
            time.sleep(0.1)

    def ready(self) -> int:
        """The status of the backend's readiness check; 0 where nothing answers."""
        return self.status("/api/health/ready")

    def status(self, path: str, *, post: str | None = None) -> int:
        """The status of one of the backend's pages, as app1 sees it; 0 where nothing answers."""
        body = [] if post is None else ["-H", "Content-Type: application/json", "-d", post]
        form = ["-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}"]
        url = f"http://localhost:{BACKEND}{path}"
        return int(self.app.exec(["curl", *form, *body, url]).stdout or 0)

    def container(self, name: str, form: str) -> str:
        """A field of what Docker knows of a container."""
        return self.app.docker("inspect", "-f", form, name).stdout.strip()

    def noticed(self, name: str) -> Path:
        """Wait until Alertmanager has told of an alert; the file with what it sent.

        Raises:
            RuntimeError: it does not.
        """
        path = self.directory / f"{name}.json"
        _until(lambda: self.mon.exec(["test", "-e", f"{ALERTS}/{name}.json"]).returncode == 0, name)
        path.write_text(self.mon.exec(["cat", f"{ALERTS}/{name}.json"], check=True).stdout)
        return path

    def calm(self) -> None:
        """Wait until the backend is ready and no alert fires; forget those that did.

        Raises:
            RuntimeError: that does not come about.
        """
        self.wait_until_ready()
        _until(lambda: not matching(self.mon), "no alert fires")
        self.mon.exec(["sh", "-c", f"rm -f {ALERTS}/*.json"], check=True)

    def inventory(self) -> Path:
        """Write the inventory: groups `app`, `db` and `monitoring`."""
        path = self.directory / "inventory.yml"
        path.write_text(f"""\
all:
  vars:
    ansible_user: {Host.user}
    ansible_ssh_private_key_file: {self.app.key_path}
    ansible_ssh_known_hosts_file: {self.app.known_hosts}
  children:
    app:
      hosts:
        app1: {{ansible_host: {self.app.address}}}
    db:
      hosts:
        db1: {{ansible_host: {self.db.address}}}
    monitoring:
      hosts:
        mon1: {{ansible_host: {self.mon.address}}}
""")
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the hosts, and with them all that ran there; remove the files."""
        for host in self.hosts:
            host.close()
        shutil.rmtree(self.directory)


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {_PATIENCE:g} s")
        time.sleep(0.1)


def _settings() -> str:
    return f"""\
# The backend's settings; it reads them when it starts.
PORT={BACKEND}
WEBSOCKET_PORT={WEBSOCKET}
DATABASE_URL=postgresql://{ROLE}:{PASSWORD.replace(" ", "%20")}@db1/{DATABASE}
POOL_SIZE=5
JWT_KEY_FILE={KEY}
"""


def _link(one: Host, other: Host, name: str, address: str, far: str) -> None:
    """Join two hosts with a link of their own, which ends with either."""
    batch = f"link add {name} netns {one.pid} type veth peer name {one.name} netns {other.pid}\n"

    subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True)
    for host, device, where in ((one, name, address), (other, one.name, far)):
        lines = f"addr add {where} dev {device}\nlink set {device} up\n"
        host.exec(["ip", "-batch", "-"], stdin=lines, check=True)
