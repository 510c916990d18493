"""A controller may run Windows."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import asyncio, importlib, shutil, subprocess, sys, tempfile  # these may use POSIX libraries
gone = ('pwd', 'grp', 'fcntl', 'termios', 'resource', 'pty', 'tty')
sys.modules.update(dict.fromkeys(gone))
for name in ('local', 'links', 'ssh', 'handshake', 'forward', 'http', 'docker', 'postgres'):
    importlib.import_module(f'engine.connections.{name}')
"""


@pytest.mark.slow
def test_no_posix_library_is_needed_to_import_connections() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
