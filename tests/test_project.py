"""What the project says of itself holds: its pages, its example, its start-up."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from engine.cli.main import main
from engine.registry import Registry

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
HEAVY = {
    *("cryptography", "docker", "httpx", "jinja2", "jsonschema", "msgspec", "paramiko"),
    *("prometheus_client", "psycopg", "rich", "websockets"),
}


class Block(NamedTuple):
    """A fenced block of a page."""

    place: str
    kind: str
    text: str


def blocks(pages: list[Path], language: str) -> list[Block]:
    found = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language} ?(.*)\n((?s:.*?))^```$", text, re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(f"{page.relative_to(ROOT)}:{line}", match[1], match[2]))
    return found


def block(page: str, language: str, kind: str) -> str:
    (found,) = [b.text for b in blocks([ROOT / page], language) if b.kind == kind]
    return found


def command_for(block: Block, file: Path) -> list[str]:
    """The command that accepts such a block; a block that does not say what it is has none."""
    return {
        "playbook": ["validate", str(file)],
        "inventory": ["inventory", "-i", str(file), "--list"],
    }[block.kind]


@pytest.mark.parametrize("block", blocks(PAGES, "yaml"), ids=lambda block: block.place)
def test_yaml_in_the_pages_is_valid(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "block.yml"
    file.write_text(block.text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(command_for(block, file))
    assert ended.value.code == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_make_has_every_target_that_the_pages_name() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"(?:`|\$ )make (\w+)", page.read_text(encoding="utf-8"))
    }
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_module_of_the_contributing_page_passes_its_test(tmp_path: Path) -> None:
    (tmp_path / "truncate.py").write_text(block("CONTRIBUTING.md", "python", "module"), "utf-8")
    (tmp_path / "test_truncate.py").write_text(block("CONTRIBUTING.md", "python", "test"), "utf-8")
    # As if the file stood in modules/.
    code = (
        "import sys, modules, pytest; modules.__path__.append('.');"
        "sys.exit(pytest.main(['-q', '--rootdir=.', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_module_of_the_contributing_page_takes_its_example(tmp_path: Path) -> None:
    (tmp_path / "truncate.py").write_text(block("CONTRIBUTING.md", "python", "module"), "utf-8")
    entry = Registry([tmp_path])["truncate"]
    arguments = yaml.safe_load(entry.example)["truncate"]
    assert entry.kind == "action"
    assert entry.convert(arguments) == entry.cls(path="/var/log/app/debug.log", over="2g")


def test_starting_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from engine.cli.main import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, loaded = done.stdout.splitlines()
    assert version.startswith("quell ")
    assert HEAVY & set(loaded.split()) == set()
