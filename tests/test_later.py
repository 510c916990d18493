"""Imports that are put off: each look is a process of its own, which has loaded nothing yet."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def said(code: str, *, cwd: Path | None = None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd
    )
    return done.stdout.split()


def test_a_module_is_loaded_when_something_in_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "rare.py").write_text("print('loaded')\nvalue = 7\n")
    code = (
        "from engine.later import import_later\n"
        "import_later('rare')\n"
        "import rare\n"
        "print('imported')\n"
        "print(rare.value)\n"
        "import rare\n"
        "print(rare.value)\n"
    )
    assert said(code, cwd=tmp_path) == ["imported", "loaded", "7", "7"]


def test_one_that_is_not_installed_is_missed_when_it_is_asked_for(tmp_path: Path) -> None:
    code = (
        "from engine.later import import_later\n"
        "import_later('nobody_has_it')\n"
        "import nobody_has_it\n"
        "try: nobody_has_it.value\n"
        "except ImportError: print('missed')\n"
    )
    assert said(code, cwd=tmp_path) == ["missed"]


def test_what_paramiko_hardly_ever_uses_is_not_loaded_for_a_connection() -> None:
    code = "import sys, engine.connections.handshake\nprint(*sys.modules)"
    loaded = set(said(code))
    assert "paramiko.transport" in loaded
    assert {"invoke.runners", "asyncio", "unittest.mock", "email"} & loaded == set()


def test_a_version_is_told_by_name_and_all_else_by_the_module_itself() -> None:
    code = (
        "import sys, engine.connections\n"
        "from importlib import metadata\n"
        "names = ('paramiko', 'click', 'PyYAML')\n"
        "told = [metadata.version(name) for name in names[:2]]\n"
        "print('email' in sys.modules, *told)\n"
        "told.append(metadata.version(names[2]))\n"
        "print('email' in sys.modules, metadata.distribution('click').version)\n"
        "import importlib.metadata\n"
        "print(told == [importlib.metadata.version(name) for name in names])\n"
        "try: metadata.version('nobody-has-it')\n"
        "except metadata.PackageNotFoundError: print('missed')\n"
    )
    early, paramiko, click, late, again, same, missed = said(code)
    assert (early, late, same, missed) == ("False", "True", "True", "missed")
    assert (paramiko, click, again) == (version("paramiko"), version("click"), version("click"))


def test_what_libraries_hardly_ever_use_is_not_loaded_for_a_run() -> None:
    code = (
        "import sys, types, engine.cli.main, platformdirs.unix\n"
        "engine.cli.main.cli.get_command(None, 'run')\n"
        "print(*(n for n, m in sys.modules.items() if type(m) is types.ModuleType))"
    )
    loaded = set(said(code))
    assert {"engine.cli.run", "jinja2", "msgspec", "yaml", "uuid", "platformdirs"} <= loaded
    assert {"platform", "shutil", "tempfile", "textwrap", "typing_extensions"} & loaded == set()


def test_a_function_taken_by_name_loads_its_module_when_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "rare.py").write_text(
        "print('loaded')\ndef double(n, *, more=0): return 2*n+more\n"
    )
    code = (
        "from engine.later import call_later\n"
        "call_later('rare', 'double')\n"
        "from rare import double\n"
        "print('imported', double(3), double(3, more=1))\n"
    )
    assert said(code, cwd=tmp_path) == ["loaded", "imported", "6", "7"]


def test_a_system_is_called_as_its_own_module_calls_it() -> None:
    code = (
        "import engine.cli, platform\n"
        "name = platform.system()\n"
        "print(name, type(platform).__name__, platform.machine(), platform.system() == name)\n"
        "import platform\n"
        "print(platform.system())"
    )
    name, standin, machine, same, own = said(code)
    assert (name, machine, own) == (platform.system(), platform.machine(), platform.system())
    assert (standin, same) == ("_Platform", "True")


def test_a_pattern_is_compiled_when_it_is_first_used(tmp_path: Path) -> None:
    (tmp_path / "rare.py").write_text(
        "import re\nwrong = re.compile('(')\nword = re.compile('[A-Z]+', flags=re.IGNORECASE)\n"
    )
    code = (
        "import re\n"
        "from engine.later import import_unread\n"
        "rare = import_unread('rare')\n"
        "print(rare.word.fullmatch('aBc')[0], rare.word.pattern)\n"
        "try: rare.wrong.match('')\n"
        "except re.error: print('wrong')\n"
        "try: re.compile('(')\n"
        "except re.error: print('at once')\n"
    )
    assert said(code, cwd=tmp_path) == ["aBc", "[A-Z]+", "wrong", "at", "once"]


def test_a_pattern_of_one_that_fails_to_load_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "rare.py").write_text("import re, nobody_has_it")
    code = (
        "import re\n"
        "from engine.later import import_unread\n"
        "try: import_unread('rare')\n"
        "except ImportError: print(type(re.compile('a')).__name__)\n"
    )
    assert said(code, cwd=tmp_path) == ["Pattern"]
