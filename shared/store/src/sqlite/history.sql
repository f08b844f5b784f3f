-- Version 6: the histories of runs, as far as entries tell them.

CREATE TABLE history (
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,                 -- the number of the advance
    entry TEXT NOT NULL,
    PRIMARY KEY (run, n)
) WITHOUT ROWID;
