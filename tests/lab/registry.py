"""A registry of images in a machine, on its loopback only; Docker trusts that without TLS."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tests.lab.namespace import need
from tests.lab.ports import free_port

if TYPE_CHECKING:
    from tests.lab.namespace import Namespace

_CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: /srv/registry/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
# Given to Python in the machine: only there is the registry reached.
_RETAG = """
import sys, urllib.request
url, tag, new, kind = sys.argv[1:]
request = urllib.request.Request(f"{url}/{tag}", headers={"Accept": kind})
manifest = urllib.request.urlopen(request).read()
headers = {"Content-Type": kind}
request = urllib.request.Request(f"{url}/{new}", data=manifest, headers=headers, method="PUT")
urllib.request.urlopen(request)
"""
_READY = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """A running registry; `name` is what its images' names begin with."""

    def __init__(self, machine: Namespace) -> None:
        need("docker-registry")
        self._machine = machine
        self.name = f"127.0.0.1:{free_port()}"
        port = self.name.partition(":")[2]
        machine.write("/srv/registry/config.yml", _CONFIG.format(port=port))
        argv = ["sh", "-c", 'exec docker-registry serve "$1" >/srv/registry/log 2>&1', "sh"]
        process = machine.start([*argv, "/srv/registry/config.yml"])
        until = time.monotonic() + 60
        ready = [sys.executable, "-c", _READY, f"http://{self.name}/v2/"]
        while machine.exec(ready).returncode != 0:
            if process.poll() is not None or time.monotonic() > until:
                log = machine.exec(["cat", "/srv/registry/log"]).stdout
                raise RuntimeError(f"the registry did not start: {log[-4000:]}")
            time.sleep(0.1)

    def retag(self, repository: str, tag: str, new: str) -> None:
        """Have a tag point to the image that another one points to; no engine hears of it."""
        url = f"http://{self.name}/v2/{repository}/manifests"
        argv = [sys.executable, "-c", _RETAG, url, tag, new, _MANIFEST]
        self._machine.exec(argv, check=True)
