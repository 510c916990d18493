"""Writes what the pages have from the types: `make reference`; the tests compare it.

A page holds it between two comments, `<!-- keywords: TaskText -->` or `<!-- modules -->`, and
`<!-- end -->`.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.reference import Argument, Reference, keywords, reference
from engine.language import keywords as language
from engine.policy import text as policy
from engine.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / name for name in ("language.md", "modules.md", "policy.md")]
_PART = re.compile(r"(<!-- (keywords: \w+|modules) -->\n)(?s:.*?)(<!-- end -->)")


def written(page: str) -> str:
    """The page as it should be."""
    return _PART.sub(lambda part: f"{part[1]}\n{_part(part[2])}\n{part[3]}", page)


def _part(what: str) -> str:
    if what == "modules":
        registry = Registry()
        return "\n".join(_module(reference(registry[name])) for name in registry.names())
    name = what.removeprefix("keywords: ")
    kind = getattr(language, name, None) or getattr(policy, name)
    return _table("keyword", keywords(kind))


def _table(what: str, arguments: list[Argument]) -> str:
    rows = [f"| {what} | takes | |", "|---|---|---|"]
    for one in arguments:
        standing = "" if one.standing == "optional" else f", {one.standing}"
        rows.append(f"| `{one.name}` | {_cell(one.type + standing)} | {_cell(one.description)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _module(module: Reference) -> str:
    return "\n".join(_lines(module))


def _lines(module: Reference) -> Iterator[str]:
    yield f"## {module.name}\n"
    yield f"*{module.kind}*\n"
    yield f"{module.text}\n"
    if module.arguments:
        yield _table("argument", module.arguments)
    yield "```yaml task"
    yield textwrap.dedent(module.example)
    yield "```\n"


def main() -> None:
    """Write the pages anew."""
    for page in PAGES:
        page.write_text(written(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
