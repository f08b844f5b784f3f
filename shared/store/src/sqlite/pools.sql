-- Version 7: the pools that somebody has paused.

CREATE TABLE paused_pools (
    pool TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;
