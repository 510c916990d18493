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
    timestamp,
)
from engine.contract.docker.images import (
    PREVIOUS_LABEL,
    ROLLED_BACK_FROM,
    ROLLED_BACK_TO,
    Image,
    image_description,
    image_of,
    needed_image,
    previous_image,
)
from engine.contract.docker.limits import CPU_PERIOD, UNLIMITED, Limits
from engine.contract.docker.logs import Line, read_log
from engine.contract.docker.recreate import creation
from engine.contract.docker.replacing import PUT_BACK, Place, replace
from engine.contract.docker.services import (
    Service,
    ServiceName,
    find_service,
    inspect_service,
    roll_back,
)
from engine.contract.docker.starting import POLL, SETTLE, stop_patience, until_up
from engine.contract.docker.usage import Usage, memory_used, samples

__all__ = [
    "CPU_PERIOD",
    "NEVER",
    "POLL",
    "PREVIOUS_LABEL",
    "PUT_BACK",
    "ROLLED_BACK_FROM",
    "ROLLED_BACK_TO",
    "SETTLE",
    "SOCKET",
    "UNLIMITED",
    "Container",
    "ContainerName",
    "Image",
    "Limits",
    "Line",
    "Place",
    "Service",
    "ServiceName",
    "Usage",
    "ask",
    "creation",
    "docker_engine",
    "engine_time",
    "find",
    "find_service",
    "happened",
    "image_description",
    "image_of",
    "inspect",
    "inspect_service",
    "memory_used",
    "needed_image",
    "previous_image",
    "read_log",
    "replace",
    "roll_back",
    "said",
    "samples",
    "still_the_same",
    "stop_patience",
    "timestamp",
    "until_up",
]
