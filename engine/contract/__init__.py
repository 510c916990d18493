"""All that a module's author imports.

A module is one frozen class in one file. Its fields are its arguments: from them come the JSON
Schema that playbooks are checked with, the conversion, the reference page and the editor's
completion. Its docstring is the reference's text; the file ends with `EXAMPLE`, one task.

- A `Probe` only reads: it has `observe`.
- An `Action` changes a host or a service: `observe`, `decide`, `apply`. **The engine owns the
  sequence**: observe → decide → (check mode stops here) → the intent is durable in the journal →
  apply → confirm. A change that did not take is a failure.
- A `Record` changes something outside the hosts that is safe to repeat: `decide`, `apply`.
- A `Checkpoint` stops the run for a person or for a time, and contacts no host: `stops_for`.

What only some modules need has a file of its own beside this one: `engine.contract.http` for those
that ask HTTP servers, `engine.contract.postgres`, `engine.contract.processes` and so on. It is
imported from there, so that nobody pays for what others use.

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
    Program,
    SslMode,
    contains,
    matcher,
    seconds,
    size,
    when,
)
from engine.contract.change import Change, Identity
from engine.contract.checkpoint import Checkpoint, Question
from engine.contract.clients import (
    docker_client,
    http_client,
    postgres_errors,
    postgres_session,
    tls_context,
)
from engine.contract.commands import FreeCommand
from engine.contract.module import Action, Module, Observing, Probe, Record, to_plain
from engine.contract.target import Deadline, Target, since
from engine.errors import DeadlineExceeded, DialRefused, GuardRefused, LinkLost, ModuleFailed
from engine.typed import convert, from_json
from engine.units import amount, count, cut, duration, figure, percent

__all__ = [
    "Action",
    "Address",
    "Argv",
    "Bytes",
    "Change",
    "Checkpoint",
    "Condition",
    "Deadline",
    "DeadlineExceeded",
    "DialRefused",
    "Duration",
    "Finished",
    "FreeCommand",
    "GuardRefused",
    "HeaderName",
    "HeaderValue",
    "HostName",
    "Identity",
    "LinkLost",
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
    "Probe",
    "Program",
    "Question",
    "Record",
    "Script",
    "SslMode",
    "Struct",
    "Target",
    "Tcp",
    "Unix",
    "amount",
    "contains",
    "convert",
    "count",
    "cut",
    "docker_client",
    "duration",
    "figure",
    "from_json",
    "http_client",
    "matcher",
    "percent",
    "postgres_errors",
    "postgres_session",
    "seconds",
    "since",
    "size",
    "tls_context",
    "to_plain",
    "when",
]
