"""Writes what was measured into docs/benchmarks.md, a section a part; other sections stay."""

from __future__ import annotations

import datetime
import os
import platform
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.measure import Case, Cost

HEAD = """\
# Benchmarks

What quell costs, and what the same work costs elsewhere. `make bench` measures all of it and
writes this page; `make bench BENCH=startup` measures one part. Each table was measured in one
sitting on one machine, the contenders in an order that differs from round to round, and those that
take less than an eighth of the slowest's time several times a round; figures are medians. Machines
differ: the ratios say more than the seconds.

- **wall**: seconds until the command ends. **CPU**: seconds of processor time that the command and
  all that it starts use, on every core; the SSH server's are not counted.
- **memory**: the peak of all its processes together, shared pages counted once.
- **ratio**: wall time divided by that of the first line.

The hosts are loopback addresses of one OpenSSH server on the same machine, so the server's own work
is part of every wall time. No program gathers facts; Ansible runs with pipelining and 50 forks.
With *curve25519* it is told to leave out OpenSSH's default post-quantum key exchange, which this
server has in a form that the others do not know. They use curve25519 too, but for quell: its NIST
P-256 costs the server less. More than 100 hosts are given to quell and the bare scripts alone, and
Ansible's own modules are compared on more than ten in a part of their own: they take minutes a
round.

Round trips are counted by the clock: the same work on a host that is 50 ms away and on one that is
near differs by nothing else.
"""


def section(part: str, about: str, versions: Mapping[str, str], runs: int) -> str:
    """The opening of a part's section: what, where, when, with what."""
    today = datetime.datetime.now(datetime.UTC).date()
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"## {about}\n\n"
        f"{today}, medians of {runs} runs, `make bench BENCH={part}`. {machine()} {programs}.\n"
    )


def machine() -> str:
    """What it ran on, in one sentence."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {system}, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}."
    )


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - read line by line
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(names, platform.machine())


def table(case: Case, costs: Mapping[str, Cost]) -> str:
    """A case's results, each compared with the first contender's."""
    first = costs[case.contenders[0].name]
    rows = (
        f"| {name} | {cost.wall:.2f} s | {cost.cpu:.2f} s "
        f"| {cost.memory / 2**20:.0f} MiB | {cost.wall / first.wall:.2f} |"
        for name, cost in costs.items()
    )
    head = ("| | wall | CPU | memory | ratio |", "|---|--:|--:|--:|--:|")
    return lines("", f"### {case.title}", "", *head, *rows)


def lines(*each: str) -> str:
    """Lines of the page, each ended."""
    return "".join(f"{line}\n" for line in each)


def write(path: Path, part: str, text: str) -> None:
    """Put a part's section in its place, or at the end; create the page if there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    sections = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->\n", page, re.DOTALL))
    sections[part] = text
    bodies = [f"<!-- begin {p} -->\n{body}<!-- end {p} -->\n" for p, body in sections.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEAD, *bodies]), encoding="utf-8")
