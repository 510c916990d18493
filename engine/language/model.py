"""The playbook language, as types: the JSON Schema comes from these, and execution reads them.

`…Text` types are the form of the file; `Playbook` and `Task` are what a loaded one is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.contract import Duration
from engine.errors import Problem
from engine.registry import Kind

Phase = Literal["acknowledge", "investigate", "mitigate", "resolve", "always"]
PHASES: tuple[Phase, ...] = ("acknowledge", "investigate", "mitigate", "resolve", "always")

Name = Annotated[
    str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", title="name", examples=["pool", "ready"])
]
Expression = Annotated[str, Meta(title="expression", extra_json_schema={"format": "expression"})]
Level = Literal["P1", "P2", "P3", "P4"]
Approve = Literal["ask", "auto", "always_ask"]
HostPattern = Annotated[str | list[str], Meta(title="host pattern", examples=["db", "app:!app3"])]


class InputText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input: a JSON Schema and a default. Without a default it must be given with `-e`."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    description: str = ""
    default: Any | UnsetType = UNSET
    enum: list[Any] | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    items: dict[str, Any] | UnsetType = UNSET


class RuleText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One severity rule: the first that holds decides."""

    level: Level
    when: Expression | bool | list[Expression | bool] = True
    on: Annotated[
        int | str,
        Meta(title="number of hosts", examples=["any", "all", 2, "50%"]),
    ] = "any"
    because: str = ""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blast radius of `mitigate` over the whole run."""

    max_hosts: Annotated[int, Meta(ge=1)] | None = None
    max_percent: Annotated[float, Meta(gt=0, le=100)] | None = None


class TaskText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of a task; beside them stands one module's name with its arguments."""

    name: str = ""
    hosts: HostPattern | None = None
    when: Expression | bool | list[Expression | bool] = True
    register: Name | None = None
    loop: list[Any] | Expression | None = None
    expect: Expression | bool | list[Expression | bool] | None = None
    within: Duration | None = None
    hold: Duration | None = None
    every: Duration | None = None
    timeout: Duration | None = None
    verify: list[dict[str, Any]] = []
    ignore_errors: bool = False
    tags: str | list[str] = []
    approve: Approve = "ask"


class PlaybookText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of a playbook file."""

    name: str
    description: str = ""
    owner: str = ""
    links: dict[str, str] = {}
    inputs: dict[Name, InputText] = {}
    vars: dict[Name, Any] = {}
    hosts: HostPattern
    limits: Limits = Limits()
    acknowledge: list[dict[str, Any]] = []
    investigate: list[dict[str, Any]] = []
    severity: list[RuleText] = []
    mitigate: list[dict[str, Any]] = []
    resolve: list[dict[str, Any]] = []
    always: list[dict[str, Any]] = []


NOT_YET: dict[str, frozenset[str]] = {
    "playbook": frozenset(
        {
            "triggers", "serial", "max_fail", "any_errors_fatal", "handlers", "environment",
            "become", "become_user", "become_method", "throttle", "tags", "policy", "include",
        }
    ),
    "task": frozenset(
        {
            "block", "rescue", "always", "include", "loop_control", "until", "retries", "delay",
            "run_once", "delegate_to", "throttle", "ignore_unreachable", "failed_when",
            "changed_when", "notify", "rollback", "environment", "vars", "no_log", "become",
            "become_user", "become_method", "any_errors_fatal", "max_fail",
        }
    ),
    "input": frozenset({"from", "secret", "prompt"}),
}  # fmt: skip
"""Words of the language that this version refuses by name, so that none is silently ignored."""


class Place(Struct, frozen=True):
    """Where in a file something stands. `line` and `column` are 1-based."""

    path: str
    line: int
    column: int
    source: str = ""

    def __str__(self) -> str:
        """`path:line`."""
        return f"{self.path}:{self.line}"

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(message, self.path, self.line, self.column, self.source, hint)


class Task(Struct, frozen=True, kw_only=True):
    """A loaded task.

    Args:
        id: `investigate.2`: its phase and its number there, from 1; `mitigate.1.verify.1`.
        text: its keywords.
        module: the module's name.
        kind: what the module is with these arguments.
        args: the arguments as a mapping, shorthands written out, not yet rendered.
        verify: what must hold after it.
        place: of the task in the file.
        uses: every name that its templates and expressions read, statically.
    """

    id: str
    text: TaskText
    module: str
    kind: Kind
    args: dict[str, Any]
    verify: tuple[Task, ...] = ()
    place: Place
    uses: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people call it: its name, else the module's."""
        return self.text.name or self.module


class Rule(Struct, frozen=True, kw_only=True):
    """A loaded severity rule; `uses` as in a task."""

    text: RuleText
    place: Place
    uses: frozenset[str] = frozenset()


class Playbook(Struct, frozen=True, kw_only=True):
    """A loaded playbook: valid as far as can be known without a host.

    Args:
        path: the file, as the user named it.
        digest: sha256 of its bytes, hex.
        text: its keywords.
        phases: the tasks of each phase that it has.
        severity: the rules.
        input_places: where each input is declared.
        place: where its `hosts` stands.
    """

    path: str
    digest: str
    text: PlaybookText
    phases: dict[Phase, tuple[Task, ...]]
    severity: tuple[Rule, ...] = ()
    input_places: dict[str, Place] = {}
    place: Place | None = None

    def tasks(self, phase: Phase) -> tuple[Task, ...]:
        """The tasks of a phase, none if it is absent."""
        return self.phases.get(phase, ())
