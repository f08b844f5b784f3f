-- Version 1. Ids are text, so that the file can be read with any SQLite shell; instants are milliseconds since
-- the epoch. What belongs to a run hangs on the run's integer id, which never leaves this file.

CREATE TABLE cluster (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    partitions INTEGER NOT NULL
);

CREATE TABLE producers (
    producer TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    owner TEXT,                         -- null: given back
    until INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    published_until INTEGER NOT NULL,
    duplicates TEXT NOT NULL            -- of the last commit: a JSON list of run ids
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    keyed INTEGER NOT NULL,
    expires_at INTEGER,                 -- null: it has not ended
    head TEXT NOT NULL,
    definition TEXT NOT NULL
);
CREATE INDEX runs_by_age ON runs (created_at);
CREATE INDEX runs_by_workflow ON runs (workflow, created_at);
CREATE INDEX runs_ended ON runs (partition, expires_at, keyed, created_at) WHERE expires_at IS NOT NULL;

CREATE TABLE steps (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,              -- an item of one is 2^32 times the item's place, from 1, more
    record TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;

-- The current attempt of each step that has one. All of them are watched.
CREATE TABLE tasks (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    state INTEGER NOT NULL,             -- 0 queued, 1 claimed, 2 finished, 3 revoked
    dispatched_at INTEGER NOT NULL,
    look_at INTEGER NOT NULL,
    token TEXT,
    session TEXT,
    claimed_at INTEGER,
    result TEXT,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
CREATE INDEX tasks_watched ON tasks (partition, look_at);

CREATE TABLE timers (
    partition INTEGER NOT NULL,
    timer TEXT NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (partition, timer)
) WITHOUT ROWID;
CREATE INDEX timers_due ON timers (partition, due, timer);

CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    renewed_at INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE workflows (
    home INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    current INTEGER NOT NULL,           -- the version that was put last
    listed INTEGER NOT NULL,
    head TEXT NOT NULL,
    PRIMARY KEY (home, workflow)
) WITHOUT ROWID;

CREATE TABLE versions (
    home INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (home, workflow, version)
);

CREATE TABLE logs (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    chunks INTEGER NOT NULL,            -- kept
    bytes INTEGER NOT NULL,             -- offered, kept or not
    PRIMARY KEY (run, step, attempt)
) WITHOUT ROWID;

CREATE TABLE log_chunks (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- from 0
    at INTEGER NOT NULL,
    stream INTEGER NOT NULL,            -- 0 standard output, 1 standard error, 2 the worker
    text TEXT NOT NULL,
    PRIMARY KEY (run, step, attempt, number)
) WITHOUT ROWID;
