"""What the modules for Docker share; like the rest of the contract, any module may use it.

`docker_engine` opens the host's own engine and words its failures. A container is found with
`find`, known by its `identity` (id and StartedAt), and looked at once more with `still_the_same`
right before it is changed.
"""

from __future__ import annotations

from engine.contract.docker.containers import (
    NEVER,
    Container,
    ContainerName,
    find,
    inspect,
    still_the_same,
)
from engine.contract.docker.engine import (
    SOCKET,
    ask,
    docker_engine,
    engine_time,
    happened,
    said,
    streamed,
    timestamp,
)
from engine.contract.docker.limits import CPU_PERIOD, UNLIMITED, Limits
from engine.contract.docker.logs import Line, StreamName, read_log
from engine.contract.docker.starting import stop_patience, until_up
from engine.contract.docker.usage import Usage, memory_used, sample

__all__ = [
    "CPU_PERIOD",
    "NEVER",
    "SOCKET",
    "UNLIMITED",
    "Container",
    "ContainerName",
    "Limits",
    "Line",
    "StreamName",
    "Usage",
    "ask",
    "docker_engine",
    "engine_time",
    "find",
    "happened",
    "inspect",
    "memory_used",
    "read_log",
    "said",
    "sample",
    "still_the_same",
    "stop_patience",
    "streamed",
    "timestamp",
    "until_up",
]
