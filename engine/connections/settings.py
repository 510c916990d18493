"""How one host is reached: its inventory variables and ssh_config, checked and typed."""

from __future__ import annotations

import dataclasses
import getpass
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct, field, structs

from engine.connections.become import BecomeSaid
from engine.connections.jumps import hops
from engine.connections.ssh_config import SshConfigs
from engine.connections.ssh_options import STRICTER, Options, refused
from engine.connections.ssh_tokens import Tokens, at_home, hostname
from engine.connections.variables import Kind, Variables, is_name
from engine.discreet import Discreet
from engine.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.connections.base import ShellType

CONNECT_TIMEOUT = 10.0
"""Seconds for the whole of a connect, unless something else is said."""

AGENT = "SSH_AUTH_SOCK"
"""The agent whose socket that variable of the environment names."""

_ALIVE_EVERY = 5.0
_ALIVE_COUNT = 3
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class Defaults(Discreet, frozen=True):
    """What the command line says, for hosts whose variables don't: `-u`, `-k`, `-T`….

    Args:
        user: None for what ssh_config says, else the account that quell runs as.
        password: for the SSH login.
        private_key: a file on the controller.
        timeout: seconds for the whole of a connect; None for what ssh_config says.
    """

    hides: ClassVar[tuple[str, ...]] = ("password",)

    user: str | None = None
    password: str | None = None
    private_key: Path | None = None
    timeout: float | None = None


class Settings(Discreet, frozen=True):
    """One host's.

    Args:
        name: in the inventory; a jump host's as it is written in ProxyJump.
        kind: how it is reached.
        shell: what scripts for it are written in; None for what its own shell reads.
        address: name or IP address that is connected to.
        port: of its SSH server.
        user: the account there.
        password: for the SSH login.
        private_keys: the keys to offer first; none for the agent's and the usual ones.
        certificates: of the private keys, beside those that lie next to them.
        identities_only: offer no other key, though the agent may have some.
        agent: its socket, or `AGENT`; `none` for none.
        known_hosts: files with the host keys to trust.
        host_key_alias: the name that its host key is kept under, instead of its address.
        alive_every: seconds of silence after which the server is asked whether it is there;
            0 for never.
        alive_count: how many such questions may stay unanswered.
        timeout: seconds for the whole of a connect; a jump host's has its own.
        jump: the host that it is reached through.
        proxy_command: whose stdin and stdout it is reached through.
        become: what its variables say of acting as another account.
        remarks: what was said and is not obeyed, for the person.
    """

    hides: ClassVar[tuple[str, ...]] = ("password",)

    name: str
    kind: Kind = "ssh"
    shell: ShellType | None = None
    address: str = ""
    port: int = 22
    user: str = ""
    password: str | None = None
    private_keys: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = AGENT
    known_hosts: tuple[Path, ...] = ()
    host_key_alias: str = ""
    alive_every: float = _ALIVE_EVERY
    alive_count: int = _ALIVE_COUNT
    timeout: float = CONNECT_TIMEOUT
    jump: Settings | None = None
    proxy_command: str = ""
    become: BecomeSaid = field(default_factory=BecomeSaid)
    remarks: tuple[str, ...] = ()

    @property
    def direct(self) -> bool:
        """Whether its SSH server is reached with nothing between."""
        return self.jump is None and not self.proxy_command

    @property
    def way(self) -> tuple[Settings, ...]:
        """The jump hosts that it is reached through, the last of them first."""
        return (self.jump, *self.jump.way) if self.jump else ()

    @classmethod
    def from_variables(
        cls,
        host: str,
        variables: Mapping[str, Any],
        defaults: Defaults | None = None,
        configs: SshConfigs | None = None,
    ) -> Settings:
        """Read `ansible_host`, `ansible_port`, `ansible_user`, `ansible_become` and their like.

        What they leave open the command line says, then ssh_config, then our own defaults.

        Args:
            host: its name in the inventory.
            variables: the host's, with their templates rendered.
            defaults: from the command line.
            configs: the run's ssh_config files; none unless given.

        Raises:
            InputError: each variable that is not what it should be.
        """
        defaults = defaults or Defaults()
        reader = Variables(host, variables)
        options = Options()
        kind, shell = reader.kind(), reader.shell()
        name = reader.name(host)
        target = reader.name(reader.text("ansible_host", "ansible_ssh_host") or host)
        become = reader.become()
        password = reader.text("ansible_password", "ansible_ssh_password", "ansible_ssh_pass")
        file = reader.say(options) if kind == "ssh" else ""
        if reader.problems:
            raise InputError(*reader.problems)
        if kind == "local":
            return cls(name, kind, shell, address=target, become=become)
        _say_flags(options, defaults)
        route = _Route(configs or SshConfigs(), file, defaults.timeout)
        try:
            found = route.settings(name, target, options)
        except InputError as error:
            raise InputError(*(_of_host(host, problem) for problem in error.problems)) from None
        password = password or defaults.password
        return structs.replace(found, shell=shell, password=password, become=become)


