"""One host's inventory variables, read with what is wrong with them collected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from engine.connections.become import METHODS, BecomeSaid, as_method, is_account
from engine.connections.ssh_arguments import Unmapped, add_arguments
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.connections.base import ShellType
    from engine.connections.ssh_options import Options

Kind = Literal["ssh", "local"]

_KINDS: dict[str, Kind] = {
    "ssh": "ssh",
    "smart": "ssh",
    "paramiko": "ssh",
    "paramiko_ssh": "ssh",
    "local": "local",
}
_SHELLS: dict[str, ShellType] = {
    "sh": "sh",
    "csh": "sh",  # whatever the account's shell is, scripts are for sh on a Unix
    "fish": "sh",
    "cmd": "cmd",
    "powershell": "powershell",
}
_USUAL_FLAGS = ("-H", "-S", "-n")
"""Ansible's own for sudo: what they are for is done anyway."""
_YES = frozenset({"yes", "y", "on", "true", "t", "1"})
_NO = frozenset({"no", "n", "off", "false", "f", "0"})
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")


class Variables:
    """Of one host, their templates rendered."""

    def __init__(self, host: str, variables: Mapping[str, Any]) -> None:
        """Read nothing yet."""
        self.problems: list[Problem] = []
        self._host = host
        self._variables = variables

    def problem(self, message: str, hint: str = "") -> None:
        """Something is wrong."""
        self.problems.append(Problem(f"host {self._host!r}: {message}", hint=hint))

    def _find(self, names: tuple[str, ...]) -> tuple[str, Any]:
        # Of two names of one thing the later is the more special, and wins, as in Ansible.
        for name in reversed(names):
            if self._variables.get(name) is not None:
                return name, self._variables[name]
        return names[0], None

    def text(self, *names: str) -> str | None:
        """A variable's text, by any of its names."""
        name, value = self._find(names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.problem(f"{name} must be text, not {_kind_of(value)}")
            return None
        if re.search(r"[\x00-\x1f\x7f]", str(value)):
            self.problem(f"{name} contains a control character")
            return None
        return str(value)

    def kind(self) -> Kind:
        """How the host is reached."""
        text = self.text("ansible_connection") or "ssh"
        if text not in _KINDS:
            self.problem(
                f"ansible_connection {text!r} is not supported", hint="there are ssh and local"
            )
        return _KINDS.get(text, "ssh")

    def shell(self) -> ShellType | None:
        """What scripts for the host are written in, if that is said."""
        text = self.text("ansible_shell_type")
        if text is not None and text not in _SHELLS:
            self.problem(
                f"ansible_shell_type {text!r} is not supported",
                hint="there are sh, cmd and powershell",
            )
        return _SHELLS.get(text or "")

    def name(self, text: str) -> str:
        """The text, if it can be a host's name or address."""
        if not is_name(text):
            self.problem(f"{text!r} cannot be a host's name")
        return text

    def become(self) -> BecomeSaid:
        """What they say of acting as another account."""
        user = self.text("ansible_become_user")
        if user is not None and not is_account(user):
            self.problem(f"ansible_become_user must be an account's name, not {user!r}")
        named = self.text("ansible_become_method") or ""
        method = as_method(named)
        # runas is for Windows hosts, which say themselves that nobody can become another there.
        if named and method is None and named.rpartition(".")[2] != "runas":
            hint = f"there are {', '.join(METHODS)}"
            self.problem(f"ansible_become_method {named!r} is not supported", hint=hint)
        self._refuse_other("ansible_become_exe", METHODS)
        self._refuse_other("ansible_become_flags", _USUAL_FLAGS)
        password = self.text("ansible_become_password", "ansible_become_pass")
        return BecomeSaid(self._flag("ansible_become"), user, method, password or None)

    def _refuse_other(self, name: str, usual: Collection[str]) -> None:
        text = self.text(name) or ""
        if not set(text.split()) <= set(usual):
            self.problem(f"{name} {text!r} is not supported: it would be passed over")

    def _flag(self, name: str) -> bool | None:
        value = self._variables.get(name)
        if value is None or isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text not in _YES | _NO:
            self.problem(f"{name} must be true or false, not {value!r}")
        return text in _YES

    def say(self, options: Options) -> str:
        """Say what the variables say in ssh's keywords.

        Returns:
            The file of `-F` among the arguments; empty where there is none.
        """
        self._say_text(options, "user", "ansible_user", "ansible_ssh_user")
        self._say_text(
            options, "identityfile", "ansible_private_key_file", "ansible_ssh_private_key_file"
        )
        if self._say_text(options, "userknownhostsfile", "ansible_ssh_known_hosts_file"):
            options.add("globalknownhostsfile", ("none",), "ansible_ssh_known_hosts_file")
        self._say_port(options)
        self._say_timeout(options)
        return self._say_arguments(options)

    def _say_text(self, options: Options, keyword: str, *names: str) -> bool:
        text = self.text(*names)
        if text:
            options.add(keyword, (text,), self._find(names)[0])
        return bool(text)

    def _say_port(self, options: Options) -> None:
        name, value = self._find(("ansible_port", "ansible_ssh_port"))
        if value is None:
            return
        text = str(value).strip()
        if (
            not isinstance(value, bool)
            and re.fullmatch(r"[0-9]{1,5}", text)
            and 1 <= int(text) <= 65535
        ):
            options.add("port", (text,), name)
        else:
            self.problem(f"{name} must be a port number from 1 to 65535, not {value!r}")

    def _say_timeout(self, options: Options) -> None:
        name, value = self._find(("ansible_timeout", "ansible_ssh_timeout"))
        if value is None:
            return
        text = str(value).strip()
        if not isinstance(value, bool) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            options.add("connecttimeout", (text,), name)
        else:
            self.problem(f"{name} must be a number of seconds, not {value!r}")

    def _say_arguments(self, options: Options) -> str:
        file = ""
        for name in _ARGUMENTS:
            text = self.text(name)
            if text:
                try:
                    file = add_arguments(options, text, name) or file
                except Unmapped as error:
                    self.problem(f"{name}: {error}")
        return file


def is_name(text: str) -> bool:
    """Whether a text can be a host's name or address."""
    return bool(text) and not text.startswith("-") and not re.search(r"[\x00-\x20\x7f/@]", text)


def _kind_of(value: object) -> str:
    kinds = {bool: "a boolean", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)
