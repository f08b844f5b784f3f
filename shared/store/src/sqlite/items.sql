-- Version 5: what is kept of the items of steps that fan out, apart from their run.

-- The ends of items.
CREATE TABLE items (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,              -- the unit: the step, and 2^32 times the item's place, from 1, more
    record TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;

-- The lists over which steps have fanned out.
CREATE TABLE lists (
    run INTEGER NOT NULL,
    step INTEGER NOT NULL,
    list TEXT NOT NULL,
    PRIMARY KEY (run, step)
);
