"""What the project says of itself holds: its pages, its example, its start-up."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from engine.cli.main import main
from engine.registry import Registry
from tests import reference

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
RUN = [str(ROOT / "playbooks" / "port_conflict.yml"), "-i", str(ROOT / "inventory" / "local.yml")]
HEAVY = {
    *("cryptography", "docker", "httpx", "jinja2", "jsonschema", "msgspec", "paramiko"),
    *("prometheus_client", "psycopg", "rich", "websockets"),
    *("apprise", "pagerduty", "slack_sdk"),
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
        "task": ["validate", str(file)],
        "tasks": ["validate", str(file)],
        "policy": ["run", *RUN, "--syntax-check", "--policy", str(file)],
        "inventory": ["inventory", "-i", str(file), "--list"],
    }[block.kind]


def around(block: Block) -> str:
    """A block's text, with what it needs around it to be accepted by itself."""
    if block.kind == "task":
        return "name: x\nhosts: all\nmitigate:\n  - " + textwrap.indent(block.text, "    ").strip()
    if block.kind == "tasks":
        return "name: x\nhosts: all\nmitigate: [{include: tasks.yml, inputs: {url: x}}]\n"
    return block.text


@pytest.mark.parametrize("block", blocks(PAGES, "yaml"), ids=lambda block: block.place)
def test_yaml_in_the_pages_is_valid(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "block.yml"
    file.write_text(around(block), encoding="utf-8")
    page = ROOT / block.place.partition(":")[0]
    for tasks in (b.text for b in blocks([page], "yaml") if b.kind == "tasks"):
        # Its first line is a comment with its name.
        for name in (tasks.partition("\n")[0].lstrip("# "), "tasks.yml"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(tasks, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(command_for(block, file))
    assert ended.value.code == 0


@pytest.mark.parametrize("page", reference.PAGES, ids=lambda page: page.name)
def test_what_the_pages_have_from_the_types_is_true(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == reference.written(text), "write it anew: make reference"


@pytest.mark.parametrize("page", reference.PAGES[::2], ids=lambda page: page.name)
def test_every_keyword_is_explained(page: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page.read_text("utf-8"), re.MULTILINE)
    assert rows
    assert [name for name, text in rows if not text.strip()] == []


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


@pytest.mark.slow
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
