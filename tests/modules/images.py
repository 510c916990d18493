"""Images for tests: each its own, made of the lab's."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.lab.dockerd import IMAGE
from tests.modules.containers import names

if TYPE_CHECKING:
    from tests.lab.lab import Host


def image(host: Host, tag: str, *changes: str) -> str:
    """Make an image with a tag; gives its id.

    Args:
        host: where the engine is.
        tag: `app:1`.
        changes: as in a Dockerfile: `ENV LEVEL=info`.
    """
    container = host.docker("create", IMAGE, "true").stdout.strip()
    try:
        given = [part for change in changes for part in ("--change", change)]
        return host.docker("commit", *given, container, tag).stdout.strip()
    finally:
        host.docker("rm", container)


class Application:
    """A container and a repository of images of the same name, which no other test has.

    The engine remembers what other tests did with their names.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.name = f"app-{secrets.token_hex(4)}"
        self._ids: list[str] = []

    def image(self, tag: str, *changes: str) -> str:
        """One of its images; gives the id."""
        id_ = image(self.host, f"{self.name}:{tag}", *changes)
        self._ids.append(id_)
        return id_

    def run(self, tag: str, *options: str, command: tuple[str, ...] = ()) -> str:
        """Its container, from one of its images; gives the id."""
        made = self.host.docker(
            "run", "-d", "--name", self.name, *options, f"{self.name}:{tag}", *command
        )
        return made.stdout.strip()

    def others(self) -> list[str]:
        """Containers that are there beside its own, and were made from its images."""
        found = [name for name in names(self.host) if name.startswith(f"{self.name}-")]
        return sorted(found)

    def remove(self) -> None:
        """Leave nothing of it."""
        left = self.host.docker("ps", "-aq", "--filter", f"name={self.name}").stdout.split()
        if left:
            self.host.docker("rm", "-fv", *left)
        for id_ in self._ids:
            self.host.docker("rmi", "-f", id_, check=False)
