"""The schema of the SQLite file, version by version."""

from __future__ import annotations

_RUNS = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    count INTEGER NOT NULL,
    head BLOB NOT NULL
);
CREATE TABLE records (
    run TEXT NOT NULL,
    number INTEGER NOT NULL,
    event BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
"""

_GUARDS = """
CREATE TABLE actions (
    number INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    module TEXT NOT NULL,
    run TEXT NOT NULL,
    intent TEXT NOT NULL,
    sent INTEGER NOT NULL,
    ended INTEGER,
    wall REAL NOT NULL,
    boot TEXT NOT NULL,
    up REAL NOT NULL
);
CREATE INDEX actions_of_target ON actions (host, kind, name, number);
CREATE INDEX actions_of_run ON actions (run, intent);
CREATE TABLE locks (
    host TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    run TEXT NOT NULL,
    who TEXT NOT NULL,
    controller TEXT NOT NULL,
    pid INTEGER NOT NULL,
    since REAL NOT NULL,
    PRIMARY KEY (host, kind, name)
) WITHOUT ROWID;
CREATE TABLE cancels (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    who TEXT NOT NULL,
    controller TEXT NOT NULL,
    since REAL NOT NULL
);
CREATE TABLE holds (
    who TEXT NOT NULL,
    controller TEXT NOT NULL,
    why TEXT NOT NULL,
    seconds REAL,
    wall REAL NOT NULL,
    boot TEXT NOT NULL,
    up REAL NOT NULL
);
"""

STEPS = (_RUNS, _GUARDS)
"""Each makes the next version of the schema of the one before; the first makes it of nothing."""

VERSION = len(STEPS)
"""Of the schema, in `user_version`."""
