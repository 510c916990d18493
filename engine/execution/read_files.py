"""The files that a run is made of: what `resume` compares."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.execution.options import Options
    from engine.execution.plan import Plan
    from engine.registry import Registry


def files_of(plan: Plan, registry: Registry, options: Options) -> dict[str, str]:
    """The playbook, what it includes, what the inventory says of its hosts, and modules of its own.

    Returns:
        Each one's path, with the sha256 of its bytes, hex.
    """
    others = [*_of_limit(options), *_of_modules(plan, registry, options)]
    return {
        **plan.playbook.files,
        **plan.inventory.files(plan.every_host()),
        **{str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in others},
    }


def _of_limit(options: Options) -> Iterator[Path]:
    if options.limit is not None and options.limit.startswith("@"):
        yield Path(options.limit[1:])


def _of_modules(plan: Plan, registry: Registry, options: Options) -> Iterator[Path]:
    """Those of `--module-path` that the playbook uses; the shipped ones are quell's own."""
    for name in sorted({task.module for task in plan.playbook.every_task()}):
        file = sys.modules[registry[name].cls.__module__].__file__
        if file and any(Path(file).is_relative_to(path) for path in options.module_path):
            yield Path(file)
