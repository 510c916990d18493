"""Tests of any input, again and again for a while: `pytest -p tests.fuzzing --fuzz-minutes 10`.

Each of them has its share of the time. What an input cost is told at the end, and so is an input
that broke something, by Hypothesis, which makes it small first.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Cost:
    """What the inputs of a test cost.

    Args:
        inputs: how many there were.
        slowest: seconds of the processor that one of them took.
    """

    inputs: int = 0
    slowest: float = 0.0


@dataclass(slots=True, eq=False)  # pytest keeps it in sets
class Fuzzing:
    """Gives each test its share of the time.

    Args:
        minutes: for all of them.
        share: seconds of it that each has.
        costs: of the tests so far, by their names.
    """

    minutes: float
    share: float
    costs: dict[str, Cost]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Divide the time."""
        self.share = self.minutes * 60 / max(len(session.items), 1)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        """Run a test until its time is over; each time with other inputs."""
        until = time.monotonic() + self.share
        cost = self.costs.setdefault(item.nodeid, Cost())
        # Hypothesis keeps the function that takes an input here, for such as us to wrap.
        handle = getattr(item, "obj").hypothesis  # noqa: B009  # not every item is a function
        whole = handle.inner_test
        handle.inner_test = measured(whole, cost)
        try:
            result = yield
            while time.monotonic() < until:
                item.runtest()
        finally:
            handle.inner_test = whole
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how many inputs there were, and what the worst of them cost."""
        terminalreporter.section("inputs")
        for name, cost in self.costs.items():
            terminalreporter.write_line(f"{cost.inputs:9}  {cost.slowest:6.2f} s  {name}")
        total = sum(cost.inputs for cost in self.costs.values())
        slowest = max((cost.slowest for cost in self.costs.values()), default=0.0)
        terminalreporter.write_line(f"{total:9}  {slowest:6.2f} s  together, and the slowest")


def measured(test: Callable[..., None], cost: Cost) -> Callable[..., None]:
    """The test, noting what each input costs."""

    @functools.wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        began = time.process_time()
        try:
            test(*args, **kwargs)
        finally:
            cost.inputs += 1
            cost.slowest = max(cost.slowest, time.process_time() - began)

    return wrapped


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the time that there is."""
    parser.addoption("--fuzz-minutes", type=float, default=10, help="for all tests together")


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the run."""
    minutes = config.getoption("--fuzz-minutes")
    config.pluginmanager.register(Fuzzing(minutes, 0.0, {}), "quell-fuzzing")
