"""The playbook language's keywords, as types: the JSON Schema and the reference come from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from engine.connections.base import BecomeMethod
from engine.contract import Duration

Phase = Literal["acknowledge", "investigate", "mitigate", "resolve", "always"]
PHASES: tuple[Phase, ...] = ("acknowledge", "investigate", "mitigate", "resolve", "always")

Name = Annotated[
    str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", title="name", examples=["pool", "ready"])
]
Expression = Annotated[str, Meta(title="expression", extra_json_schema={"format": "expression"})]
Level = Literal["P1", "P2", "P3", "P4"]
Approve = Literal["ask", "auto", "always_ask"]
HostPattern = Annotated[str | list[str], Meta(title="host pattern", examples=["db", "app:!app3"])]
Conditions = Expression | bool | list[Expression | bool]
Environment = dict[str, str | int | float | bool]
Account = Annotated[
    str,
    Meta(pattern=r"^[^-\s:/{][^\s:/]*$|\{\{|\{%", title="account's name", examples=["postgres"]),
]
Batch = Annotated[int | str, Meta(title="batch size", examples=[1, "25%"])]


class InputText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input: a JSON Schema and a default. Without a default it must be given with `-e`.

    An alert's text must begin with no `-`, be of one line and have no invisible characters.

    Args:
        type: of its value; what `-e` gives as text becomes that.
        description: for people.
        default: its value where none is given.
        from: where its value is in the alert: `labels.NAME`, `annotations.NAME`, `startsAt`.
        enum: the values that it may have.
        pattern: that text must have a match of, in RE2's syntax.
        minimum: of a number.
        maximum: of a number.
        min_length: of a text, in characters.
        max_length: of a text, in characters.
        items: the JSON Schema of a list's items.
        prompt: what a person at the terminal is asked where neither `-e` nor the alert says it.
        secret: it is masked everywhere and not kept in the journal; typed, it is not shown. It is
            asked for even without a `prompt`.
    """

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    description: str = ""
    default: Any | UnsetType = UNSET
    from_: str | UnsetType = field(name="from", default=UNSET)
    enum: list[Any] | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    items: dict[str, Any] | UnsetType = UNSET
    prompt: str = ""
    secret: bool = False


class TriggerText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts that call for the playbook.

    Args:
        match: matchers in Alertmanager's grammar, such as `severity=~"critical|page"`. All must
            hold of the alert's labels.
    """

    match: list[str]


class RuleText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One severity rule: the first that holds decides.

    Args:
        level: P1 to P4.
        when: must hold on a host, with what was registered there.
        on: on how many of the hosts that have this evidence.
        because: why that is so bad, for people.
    """

    level: Level
    when: Expression | bool | list[Expression | bool] = True
    on: Annotated[
        int | str,
        Meta(title="number of hosts", examples=["any", "all", 2, "50%"]),
    ] = "any"
    because: str = ""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The blast radius of `mitigate` over the whole run.

    Args:
        max_hosts: so many hosts may be changed.
        max_percent: that share of the playbook's hosts may be changed, whatever `--limit` says.
    """

    max_hosts: Annotated[int, Meta(ge=1)] | None = None
    max_percent: Annotated[float, Meta(gt=0, le=100)] | None = None


class Shared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of tasks and of blocks; a block's hold for every task in it.

    Conditions and tags add up, variables and the environment are merged, the rest is a default.

    Args:
        name: what people call it; a template.
        hosts: where it runs, instead of the playbook's hosts.
        when: must hold on a host, or it is skipped there.
        tags: for `--tags` and `--skip-tags`; `always` and `never` as in Ansible.
        vars: variables that exist only here; templates, rendered when they are used.
        environment: of the commands that modules run on the host.
        become: act on the host as another account than the one that is logged in.
        become_user: as which one; root unless said.
        become_method: how to get there; by sudo unless said.
        delegate_to: the host that does it in the other's stead; a template.
        run_once: on the first of its hosts only, and what came of it holds for all.
        throttle: on how many hosts it may be under way at once.
        ignore_errors: a failure lets the host go on.
        ignore_unreachable: so does a host that cannot be reached.
        any_errors_fatal: a failure on one host is one on all.
        no_log: `true` hides the result and the change, but not what it acts on and why it failed;
            a list of expressions, such as `result.json.token`, whose values are masked wherever
            they turn up from then on.
        approve: whose yes a change needs. `ask`: a person's, or `--yes`; `auto`: none, the author
            vouches for it; `always_ask`: a person's, even under `--yes`.
    """

    name: str = ""
    hosts: HostPattern | None = None
    when: Conditions = True
    tags: str | list[str] = []
    vars: dict[Name, Any] = {}
    environment: Environment = {}
    become: bool | None = None
    become_user: Account | None = None
    become_method: BecomeMethod | None = None
    delegate_to: str | None = None
    run_once: bool = False
    throttle: Annotated[int, Meta(ge=1)] | None = None
    ignore_errors: bool = False
    ignore_unreachable: bool = False
    any_errors_fatal: bool = False
    no_log: bool | list[Expression] = False
    approve: Approve | None = None