def _of_host(host: str, problem: Problem) -> Problem:
    if problem.path:  # a file's fault is every host's
        return problem
    return dataclasses.replace(problem, message=f"host {host!r}: {problem.message}")


def _say_flags(options: Options, defaults: Defaults) -> None:
    if defaults.user:
        options.add("user", (defaults.user,), "--user")
    if defaults.private_key:
        options.add("identityfile", (str(defaults.private_key),), "--private-key")
    if defaults.timeout is not None:
        options.add("connecttimeout", (str(defaults.timeout),), "--timeout")


class _Route(Struct, frozen=True):
    """Finds the settings of a host, and of the hosts that it is reached through.

    Args:
        configs: the run's files.
        file: which of them.
        timeout: of the command line; it holds for jump hosts, too.
        names: of the hosts on whose behalf this one is looked at, the target first.
    """

    configs: SshConfigs
    file: str
    timeout: float | None
    names: tuple[str, ...] = ()

    def settings(self, name: str, target: str, options: Options) -> Settings:
        """From what was said of a host, and what its ssh_config adds to that.

        Args:
            name: for messages.
            target: as it would be given to `ssh`.
            options: added to.

        Raises:
            InputError: something is wrong with a value.
        """
        self.configs.get(self.file).fill(options, target)
        if problems := refused(options):
            raise InputError(*problems)
        address = hostname(options, target)
        if not is_name(address):
            raise InputError(Problem(f"HostName {address!r} cannot be a host's name"))
        tokens = Tokens.of(options, target, address, _account())
        jump = self._jump(options, tokens)
        command = options.get("proxycommand")
        return Settings(
            name=name,
            address=address,
            port=int(tokens.port),
            user=tokens.user,
            private_keys=tuple(tokens.path(said) for said in options.every("identityfile")),
            certificates=tuple(tokens.path(said) for said in options.every("certificatefile")),
            identities_only=options.is_on("identitiesonly"),
            agent=_agent(options, tokens),
            known_hosts=_known_hosts(options, tokens),
            host_key_alias=_text(options, "hostkeyalias"),
            alive_every=options.seconds("serveraliveinterval", _ALIVE_EVERY),
            alive_count=int(_text(options, "serveralivecountmax") or _ALIVE_COUNT),
            timeout=options.seconds("connecttimeout", CONNECT_TIMEOUT) or CONNECT_TIMEOUT,
            jump=jump,
            proxy_command=tokens.command(command.text, command.where) if command else "",
            remarks=(*_remarks(options), *(jump.remarks if jump else ())),
        )

    def _jump(self, options: Options, tokens: Tokens) -> Settings | None:
        """The last of the hosts that ProxyJump names; each is reached through the one before."""
        said = options.get("proxyjump")
        if said is None:
            return None
        *before, last = hops(tokens.command(said.text, said.where), said.where)
        chain = (*self.names, tokens.original)
        if last.host in chain:
            circle = " → ".join((*chain[chain.index(last.host) :], last.host))
            hint = f"give {last.host} an entry of its own above, with ProxyJump none"
            raise InputError(
                Problem(f"{said.where}: ProxyJump goes round in a circle: {circle}", hint=hint)
            )
        own = Options()
        if last.user:
            own.add("user", (last.user,), said.where)
        if last.port:
            own.add("port", (last.port,), said.where)
        if before:
            own.add("proxyjump", (",".join(map(str, before)),), said.where)
        if self.timeout is not None:
            own.add("connecttimeout", (str(self.timeout),), "--timeout")
        return structs.replace(self, names=chain).settings(str(last), last.host, own)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "root"


def _text(options: Options, keyword: str) -> str:
    said = options.get(keyword)
    return said.text if said else ""


def _agent(options: Options, tokens: Tokens) -> str:
    said = options.get("identityagent")
    if said is None:
        return "none" if options.has("identityagent") else AGENT
    if said.text == AGENT:
        return AGENT
    if said.text.startswith("$"):
        said = structs.replace(said, words=(f"${{{said.text.strip('${}')}}}",))
    return str(tokens.path(said))


def _known_hosts(options: Options, tokens: Tokens) -> tuple[Path, ...]:
    found: list[Path] = []
    for keyword, usual in (
        ("userknownhostsfile", _USER_KNOWN_HOSTS),
        ("globalknownhostsfile", _GLOBAL_KNOWN_HOSTS),
    ):
        said = options.get(keyword)
        if said:
            found += [tokens.path(structs.replace(said, words=(word,))) for word in said.words]
        elif not options.has(keyword):
            found += [at_home(text) for text in usual]
    return tuple(found)


def _remarks(options: Options) -> list[str]:
    strict = options.get("stricthostkeychecking")
    if strict is None or strict.text.lower() in STRICTER:
        return []
    return [
        f"{strict.where}: StrictHostKeyChecking {strict.text} is passed over: "
        f"a host whose key is not known is always refused"
    ]
