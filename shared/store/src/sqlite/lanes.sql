-- Version 2: where each attempt waits, so that the watch can judge it without its run.

ALTER TABLE tasks ADD COLUMN pool TEXT NOT NULL DEFAULT 'default';
ALTER TABLE tasks ADD COLUMN level INTEGER NOT NULL DEFAULT 1;      -- as on the queue: 3 for P0, 0 for P3
