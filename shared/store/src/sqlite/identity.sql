-- Version 3: which cluster it is, its kind of queues, its format, and when this life of it began (microseconds). The id
-- of a file of before, and its kind of queues, are written when it is opened next.

ALTER TABLE cluster ADD COLUMN id TEXT;
ALTER TABLE cluster ADD COLUMN queues TEXT;
ALTER TABLE cluster ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE cluster ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
