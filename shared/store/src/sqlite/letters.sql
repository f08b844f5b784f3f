-- Version 4: letters to other partitions, until they have arrived; and tables of partitions, which only their owner writes.

CREATE TABLE letters (
    partition INTEGER NOT NULL,         -- that sent it
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (partition, at, epoch, seq, n)
);

CREATE TABLE table_rows (
    partition INTEGER NOT NULL,
    name TEXT NOT NULL,                 -- of the table
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (partition, name, key)
);
