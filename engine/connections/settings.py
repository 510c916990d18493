"""How one host is reached: its inventory variables, checked and typed."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["ssh", "local"]

CONNECT_TIMEOUT = 10.0
"""Seconds for the whole of a connect, `-T` unless said."""

_KINDS: dict[str, Kind] = {
    "ssh": "ssh",
    "smart": "ssh",
    "paramiko": "ssh",
    "paramiko_ssh": "ssh",
    "local": "local",
}
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
# They change where a link leads: to pass them over could reach another machine than was meant.
_NOT_SUPPORTED = ("ansible_ssh_common_args", "ansible_ssh_extra_args")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the command line says, for hosts whose variables don't: `-u`, `-k`, `-T`….

    Args:
        user: None for the account that quell runs as.
        password: for the SSH login.
        private_key: a file on the controller.
        timeout: seconds for the whole of a connect.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    timeout: float = CONNECT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Settings:
    """One host's.

    Args:
        name: in the inventory.
        kind: how it is reached.
        address: name or IP address that is connected to.
        port: of its SSH server.
        user: the account there.
        password: for the SSH login.
        private_key: the key to offer first; None for the agent's and the usual ones.
        known_hosts: files with the host keys to trust.
        timeout: seconds for the whole of a connect.
    """

    name: str
    kind: Kind = "ssh"
    address: str = ""
    port: int = 22
    user: str = ""
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    timeout: float = CONNECT_TIMEOUT

    @classmethod
    def from_variables(
        cls, host: str, variables: Mapping[str, Any], defaults: Defaults | None = None
    ) -> Settings:
        """Read `ansible_host`, `ansible_port`, `ansible_user` and their like.

        Args:
            host: its name in the inventory.
            variables: the host's, with their templates rendered.
            defaults: from the command line.

        Raises:
            InputError: each variable that is not what it should be.
        """
        defaults = defaults or Defaults()
        reader = _Reader(host, variables)
        kind = reader.kind()
        settings = cls(
            name=reader.name(host),
            kind=kind,
            address=reader.name(reader.text("ansible_host", "ansible_ssh_host") or host),
            port=reader.port(),
            user=reader.text("ansible_user", "ansible_ssh_user") or defaults.user or _account(),
            password=reader.text("ansible_password", "ansible_ssh_password", "ansible_ssh_pass")
            or defaults.password,
            private_key=reader.path("ansible_private_key_file", "ansible_ssh_private_key_file")
            or defaults.private_key,
            known_hosts=reader.known_hosts(),
            timeout=reader.seconds("ansible_timeout", "ansible_ssh_timeout") or defaults.timeout,
        )
        if kind == "ssh":
            reader.refuse(_NOT_SUPPORTED)
        if reader.problems:
            raise InputError(*reader.problems)
        return settings


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "root"


class _Reader:
    """Reads one host's variables and collects what is wrong with them."""

    def __init__(self, host: str, variables: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._host = host
        self._variables = variables

    def _problem(self, message: str, hint: str = "") -> None:
        self.problems.append(Problem(f"host {self._host!r}: {message}", hint=hint))

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        # Of two names of one thing the later is the more special, and wins, as in Ansible.
        for name in reversed(names):
            if self._variables.get(name) is not None:
                return name, self._variables[name]
        return names[0], None

    def text(self, *names: str) -> str | None:
        name, value = self._find(names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            self._problem(f"{name} must be text, not {_kind_of(value)}")
            return None
        if re.search(r"[\x00-\x1f\x7f]", str(value)):
            self._problem(f"{name} contains a control character")
            return None
        return str(value)

    def path(self, *names: str) -> Path | None:
        text = self.text(*names)
        return Path(text).expanduser() if text else None

    def port(self) -> int:
        name, value = self._find(("ansible_port", "ansible_ssh_port"))
        if value is None:
            return 22
        text = str(value).strip()
        if not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,5}", text):
            number = int(text)
            if 1 <= number <= 65535:
                return number
        self._problem(f"{name} must be a port number from 1 to 65535, not {value!r}")
        return 22

    def seconds(self, *names: str) -> float | None:
        name, value = self._find(names)
        if value is None:
            return None
        if not isinstance(value, bool) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value).strip()):
            return float(value)
        self._problem(f"{name} must be a number of seconds, not {value!r}")
        return None

    def kind(self) -> Kind:
        text = self.text("ansible_connection") or "ssh"
        if text not in _KINDS:
            self._problem(
                f"ansible_connection {text!r} is not supported", hint="there are ssh and local"
            )
        return _KINDS.get(text, "ssh")

    def known_hosts(self) -> tuple[Path, ...]:
        path = self.path("ansible_ssh_known_hosts_file")
        return (path,) if path else tuple(Path(p).expanduser() for p in _KNOWN_HOSTS)

    def name(self, text: str) -> str:
        """The text, if it can be a host's name or address."""
        if not text or text.startswith("-") or re.search(r"[\x00-\x20\x7f/@]", text):
            self._problem(f"{text!r} cannot be a host's name")
        return text

    def refuse(self, names: tuple[str, ...]) -> None:
        for name in names:
            if self._variables.get(name):
                self._problem(f"{name} is not supported yet: its options would be passed over")


def _kind_of(value: object) -> str:
    kinds = {bool: "a boolean", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)
