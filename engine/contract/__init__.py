"""All that a module's author imports.

A module is one frozen class in one file. Its fields are its arguments: from them come the JSON
Schema that playbooks are checked with, the conversion, the reference page and the editor's
completion. Its docstring is the reference's text; the file ends with `EXAMPLE`, one task.

- A `Probe` only reads: it has `observe`.
- An `Action` changes a host or a service: `observe`, `decide`, `apply`. **The engine owns the
  sequence**: observe → decide → (check mode stops here) → the intent is durable in the journal →
  apply → confirm. A change that did not take is a failure.
- A `Record` changes something outside the hosts that is safe to repeat: `decide`, `apply`.

A host's failure is raised as `ModuleFailed`; a target that must never be hit as `GuardRefused`.
"""

from __future__ import annotations

from msgspec import Meta, Struct

from engine.connections.base import (
    Address,
    Argv,
    Finished,
    Output,
    Pipe,
    Platform,
    Script,
    Tcp,
    Unix,
)
from engine.contract.arguments import (
    Bytes,
    Condition,
    Duration,
    HeaderName,
    HeaderValue,
    HostName,
    Moment,
    Pattern,
    Port,
    contains,
    matcher,
    seconds,
    size,
    when,
)
from engine.contract.change import Change, Identity
from engine.contract.clients import (
    docker_client,
    http_client,
    postgres_errors,
    postgres_session,
    tls_context,
)
from engine.contract.commands import FreeCommand
from engine.contract.exposition import PARTS as EXPOSITION_PARTS
from engine.contract.exposition import (
    Exposition,
    Series,
    bucket_quantile,
    changes,
    finite,
    read_exposition,
)
from engine.contract.filesystems import Filesystem, filesystems
from engine.contract.http import HttpClient, HttpUrl, check_address, read_body
from engine.contract.listeners import (
    PUBLISHERS,
    Listeners,
    PortHolder,
    listeners,
    start_of,
    why_hidden,
)
from engine.contract.logfiles import LogFile, find_logs, read_end
from engine.contract.masking import masked
from engine.contract.module import Action, Module, Observing, Probe, Record, to_plain
from engine.contract.postgres import PostgresLogin, PostgresSession
from engine.contract.powershell import ask_powershell
from engine.contract.processes import RunningProcess, running
from engine.contract.resolving import Resolved, resolve
from engine.contract.streams import Stream, dialled, tls_reason
from engine.contract.tally import Hits, Kind, Tally, quoted
from engine.contract.tally import told as tally_told
from engine.contract.target import Deadline, Target
from engine.contract.timestamps import Timestamps
from engine.errors import DeadlineExceeded, DialRefused, GuardRefused, LinkLost, ModuleFailed
from engine.units import amount, count, duration, figure

__all__ = [
    "EXPOSITION_PARTS",
    "PUBLISHERS",
    "Action",
    "Address",
    "Argv",
    "Bytes",
    "Change",
    "Condition",
    "Deadline",
    "DeadlineExceeded",
    "DialRefused",
    "Duration",
    "Exposition",
    "Filesystem",
    "Finished",
    "FreeCommand",
    "GuardRefused",
    "HeaderName",
    "HeaderValue",
    "Hits",
    "HostName",
    "HttpClient",
    "HttpUrl",
    "Identity",
    "Kind",
    "LinkLost",
    "Listeners",
    "LogFile",
    "Meta",
    "Module",
    "ModuleFailed",
    "Moment",
    "Observing",
    "Output",
    "Pattern",
    "Pipe",
    "Platform",
    "Port",
    "PortHolder",
    "PostgresLogin",
    "PostgresSession",
    "Probe",
    "Record",
    "Resolved",
    "RunningProcess",
    "Script",
    "Series",
    "Stream",
    "Struct",
    "Tally",
    "Target",
    "Tcp",
    "Timestamps",
    "Unix",
    "amount",
    "ask_powershell",
    "bucket_quantile",
    "changes",
    "check_address",
    "contains",
    "count",
    "dialled",
    "docker_client",
    "duration",
    "figure",
    "filesystems",
    "find_logs",
    "finite",
    "http_client",
    "listeners",
    "masked",
    "matcher",
    "postgres_errors",
    "postgres_session",
    "quoted",
    "read_body",
    "read_end",
    "read_exposition",
    "resolve",
    "running",
    "seconds",
    "size",
    "start_of",
    "tally_told",
    "tls_context",
    "tls_reason",
    "to_plain",
    "when",
    "why_hidden",
]
