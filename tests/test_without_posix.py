"""A controller may run Windows: nothing that only a Unix has is needed to begin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# Python's own libraries have found out by now what system this is, and what it has. What comes
# after them finds a system without it.
HIDE = """
import asyncio, concurrent.futures.process, ctypes, getpass, importlib, importlib.metadata
import logging.handlers, multiprocessing.connection, os, pathlib, select, shutil, signal
import socket, socketserver, ssl, subprocess, sys, tempfile, threading, uuid
import http.client, http.server, zoneinfo
gone = ('pwd', 'grp', 'fcntl', 'termios', 'resource', 'pty', 'tty', 'syslog', 'posix')
for name in gone:
    sys.modules[name] = None
for name in ('fork', 'forkpty', 'geteuid', 'getuid', 'getgid', 'getegid', 'getgroups', 'getpgid',
             'getpgrp', 'getsid', 'setsid', 'setpgid', 'killpg', 'kill', 'uname', 'wait4', 'wait3',
             'chown', 'fchmod', 'fchown', 'lchown', 'mkfifo', 'openpty', 'sysconf', 'statvfs',
             'getloadavg', 'set_blocking', 'ttyname', 'tcgetpgrp', 'nice'):
    if hasattr(os, name):
        delattr(os, name)
for name in ('SIGKILL', 'SIGHUP', 'SIGALRM', 'SIGCHLD', 'SIGPIPE', 'SIGUSR1', 'SIGWINCH', 'alarm',
             'setitimer', 'pthread_sigmask', 'pthread_kill', 'sigwait'):
    delattr(signal, name)
for name in ('AF_UNIX', 'TCP_QUICKACK', 'TCP_USER_TIMEOUT', 'SCM_RIGHTS'):
    delattr(socket, name)
for name in ('poll', 'epoll'):
    delattr(select, name)
"""
IMPORT = """
import pkgutil
import engine, modules
for package in (engine, modules):
    for info in pkgutil.walk_packages(package.__path__, f'{package.__name__}.'):
        importlib.import_module(info.name)
        print(info.name)
"""
RUN = """
import contextlib, io, json
from engine.cli.main import main
said = []
for argv in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main(argv)
        except SystemExit as end:
            said.append([end.code, out.getvalue()])
print(json.dumps(said))
"""
COMMANDS = {
    "quell 0": ["--version"],
    "playbooks": ["validate", "playbooks/"],
    "localhost": ["inventory", "-i", "inventory/local.yml", "--list"],
    "port_kill": ["modules"],
    "script": ["modules", "shell"],
    "$schema": ["schema"],
}
ROOT = Path(__file__).parent.parent


def without_posix(code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDE + code, *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_everything_can_be_imported() -> None:
    done = without_posix(IMPORT)
    assert (done.returncode, done.stderr) == (0, "")
    names = done.stdout.split()
    assert {"engine.connections.local", "engine.connections.forward", "modules.port_kill"} <= {
        *names
    }


def test_what_contacts_no_host_works() -> None:
    done = without_posix(RUN, json.dumps([*COMMANDS.values()]))
    assert (done.returncode, done.stderr) == (0, "")
    for words, (code, out) in zip(COMMANDS, json.loads(done.stdout), strict=True):
        assert code in {0, None}, out
        assert words in out


def test_what_needs_a_unix_is_told() -> None:
    code = """
from engine.connections.base import Tcp, Unix
from engine.connections.forward import Forward
from engine.connections.local import LocalConnection
from engine.connections.agents import Agent
from engine.errors import HostError
assert Agent('/run/agent').keys == []
server = socket.create_server(('127.0.0.1', 0))
here = LocalConnection()
for attempt in (
    lambda: here.dial(Unix('/run/none'), timeout=1),
    lambda: here.forward(Tcp(*server.getsockname()), timeout=1).__enter__(),
):
    try:
        attempt()
    except HostError as error:
        print(error)
"""
    done = without_posix(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "/run/none: Python has no unix sockets on this system",
        "no socket can be made on the controller: Python has no unix sockets on this system",
    ]
