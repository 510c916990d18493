"""`docker_update`: change what a running container may take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import asdict

from engine.contract import (
    Action,
    Bytes,
    Change,
    Deadline,
    GuardRefused,
    Meta,
    ModuleFailed,
    Struct,
    Target,
    amount,
    size,
)
from engine.contract.docker import (
    CPU_PERIOD,
    SOCKET,
    UNLIMITED,
    Container,
    ContainerName,
    Limits,
    ask,
    docker_engine,
    find,
    memory_used,
    samples,
    still_the_same,
)

if TYPE_CHECKING:
    import docker

LEAST_MEMORY = 6 * 1024 * 1024
"""Bytes: Docker allows no lower limit."""
LIMITS = Limits.__struct_fields__

_CALLED = {
    "memory": "memory",
    "memory_swap": "memory and swap",
    "memory_reservation": "reserved memory",
    "cpus": "processors",
    "pids_limit": "processes",
    "restart_policy": "restart policy",
}
_IN_API = {
    "memory": "Memory",
    "memory_swap": "MemorySwap",
    "memory_reservation": "MemoryReservation",
    "pids_limit": "PidsLimit",
}
Value = int | float | str | None
RestartPolicy = Annotated[
    str, Meta(pattern=r"^(no|always|unless-stopped|on-failure(:[1-9]\d*)?)$", title="policy")
]
SwapLimit = Annotated[
    Annotated[str, Meta(pattern=r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]i?)?[bB]?\s*$")]
    | Annotated[int, Meta(ge=UNLIMITED)],
    Meta(title="size, or -1", examples=["4g"]),
]


class Limited(Container, frozen=True, kw_only=True):
    """A container, its limits, and how much memory it uses; None where that does not matter."""

    limits: Limits
    memory_used: int | None


class Updated(Struct, frozen=True, kw_only=True):
    """What was done.

    Args:
        container: its name.
        id: all 64 characters.
        warnings: what Docker had to say.
    """

    container: str
    id: str
    warnings: list[str]


class DockerUpdate(Action[Limited], frozen=True, kw_only=True):
    """Change a container's limits and restart policy with the host's own Docker engine.

    It takes effect at once; nothing is restarted. What is not given stays as it is, and so does
    the amount of swap: Docker counts memory and swap together, so that limit moves along with the
    memory's, which the change shows. A limit of memory below what is in use is refused, since the
    kernel would end the container's processes for it. Docker cannot take a limit of memory or
    processors away again; a change that sets the first one cannot be undone.

    Args:
        container: its name, or at least 12 characters of its id.
        memory: how much it may use.
        memory_swap: how much of memory and swap together; -1 is as much swap as there is.
        memory_reservation: what it is pressed down to when the host is short of memory.
        cpus: how many processors' time; 1.5 is one and a half.
        pids_limit: how many processes and threads; -1 is any number.
        restart_policy: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`.
        force: lower the limit of memory even below what is in use.
        socket: the engine's socket on the host.

    **Source:** Docker Engine API, `POST /containers/{id}/update`; moby,
    container/container_unix.go `UpdateContainer` for what must be given together.
    """

    container: ContainerName
    memory: Bytes | None = None
    memory_swap: SwapLimit | None = None
    memory_reservation: Bytes | None = None
    cpus: Annotated[float, Meta(ge=0.01)] | None = None
    pids_limit: Annotated[int, Meta(ge=UNLIMITED)] | None = None
    restart_policy: RestartPolicy | None = None
    force: bool = False
    socket: str = SOCKET

    def __post_init__(self) -> None:
        """Refuse to change nothing, and limits that contradict each other.

        Raises:
            ValueError: the arguments do not go together.
        """
        given = self._given()
        if not given:
            raise ValueError(f"nothing to change: give at least one of {', '.join(LIMITS)}")
        for name in ("memory_swap", "pids_limit"):
            if given.get(name) == 0:
                raise ValueError(f"{name}: 0 would leave nothing; -1 is without limit")
        if (memory := self._bytes("memory")) is not None and memory < LEAST_MEMORY:
            raise ValueError(f"memory: Docker allows no less than {amount(LEAST_MEMORY)}")
        wrong = _contradiction({**dict.fromkeys(LIMITS), **given})
        if wrong:
            raise ValueError(wrong)

    def observe(self, target: Target) -> Limited:
        """Inspect the container, and measure its memory."""
        with docker_engine(target, self.socket) as client:
            raw = find(client, self.container)
            limits = Limits.of(raw)
            used = self._used(client, raw, target.deadline)
        return Limited(**asdict(Container.of(raw)), limits=limits, memory_used=used)

    def decide(self, seen: Limited) -> Change | None:
        """Change what differs.

        Raises:
            GuardRefused: more memory is in use than it would have.
            ModuleFailed: what is given and what the container has contradict each other.
        """
        now, wanted = asdict(seen.limits), self._wanted(seen.limits)
        differing = [name for name in wanted if not _equal(now[name], wanted[name])]
        before = {name: now[name] for name in LIMITS if name in differing}
        if not before:
            return None
        after = {name: wanted[name] for name in before}
        wrong = _contradiction({**now, **wanted})
        if wrong:
            raise ModuleFailed(f"{seen.name}: {wrong}")
        self._check_use(seen.name, seen.memory_used)
        changes = [f"{_CALLED[name]} {_said(name, now[name], after[name])}" for name in after]
        lasting = [before.get(name, "") for name in ("memory", "memory_reservation", "cpus")]
        return Change(
            summary=f"{seen.name}: {', '.join(changes)}",
            on=(seen.identity,),
            before=before,
            after=after,
            reversible=None not in lasting,
        )

    def apply(self, target: Target, change: Change) -> Updated:
        """Change them, if it is still the container that was looked at and uses no more by now."""
        (wanted,) = change.on
        id_ = str(wanted.key["id"])
        with docker_engine(target, self.socket) as client:
            raw = still_the_same(client, wanted)
            try:
                self._check_use(wanted.name, self._used(client, raw, target.deadline))
            except GuardRefused as error:
                raise ModuleFailed(f"{error}; nothing was done") from None
            request = _request(change.after, raw)
            answer = ask(client, "POST", f"/containers/{id_}/update", json=request).json()
        return Updated(container=wanted.name, id=id_, warnings=answer.get("Warnings") or [])

    def confirm(self, target: Target, change: Change) -> str | None:
        """Look whether its limits are those."""
        (wanted,) = change.on
        with docker_engine(target, self.socket) as client:
            limits = asdict(Limits.of(client.api.inspect_container(str(wanted.key["id"]))))
        missing = [
            f"{_CALLED[name]} {_said(name, limits[name], value)}"
            for name, value in change.after.items()
            if not _equal(limits[name], value)
        ]
        return f"still to be done: {', '.join(missing)}" if missing else None

    def _bytes(self, name: str) -> int | None:
        value = getattr(self, name)
        return None if value is None else size(value)

    def _given(self) -> dict[str, Value]:
        values: dict[str, Value] = {
            "memory": self._bytes("memory"),
            "memory_swap": self._bytes("memory_swap"),
            "memory_reservation": self._bytes("memory_reservation"),
            "cpus": self.cpus,
            "pids_limit": self.pids_limit,
            "restart_policy": self.restart_policy,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _wanted(self, now: Limits) -> dict[str, Value]:
        """What is given, and what must move along with it."""
        given = self._given()
        memory = self._bytes("memory")
        if memory is None or "memory_swap" in given:
            return given
        if now.memory is None or now.memory_swap is None or now.memory_swap == UNLIMITED:
            return {**given, "memory_swap": UNLIMITED}
        return {**given, "memory_swap": memory + now.memory_swap - now.memory}

    def _used(
        self, client: docker.DockerClient, raw: dict[str, Any], deadline: Deadline
    ) -> int | None:
        """The memory in use, where it might be more than it is to have; it takes up to a second."""
        now, wanted = Limits.of(raw).memory, self._bytes("memory")
        lower = wanted is not None and (now is None or wanted < now)
        if self.force or not lower or Container.of(raw).ended:
            return None
        taken = samples(client, [raw["Id"]], deadline)
        return memory_used(taken.get(raw["Id"], {}))

    def _check_use(self, name: str, used: int | None) -> None:
        limit = self._bytes("memory")
        if used is not None and limit is not None and used > limit and not self.force:
            raise GuardRefused(
                f"{name} uses {amount(used)}: below that the kernel would end its processes; "
                f"force: true sets the limit of {amount(limit)} all the same"
            )


def _equal(now: Value, wanted: Value) -> bool:
    if isinstance(now, int | float) and isinstance(wanted, int | float):
        return math.isclose(now, wanted, rel_tol=1e-4)  # a share of a processor is rounded
    return now == wanted or {now, wanted} == {None, UNLIMITED}


def _contradiction(limits: dict[str, Any]) -> str | None:
    memory, swap = limits["memory"], limits["memory_swap"]
    reserved = limits["memory_reservation"]
    if memory and swap and swap != UNLIMITED and swap < memory:
        return f"memory_swap ({amount(swap)}) holds the memory too ({amount(memory)})"
    if memory and reserved and reserved > memory:
        return f"memory_reservation ({amount(reserved)}) is more than memory ({amount(memory)})"
    return None


def _request(after: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """The limits as the API takes them."""
    host = raw["HostConfig"]
    request: dict[str, Any] = {_IN_API[name]: after[name] for name in after if name in _IN_API}
    if "memory" in after:
        # Docker refuses the one without the other even where the other stays as it is.
        request.setdefault("MemorySwap", host["MemorySwap"] or UNLIMITED)
    if "cpus" in after:
        if host.get("CpuQuota", 0) > 0:  # made with a quota, it cannot be given the other form
            request["CpuQuota"] = round(after["cpus"] * (host.get("CpuPeriod") or CPU_PERIOD))
        else:
            request["NanoCpus"] = round(after["cpus"] * 1e9)
    if "restart_policy" in after:
        name, _, tries = after["restart_policy"].partition(":")
        request["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(tries or 0)}
    return request


def _said(name: str, before: Value, after: Value) -> str:
    return f"{_shown(name, before)} → {_shown(name, after)}"


def _shown(name: str, value: Value) -> str:
    if value is None or value == UNLIMITED:
        return "without limit"
    if name.startswith("memory"):
        return amount(float(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


EXAMPLE = """
name: Raise the memory limit
docker_update: {container: backend, memory: 2g}
"""