class LoopControl(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a loop is told and paced.

    Args:
        label: what is shown of an item; a template.
        loop_var: the item's name, instead of `item`.
        index_var: the name of its number, from 0.
        pause: between an item and the next.
    """

    label: str = ""
    loop_var: Name = "item"
    index_var: Name | None = None
    pause: Duration | None = None


class TaskText(Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of a task; beside them stands one module's name with its arguments.

    Args:
        register: the name of its result, for all that follows.
        loop: a list, or an expression of one; the task is done for each `item`.
        loop_control: how the loop is told and paced.
        expect: what must hold of the `result`, in place of the module's own finding. Unmet in
            `investigate` it is a finding, elsewhere a failure.
        failed_when: what of the `result` is a failure, in place of the module's own word.
        within: it must come to hold before that time is over.
        hold: it must hold at every look for that long.
        every: the time between two such looks.
        until: look again until that holds of the `result`.
        retries: so many times more; 3 unless said.
        delay: the time between these looks; 5 s unless said.
        timeout: of one look (30 s unless said), or of an action (5 min).
        verify: probes that must hold after a change; each is looked at for 30 s unless it says
            `within`. The symptom decides, not the exit status.
        rollback: tasks that take the change back when its host fails afterwards. They see what was
            done as `result`, and need no further yes.
        notify: handlers that are run once at the end of the phase, if this has changed something.
    """

    register: Name | None = None
    loop: list[Any] | Expression | None = None
    loop_control: LoopControl = LoopControl()
    expect: Conditions | None = None
    failed_when: Conditions | None = None
    within: Duration | None = None
    hold: Duration | None = None
    every: Duration | None = None
    until: Conditions | None = None
    retries: Annotated[int, Meta(ge=1)] | None = None
    delay: Duration | None = None
    timeout: Duration | None = None
    verify: list[dict[str, Any]] = []
    rollback: list[dict[str, Any]] = []
    notify: str | list[str] = []


class BlockText(Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of a block.

    Args:
        block: its tasks.
        rescue: what is done on the hosts where one of them failed.
        always: what is done on all hosts, whatever happened.
    """

    block: list[dict[str, Any]]
    rescue: list[dict[str, Any]] = []
    always: list[dict[str, Any]] = []


class IncludeText(Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of tasks that stands here as a block.

    Args:
        include: the file, from the directory of the one that includes it.
        inputs: values for what the file declares.
    """

    include: str
    inputs: dict[Name, Any] = {}


class TaskFileText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of tasks, to be included."""

    description: str = ""
    inputs: dict[Name, InputText] = {}
    tasks: list[dict[str, Any]]


class PlaybookText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keywords of a playbook file.

    Args:
        name: of the kind of incident.
        description: for people.
        owner: the team that answers for it.
        links: names and addresses, such as a dashboard's.
        inputs: what the playbook is told for each incident.
        triggers: the alerts that call for it; one of them must match.
        vars: variables; templates, rendered when they are used.
        hosts: on which it runs; Ansible's patterns.
        tags: of every task.
        environment: of every command that a module runs on a host.
        become: whether its tasks act as another account; they may say otherwise.
        become_user: as which one.
        become_method: how to get there.
        throttle: on how many hosts a task may be under way at once.
        serial: `mitigate` takes so many hosts at a time; a list says how many each time.
        max_fail: more hosts that failed than that, and `mitigate` stops everywhere.
        any_errors_fatal: a task that fails on one host has failed on all.
        rollback_on: when what was applied on a host is taken back: on a `failure` of it, on an
            `interrupt` of the run.
        limits: the blast radius.
        acknowledge: tell people that somebody is at it: probes, records and checkpoints.
        investigate: look: probes and checkpoints only; a finding or a host that cannot be
            reached is evidence.
        severity: how bad it is, from what was found.
        mitigate: shown, approved, applied, verified.
        resolve: whether it is over: probes, records and checkpoints.
        always: last, whatever happened.
        handlers: tasks that others notify when they have changed something.
    """

    name: str
    description: str = ""
    owner: str = ""
    links: dict[str, str] = {}
    inputs: dict[Name, InputText] = {}
    triggers: list[TriggerText] = []
    vars: dict[Name, Any] = {}
    hosts: HostPattern
    tags: str | list[str] = []
    environment: Environment = {}
    become: bool | None = None
    become_user: Account | None = None
    become_method: BecomeMethod | None = None
    throttle: Annotated[int, Meta(ge=1)] | None = None
    limits: Limits = Limits()
    serial: Batch | list[Batch] | None = None
    max_fail: Annotated[int | str, Meta(title="failure budget", examples=[0, "10%"])] | None = None
    any_errors_fatal: bool = False
    rollback_on: tuple[Literal["failure", "interrupt"], ...] = ("failure",)
    acknowledge: list[dict[str, Any]] = []
    investigate: list[dict[str, Any]] = []
    severity: list[RuleText] = []
    mitigate: list[dict[str, Any]] = []
    resolve: list[dict[str, Any]] = []
    always: list[dict[str, Any]] = []
    handlers: list[dict[str, Any]] = []
