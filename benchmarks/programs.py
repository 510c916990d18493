"""The programs that are measured, each in an environment of its own under `.venv-bench`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".venv-bench"
PEERS = {"ansible": ("ansible-core", "mitogen"), "pyinfra": ("pyinfra",)}
SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the installed programs are, and which versions."""

    versions: dict[str, str]

    def quell(self, *arguments: str) -> tuple[str, ...]:
        """A `quell` command."""
        return (_program("quell", "quell"), *arguments)

    def ansible(self, program: str, *arguments: str) -> tuple[str, ...]:
        """An Ansible command, such as `ansible-playbook`."""
        return (_program("ansible", program), *arguments)

    def mitogen(self) -> str:
        """The directory of mitogen's strategies for Ansible."""
        code = "import ansible_mitogen; print(ansible_mitogen.__path__[0])"
        asked = [_program("ansible", "python"), "-c", code]
        found = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        return f"{found}/plugins/strategy"

    def pyinfra(self, *arguments: str) -> tuple[str, ...]:
        """A `pyinfra` command."""
        return (_program("pyinfra", "pyinfra"), *arguments)

    def script(self, name: str, *arguments: str) -> tuple[str, ...]:
        """One of `benchmarks/scripts`, with the libraries that quell has."""
        return (_program("quell", "python"), str(SCRIPTS / name), *arguments)


def install() -> Programs:
    """Make what is missing; quell is installed anew each time, as its users would have it.

    Raises:
        SystemExit: a peer cannot be installed.
    """
    versions: dict[str, str] = {}
    for name, packages in PEERS.items():
        if not _has(name, packages):
            _make(name, *packages)
        versions |= {package: _version(name, package) for package in packages}
    # Else files that are gone from the source would be in the package still.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    _make("quell", str(ROOT))
    for package in ("quell", "paramiko"):
        versions[package] = _version("quell", package)
    return Programs(versions)


def _program(environment: str, program: str) -> str:
    return str(ENVIRONMENTS / environment / "bin" / program)


def _has(name: str, packages: Sequence[str]) -> bool:
    if not Path(_program(name, "python")).exists():
        return False
    code = "import importlib.metadata as m, sys; [m.version(name) for name in sys.argv[1:]]"
    asked = [_program(name, "python"), "-c", code, *packages]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _make(name: str, *requirements: str) -> None:
    directory = ENVIRONMENTS / name
    command = [str(ROOT / "scripts" / "make-venv"), str(directory), *requirements]
    if _run(command, env={**os.environ, "PYTHON": sys.executable}) != 0:
        shutil.rmtree(directory, ignore_errors=True)
        raise SystemExit(f"{name} cannot be installed into {directory}; nothing was measured")


def _run(command: Sequence[str], env: dict[str, str]) -> int:
    return subprocess.run(command, env=env, check=False).returncode


def _version(environment: str, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    command = [_program(environment, "python"), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
