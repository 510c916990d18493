"""The schema in PostgreSQL, version by version; the numbers are those of the SQLite file."""

from __future__ import annotations

NAME = "quell"
"""Of the schema that all of it is in."""

_RUNS = """
CREATE TABLE quell.journal (version integer NOT NULL);
INSERT INTO quell.journal VALUES (1);
CREATE TABLE quell.runs (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL UNIQUE,
    count bigint NOT NULL,
    head bytea NOT NULL
);
CREATE TABLE quell.records (
    run text NOT NULL,
    number bigint NOT NULL,
    event bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (run, number)
);
CREATE TABLE quell.claims (
    run text PRIMARY KEY,
    key integer GENERATED ALWAYS AS IDENTITY,
    epoch bigint NOT NULL,
    who text NOT NULL,
    controller text NOT NULL,
    pid bigint NOT NULL,
    machine text NOT NULL,
    since double precision NOT NULL,
    seen double precision NOT NULL,
    released boolean NOT NULL,
    durable bigint NOT NULL,
    durable_hash bytea NOT NULL,
    last bigint NOT NULL
) WITH (fillfactor = 50);
"""

_GUARDS = """
CREATE TABLE quell.actions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    module text NOT NULL,
    run text NOT NULL,
    intent text NOT NULL,
    sent bigint NOT NULL,
    ended bigint,
    wall double precision NOT NULL,
    boot text NOT NULL,
    up double precision NOT NULL
);
CREATE INDEX actions_of_target ON quell.actions (host, kind, name, number);
CREATE INDEX actions_of_run ON quell.actions (run, intent);
CREATE TABLE quell.locks (
    host text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    run text NOT NULL,
    who text NOT NULL,
    controller text NOT NULL,
    pid bigint NOT NULL,
    since double precision NOT NULL,
    PRIMARY KEY (host, kind, name)
);
CREATE TABLE quell.cancels (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL,
    who text NOT NULL,
    controller text NOT NULL,
    since double precision NOT NULL
);
CREATE TABLE quell.holds (
    who text NOT NULL,
    controller text NOT NULL,
    why text NOT NULL,
    seconds double precision,
    wall double precision NOT NULL,
    boot text NOT NULL,
    up double precision NOT NULL
);
"""

STEPS = (_RUNS, _GUARDS)
"""Each makes the next version of the schema of the one before; the first makes it of nothing."""

VERSION = len(STEPS)
"""Of the schema, in `quell.journal`."""
