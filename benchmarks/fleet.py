"""Over SSH: connect to N hosts and run ten commands on each, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import Case, Contender

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from benchmarks.programs import Programs
    from tests.lab.many import ManyHosts

COMMANDS = 10
MOST = 100
"""Hosts that all contenders are given: with more, only quell and the bare scripts are compared."""
MOST_MODULES = 10
"""Likewise for Ansible's own modules, which take minutes; `modules` compares them with more."""
CURVE = "-o KexAlgorithms=curve25519-sha256"


@dataclass(frozen=True, slots=True)
class Way:
    """One of Ansible's ways to run a command.

    Args:
        module: its name for it.
        name: for the tables.
        options: of ssh.
        mitogen: whether mitogen takes the place of its own connections.
    """

    module: str
    name: str
    options: str = ""
    mitogen: bool = False


RAW = (Way("raw", "Ansible `raw`"), Way("raw", "Ansible `raw`, curve25519", CURVE))
COMMAND = (
    Way("command", "Ansible `command`"),
    Way("command", "Ansible with mitogen `command`, curve25519", CURVE, mitogen=True),
)


def cases(programs: Programs, many: ManyHosts, counts: Sequence[int], away: str) -> Generator[Case]:
    """One case a number of hosts; the titles end with how far they are `away`."""
    for count in counts:
        directory = many.directory / f"hosts-{count}"
        directory.mkdir()
        hosts = many.addresses[:count]
        plural = "" if count == 1 else "s"
        contenders = [
            *quell(programs, many, directory, hosts),
            *paramiko(programs, many, directory, hosts),
        ]
        if count <= MOST:
            contenders.append(_pyinfra(programs, many, directory, hosts))
            ways = (*RAW, *COMMAND) if count <= MOST_MODULES else RAW
            contenders += _ansible(programs, many, directory, hosts, ways)
        yield Case(f"{COMMANDS} commands on {count} host{plural}{away}", tuple(contenders))


def modules(programs: Programs, many: ManyHosts) -> Generator[Case]:
    """Ansible's own modules on so many hosts that it takes minutes a round."""
    hosts = many.addresses[:MOST]
    chained, _ = quell(programs, many, many.directory, hosts)
    shell, _ = paramiko(programs, many, many.directory, hosts)
    ansible = _ansible(programs, many, many.directory, hosts, COMMAND)
    yield Case(f"{COMMANDS} commands on {MOST} hosts", (chained, shell, *ansible))


def quell(
    programs: Programs,
    many: ManyHosts,
    directory: Path,
    hosts: Sequence[str],
    commands: int = COMMANDS,
) -> Iterator[Contender]:
    """quell, one command after the other; and as it would rather do it, side by side."""
    inventory = directory / "quell.ini"
    inventory.write_text(_ini(many, hosts), encoding="utf-8")
    home = directory / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "known_hosts").symlink_to(many.known_hosts)
    for name, chained in (("quell", True), ("quell, independent probes", False)):
        playbook = directory / f"{'chain' if chained else 'independent'}.yml"
        playbook.write_text(_probes(commands, chained=chained), encoding="utf-8")
        command = programs.quell("run", str(playbook), "-i", str(inventory))
        yield Contender(name, command, {"HOME": str(home), "XDG_STATE_HOME": str(home)})


def _probes(commands: int, *, chained: bool) -> str:
    """A playbook of so many probes; chained, each reads the result of the one before."""
    lines = ["name: Ten commands", "hosts: all", "investigate:"]
    for number in range(commands):
        lines += [
            f"  - name: Command {number}",
            f"    shell: {{script: echo hello {number}, probe: true}}",
            f"    register: said{number}",
        ]
        if chained and number:
            lines.append(f"    when: said{number - 1} is not failed")
    return "\n".join(lines) + "\n"


def paramiko(
    programs: Programs,
    many: ManyHosts,
    directory: Path,
    hosts: Sequence[str],
    commands: int = COMMANDS,
) -> Iterator[Contender]:
    """The bare scripts."""
    listed = directory / "hosts"
    listed.write_text("\n".join(hosts), encoding="utf-8")
    for way, name in (
        ("shell", "paramiko script, one shell a host (the limit)"),
        ("channel", "paramiko script, a channel a command"),
    ):
        command = programs.script(
            "paramiko_limit.py", way, str(listed), "--port", str(many.port),
            "--user", many.user, "--key", str(many.key_path),
            "--known-hosts", str(many.known_hosts), "--commands", str(commands),
        )  # fmt: skip
        yield Contender(name, command)


def _pyinfra(
    programs: Programs, many: ManyHosts, directory: Path, hosts: Sequence[str]
) -> Contender:
    data = {
        "ssh_port": many.port,
        "ssh_user": many.user,
        "ssh_key": str(many.key_path),
        "ssh_known_hosts_file": str(many.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_look_for_keys": False,
        "ssh_allow_agent": False,
    }
    inventory, deploy = directory / "inventory.py", directory / "deploy.py"
    inventory.write_text(f"hosts = {[(host, data) for host in hosts]!r}\n", encoding="utf-8")
    operations = [
        f"server.shell(name='Command {n}', commands=['echo hello {n}'])" for n in range(COMMANDS)
    ]
    deploy.write_text(
        "\n".join(["from pyinfra.operations import server", *operations, ""]), encoding="utf-8"
    )
    command = programs.pyinfra("-y", "--parallel", "50", str(inventory), str(deploy))
    return Contender("pyinfra", command)


def _ansible(
    programs: Programs,
    many: ManyHosts,
    directory: Path,
    hosts: Sequence[str],
    ways: Sequence[Way],
) -> Iterator[Contender]:
    settings = directory / "ansible.cfg"
    settings.write_text(
        "[defaults]\nforks = 50\ngathering = explicit\nretry_files_enabled = false\n"
        f"[ssh_connection]\npipelining = true\ncontrol_path_dir = {directory}/cp\n",
        encoding="utf-8",
    )
    environment = {"ANSIBLE_CONFIG": str(settings), "ANSIBLE_HOME": str(directory / "ansible")}
    mitogen = {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": programs.mitogen()}
    for way in ways:
        known = f"-o UserKnownHostsFile={many.known_hosts} {way.options}"
        stem = f"{way.module}-curve" if way.options else way.module
        inventory, playbook = directory / f"{stem}.ini", directory / f"{way.module}.yml"
        inventory.write_text(_ini(many, hosts, known), encoding="utf-8")
        tasks = [f"    - ansible.builtin.{way.module}: echo hello {n}\n" for n in range(COMMANDS)]
        playbook.write_text(
            "".join(["- hosts: all\n  gather_facts: false\n  tasks:\n", *tasks]), encoding="utf-8"
        )
        command = programs.ansible("ansible-playbook", "-i", str(inventory), str(playbook))
        yield Contender(way.name, command, environment | (mitogen if way.mitogen else {}))


def _ini(many: ManyHosts, hosts: Sequence[str], ssh_arguments: str = "") -> str:
    variables = {
        "ansible_port": str(many.port),
        "ansible_user": many.user,
        "ansible_ssh_private_key_file": str(many.key_path),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    if ssh_arguments:
        variables["ansible_ssh_common_args"] = ssh_arguments
    lines = [*hosts, "", "[all:vars]", *(f"{name}={value}" for name, value in variables.items())]
    return "\n".join(lines) + "\n"
