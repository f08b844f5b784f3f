PRAGMA application_id = 1296847427;
PRAGMA user_version = 2;
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
    step INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, step)
) WITHOUT ROWID;
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
    result TEXT, pool TEXT NOT NULL DEFAULT 'default', level INTEGER NOT NULL DEFAULT 1,
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
INSERT INTO cluster VALUES (1, 8);
INSERT INTO producers VALUES ('7ed0fe06667e444fbf7743c9937427b7', 1795692732771);
INSERT INTO partitions VALUES (0, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 7, 1795692725060, '[]');
INSERT INTO partitions VALUES (1, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 13, 1795692725062, '[]');
INSERT INTO partitions VALUES (2, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 2, 1795692720831, '[]');
INSERT INTO partitions VALUES (3, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 6, 1795692725030, '[]');
INSERT INTO partitions VALUES (4, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 5, 1795692720861, '[]');
INSERT INTO partitions VALUES (5, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 2, 1795692725051, '[]');
INSERT INTO partitions VALUES (6, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 1, 1795692720797, '[]');
INSERT INTO partitions VALUES (7, '7ed0fe06667e444fbf7743c9937427b7', 1795692732771, 1795692720760000, 6, 1795692725057, '[]');
INSERT INTO runs VALUES (1, '57e0e430-53b6-854e-ade4-766eeb2b0001', 1, 1795692720802, 'report', 1, 1796297520810, '{"state":"succeeded","workflow":"report","version":2,"created_at":1795692720802,"started_at":1795692720802,"ended_at":1795692720810,"labels":{"kind":"report","team":"finance"},"digest":"060996bec3255c8d7c6e9b4ffde9f2fe"}', '{"v":1,"source":{"stored":{"workflow":"report","version":2}},"params":{"day":"2026-11-01","dry":false,"rows":3,"share":0.5},"scheduled_at":1795692720802,"priority":"P1","trigger":"api","base_dir":"/tmp"}');
INSERT INTO runs VALUES (2, '01a217a0-72bb-71ce-8404-68d9d3590002', 2, 1795692720826, 'adhoc', 0, 1796297520831, '{"state":"succeeded","workflow":"adhoc","created_at":1795692720826,"started_at":1795692720826,"ended_at":1795692720831,"labels":{"by":"hand"}}', '{"v":1,"source":{"adhoc":{"v":1,"run":"echo \"$A $name $n\"","params":{"list":[1],"n":7,"name":"x"},"env":{"A":"a"},"pool":"default","priority":"P0","timeout":"30s","retry":{"delay":"1s","limit":1},"at_most_once":true,"working_dir":"/","labels":{"by":"hand"},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},"params":{"list":[1],"n":7,"name":"x"},"scheduled_at":1795692720826,"priority":"P0","trigger":"api","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}');
INSERT INTO runs VALUES (3, '01a217a0-72d6-74bc-acf3-0e5a77c10004', 4, 1795692720853, 'inline', 0, 1796297520861, '{"state":"succeeded","workflow":"inline","created_at":1795692720853,"started_at":1795692720853,"ended_at":1795692720861}', '{"v":1,"source":{"inline":"\nname: inline\nparams: [{name: who, type: string}]\nsteps:\n  - {name: hello, run: ''echo \"hello $who\"; echo \"said=$who\" > \"$MILLRACE_OUTPUT\"''}\n  - {name: bye, depends_on: [hello], uses: noop}\n"},"params":{"who":"you"},"scheduled_at":1795692720853,"priority":"P2","trigger":"api","base_dir":"/tmp"}');
INSERT INTO runs VALUES (4, '01a217a0-72f2-77bc-bff9-6231e8c80007', 7, 1795692720881, 'failing', 0, 1796297520889, '{"state":"failed","workflow":"failing","version":1,"created_at":1795692720881,"started_at":1795692720881,"ended_at":1795692720889,"reason":"step first: exit code 7: why","verdict":"failed"}', '{"v":1,"source":{"stored":{"workflow":"failing","version":1}},"scheduled_at":1795692720881,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (5, '01a217a0-7310-7713-8c97-3d4feafc0001', 1, 1795692720911, 'slow', 0, 1796297521931, '{"state":"timed_out","workflow":"slow","version":1,"created_at":1795692720911,"started_at":1795692720911,"ended_at":1795692721931,"reason":"step first: timed out after 1s","verdict":"timed_out"}', '{"v":1,"source":{"stored":{"workflow":"slow","version":1}},"scheduled_at":1795692720911,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (6, '01a217a0-7718-7307-ab26-34b0179e0003', 3, 1795692721944, 'overtime', 0, 1796297523954, '{"state":"timed_out","workflow":"overtime","version":1,"created_at":1795692721944,"started_at":1795692721944,"ended_at":1795692723954,"reason":"the run took longer than its timeout of 2s","stopping":"timed_out","stopping_since":1795692723946,"verdict":"cancelled"}', '{"v":1,"source":{"stored":{"workflow":"overtime","version":1}},"scheduled_at":1795692721944,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (7, '8226d719-c67a-85be-9961-36c094e50001', 1, 1795692725001, 'tick', 1, 1796297525002, '{"state":"succeeded","workflow":"tick","version":1,"created_at":1795692725001,"started_at":1795692725001,"ended_at":1795692725002}', '{"v":1,"source":{"stored":{"workflow":"tick","version":1}},"scheduled_at":1795692725000,"priority":"P2","trigger":"schedule"}');
INSERT INTO runs VALUES (8, '01a217a0-8320-7349-bc3e-a402d73f0000', 0, 1795692725023, 'report', 0, NULL, '{"state":"waiting","workflow":"report","version":2,"created_at":1795692725023,"start_at":1795699925023,"labels":{"kind":"report","team":"finance"}}', '{"v":1,"source":{"stored":{"workflow":"report","version":2}},"params":{"day":"2026-11-25","dry":false,"rows":3,"share":0.5},"scheduled_at":1795699925023,"priority":"P1","trigger":"api","base_dir":"/tmp"}');
INSERT INTO runs VALUES (9, '01a217a0-8321-7332-aae3-087321990001', 1, 1795692725024, 'backing_off', 0, NULL, '{"state":"running","workflow":"backing_off","version":1,"created_at":1795692725024,"started_at":1795692725024}', '{"v":1,"source":{"stored":{"workflow":"backing_off","version":1}},"scheduled_at":1795692725024,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (10, '01a217a0-8324-74da-b29f-58d1a7d50003', 3, 1795692725027, 'halfway', 0, NULL, '{"state":"running","workflow":"halfway","version":1,"created_at":1795692725027,"started_at":1795692725027}', '{"v":1,"source":{"stored":{"workflow":"halfway","version":1}},"scheduled_at":1795692725027,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (11, '01a217a0-833c-73ac-85e4-aa6f93850005', 5, 1795692725051, 'gone', 0, NULL, '{"state":"running","workflow":"gone","version":1,"created_at":1795692725051,"started_at":1795692725051}', '{"v":1,"source":{"stored":{"workflow":"gone","version":1}},"scheduled_at":1795692725051,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (12, '01a217a0-8342-72c7-bee0-5647aae60007', 7, 1795692725057, 'adhoc', 0, NULL, '{"state":"running","workflow":"adhoc","created_at":1795692725057,"started_at":1795692725057}', '{"v":1,"source":{"adhoc":{"run":"test \"$MILLRACE_ATTEMPT\" -ge 2 || sleep 600"}},"scheduled_at":1795692725057,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (13, '01a217a0-8345-75be-b394-98220be00000', 0, 1795692725060, 'adhoc', 0, NULL, '{"state":"waiting","workflow":"adhoc","created_at":1795692725060,"start_at":1795692745060}', '{"v":1,"source":{"adhoc":{"run":"true","delay":"20s"}},"scheduled_at":1795692745060,"priority":"P2","trigger":"api"}');
INSERT INTO runs VALUES (14, '01a217a0-8346-719a-8d86-28a828760001', 1, 1795692725062, 'expiring', 0, NULL, '{"state":"running","workflow":"expiring","version":1,"created_at":1795692725062,"started_at":1795692725062}', '{"v":1,"source":{"stored":{"workflow":"expiring","version":1}},"scheduled_at":1795692725062,"priority":"P2","trigger":"api"}');
INSERT INTO steps VALUES (1, 0, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720802},"started_at":1795692720803,"ended_at":1795692720806,"code":0,"outputs":{"tables":"orders customers"},"worker":"vm"}');
INSERT INTO steps VALUES (1, 1, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720805},"started_at":1795692720806,"ended_at":1795692720808,"code":0,"outputs":{"list":[1,2.5,null],"ok":true,"rows":12,"text":"täglich"},"worker":"vm"}');
INSERT INTO steps VALUES (1, 2, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720807},"started_at":1795692720808,"ended_at":1795692720811,"code":0,"worker":"vm"}');
INSERT INTO steps VALUES (2, 0, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720826},"started_at":1795692720830,"ended_at":1795692720831,"code":0,"worker":"vm"}');
INSERT INTO steps VALUES (3, 0, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720853},"started_at":1795692720858,"ended_at":1795692720862,"code":0,"outputs":{"said":"you"},"worker":"vm"}');
INSERT INTO steps VALUES (3, 1, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720861},"started_at":1795692720862,"ended_at":1795692720862,"worker":"vm"}');
INSERT INTO steps VALUES (4, 0, '{"s":"ended","outcome":"failed","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720881},"started_at":1795692720884,"ended_at":1795692720890,"code":7,"reason":"exit code 7: why","worker":"vm"}');
INSERT INTO steps VALUES (4, 1, '{"s":"ended","outcome":"skipped","attempts":{"attempt":0,"retries":0,"lost":0,"dispatched_at":0},"ended_at":1795692720889,"reason":"step first did not succeed"}');
INSERT INTO steps VALUES (5, 0, '{"s":"ended","outcome":"timed_out","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692720911},"started_at":1795692720918,"ended_at":1795692721932,"reason":"timed out after 1s","worker":"vm"}');
INSERT INTO steps VALUES (5, 1, '{"s":"ended","outcome":"skipped","attempts":{"attempt":0,"retries":0,"lost":0,"dispatched_at":0},"ended_at":1795692721931,"reason":"step first did not succeed"}');
INSERT INTO steps VALUES (6, 0, '{"s":"ended","outcome":"cancelled","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692721944},"started_at":1795692721946,"ended_at":1795692723952,"reason":"cancelled while running","worker":"vm"}');
INSERT INTO steps VALUES (6, 1, '{"s":"ended","outcome":"cancelled","attempts":{"attempt":0,"retries":0,"lost":0,"dispatched_at":0},"ended_at":1795692723946,"reason":"the run took longer than its timeout of 2s"}');
INSERT INTO steps VALUES (7, 0, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692725001},"started_at":1795692725003,"ended_at":1795692725003,"worker":"vm"}');
INSERT INTO steps VALUES (9, 0, '{"s":"backoff","attempts":{"attempt":1,"retries":1,"lost":0,"dispatched_at":1795692725024},"until":1795694971814,"reason":"exit code 1"}');
INSERT INTO steps VALUES (10, 0, '{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,"dispatched_at":1795692725027},"started_at":1795692725029,"ended_at":1795692725031,"code":0,"outputs":{"value":"handed"},"worker":"vm"}');
INSERT INTO tasks VALUES (10, 1, 1, 3, 0, 1795692725030, 1795692755030, NULL, NULL, NULL, NULL, 'idle', 1);
INSERT INTO tasks VALUES (11, 0, 1, 5, 0, 1795692725051, 1795692755051, NULL, NULL, NULL, NULL, 'idle', 1);
INSERT INTO tasks VALUES (12, 0, 1, 7, 1, 1795692725057, 1795692730058, '9275143fd669409bb0e8a19eef4e78bb', '695f0f8c7c0b4ddbade71d34462b3545', 1795692725058, NULL, 'default', 1);
INSERT INTO tasks VALUES (14, 0, 1, 1, 0, 1795692725062, 1795692755062, NULL, NULL, NULL, NULL, 'nobody', 1);
INSERT INTO timers VALUES (0, 'start:01a217a0-8345-75be-b394-98220be00000', 1795692745060);
INSERT INTO timers VALUES (0, 'start:01a217a0-8320-7349-bc3e-a402d73f0000', 1795699925023);
INSERT INTO timers VALUES (0, 'fire:report:0', 1795741200000);
INSERT INTO timers VALUES (0, 'fire:report:1', 1795991400000);
INSERT INTO timers VALUES (0, 'fire:report:2', 1961690400000);
INSERT INTO timers VALUES (1, 'fire:tick:0', 1795692730000);
INSERT INTO timers VALUES (1, 'timeout:01a217a0-8346-719a-8d86-28a828760001', 1795692775062);
INSERT INTO timers VALUES (1, 'retry:01a217a0-8321-7332-aae3-087321990001:0', 1795694971814);
INSERT INTO sessions VALUES ('695f0f8c7c0b4ddbade71d34462b3545', 1795692724771, '{"id":"695f0f8c-7c0b-4ddb-ade7-1d34462b3545","count":3,"host":"vm","pid":16170,"pools":["default"],"slots":8,"running":0,"draining":false,"started_at":1795692720766,"renewed_at":1795692724771,"labels":[]}');
INSERT INTO workflows VALUES (0, 'gone', 1, 0, '{"version":1,"paused":false,"deleted":true,"applied_at":1795692725052,"next":[],"schedules":[],"steps":1}');
INSERT INTO workflows VALUES (0, 'halfway', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720794,"next":[],"schedules":[],"steps":3}');
INSERT INTO workflows VALUES (0, 'report', 2, 1, '{"version":2,"paused":false,"deleted":false,"applied_at":1795692720773,"base_dir":"/tmp","next":[1795741200000,1795991400000,1961690400000],"description":"Yesterday''s report, version 2","schedules":["0 2 * * *","30 6 * * 1","2032-03-01T02:00:00+08:00"],"steps":3}');
INSERT INTO workflows VALUES (1, 'backing_off', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720794,"next":[],"schedules":[],"steps":1}');
INSERT INTO workflows VALUES (1, 'tick', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720776,"next":[1795692730000],"schedules":["every 5s"],"steps":1}');
INSERT INTO workflows VALUES (3, 'slow', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720786,"next":[],"schedules":[],"steps":2}');
INSERT INTO workflows VALUES (4, 'resting', 1, 1, '{"version":1,"paused":true,"deleted":false,"applied_at":1795692720777,"next":[null],"schedules":["*/5 * * * *"],"steps":1}');
INSERT INTO workflows VALUES (5, 'overtime', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720788,"next":[],"schedules":[],"steps":2}');
INSERT INTO workflows VALUES (6, 'finishing', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720797,"next":[],"schedules":[],"steps":2}');
INSERT INTO workflows VALUES (7, 'expiring', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720789,"next":[],"schedules":[],"steps":1}');
INSERT INTO workflows VALUES (7, 'failing', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720785,"next":[],"schedules":[],"steps":2}');
INSERT INTO workflows VALUES (7, 'stopped', 1, 1, '{"version":1,"paused":false,"deleted":false,"applied_at":1795692720793,"next":[],"schedules":[],"steps":2}');
INSERT INTO versions VALUES (0, 'report', 1, 'name: report
description: Yesterday''s report, version 1
labels: {team: finance, kind: report}
schedule:
  - "0 2 * * *"
  - {cron: "30 6 * * 1", timezone: Asia/Shanghai}
  - {at: "2032-03-01T02:00:00+08:00"}
timezone: Europe/Berlin
timeout: 2h
priority: P1
params:
  - {name: day, type: date, default: "${{ fire.date(-1) }}"}
  - {name: rows, type: int, default: 3}
  - {name: share, type: float, default: 0.5}
  - {name: dry, type: bool, default: false}
env: {LANG: C}
defaults: {pool: default, timeout: 30m, retry: {limit: 2, delay: 1s}}
steps:
  - name: extract
    run: |
      echo "from $day"
      echo "to stderr" >&2
      echo "tables=orders customers" > "$MILLRACE_OUTPUT"
    timeout: 1h
  - name: count
    depends_on: [extract]
    run: |
      echo ''{"rows": 12, "ok": true, "list": [1, 2.5, null], "text": "täglich"}'' > "$MILLRACE_OUTPUT"
    retry: {limit: 5, delay: 1s, backoff: 2.0, max_delay: 5m, jitter: true, outcomes: [failed, timed_out]}
  - name: tell
    depends_on: [extract, count]
    env: {ROWS: "${{ outputs.count.rows }}", TABLES: "${{ outputs.extract.tables }}"}
    run: test "$ROWS" = 12 && echo "$ROWS of $TABLES"
    shell: [sh, -eu, -c]
    working_dir: /
');
INSERT INTO versions VALUES (0, 'report', 2, 'name: report
description: Yesterday''s report, version 2
labels: {team: finance, kind: report}
schedule:
  - "0 2 * * *"
  - {cron: "30 6 * * 1", timezone: Asia/Shanghai}
  - {at: "2032-03-01T02:00:00+08:00"}
timezone: Europe/Berlin
timeout: 2h
priority: P1
params:
  - {name: day, type: date, default: "${{ fire.date(-1) }}"}
  - {name: rows, type: int, default: 3}
  - {name: share, type: float, default: 0.5}
  - {name: dry, type: bool, default: false}
env: {LANG: C}
defaults: {pool: default, timeout: 30m, retry: {limit: 2, delay: 1s}}
steps:
  - name: extract
    run: |
      echo "from $day"
      echo "to stderr" >&2
      echo "tables=orders customers" > "$MILLRACE_OUTPUT"
    timeout: 1h
  - name: count
    depends_on: [extract]
    run: |
      echo ''{"rows": 12, "ok": true, "list": [1, 2.5, null], "text": "täglich"}'' > "$MILLRACE_OUTPUT"
    retry: {limit: 5, delay: 1s, backoff: 2.0, max_delay: 5m, jitter: true, outcomes: [failed, timed_out]}
  - name: tell
    depends_on: [extract, count]
    env: {ROWS: "${{ outputs.count.rows }}", TABLES: "${{ outputs.extract.tables }}"}
    run: test "$ROWS" = 12 && echo "$ROWS of $TABLES"
    shell: [sh, -eu, -c]
    working_dir: /
');
INSERT INTO versions VALUES (1, 'tick', 1, '{"name":"tick","schedule":[{"every":"5s"}],"steps":[{"name":"tick","uses":"noop"}]}');
INSERT INTO versions VALUES (4, 'resting', 1, '{"name":"resting","schedule":"*/5 * * * *","steps":[{"name":"tick","uses":"noop"}]}');
INSERT INTO versions VALUES (0, 'gone', 1, '{"name":"gone","steps":[{"depends_on":[],"name":"wait","pool":"idle","run":"true"}]}');
INSERT INTO versions VALUES (7, 'failing', 1, '{"name":"failing","steps":[{"depends_on":[],"name":"first","run":"echo why >&2; exit 7"},{"depends_on":["first"],"name":"second","run":"true"}]}');
INSERT INTO versions VALUES (3, 'slow', 1, '{"name":"slow","steps":[{"name":"first","run":"sleep 600","timeout":"1s"},{"depends_on":["first"],"name":"second","run":"true"}]}');
INSERT INTO versions VALUES (5, 'overtime', 1, '{"name":"overtime","steps":[{"depends_on":[],"name":"first","run":"sleep 600"},{"depends_on":["first"],"name":"second","run":"true"}],"timeout":"2s"}');
INSERT INTO versions VALUES (7, 'expiring', 1, '{"name":"expiring","steps":[{"depends_on":[],"name":"first","pool":"nobody","run":"true"}],"timeout":"50s"}');
INSERT INTO versions VALUES (7, 'stopped', 1, '{"name":"stopped","steps":[{"depends_on":[],"name":"first","run":"sleep 600"},{"depends_on":["first"],"name":"second","run":"true"}]}');
INSERT INTO versions VALUES (1, 'backing_off', 1, '{"name":"backing_off","steps":[{"name":"first","retry":{"delay":"1h","limit":3},"run":"exit 1"}]}');
INSERT INTO versions VALUES (0, 'halfway', 1, '{"name":"halfway","steps":[{"depends_on":[],"name":"first","run":"echo value=handed > \"$MILLRACE_OUTPUT\""},{"depends_on":["first"],"env":{"HANDED":"${{ outputs.first.value }}"},"name":"second","pool":"idle","run":"test \"$HANDED\" = handed"},{"depends_on":["second"],"name":"third","run":"true"}]}');
INSERT INTO versions VALUES (6, 'finishing', 1, '{"name":"finishing","steps":[{"depends_on":[],"name":"first","run":"sleep 15; echo value=kept > \"$MILLRACE_OUTPUT\""},{"depends_on":["first"],"env":{"KEPT":"${{ outputs.first.value }}"},"name":"second","run":"test \"$KEPT\" = kept"}]}');
INSERT INTO logs VALUES (1, 0, 1, 2, 26);
INSERT INTO logs VALUES (1, 2, 1, 1, 23);
INSERT INTO logs VALUES (2, 0, 1, 1, 6);
INSERT INTO logs VALUES (3, 0, 1, 1, 10);
INSERT INTO logs VALUES (4, 0, 1, 1, 4);
INSERT INTO log_chunks VALUES (1, 0, 1, 0, 1795692720805, 1, 'to stderr
');
INSERT INTO log_chunks VALUES (1, 0, 1, 1, 1795692720806, 0, 'from 2026-11-01
');
INSERT INTO log_chunks VALUES (1, 2, 1, 0, 1795692720810, 0, '12 of orders customers
');
INSERT INTO log_chunks VALUES (2, 0, 1, 0, 1795692720831, 0, 'a x 7
');
INSERT INTO log_chunks VALUES (3, 0, 1, 0, 1795692720860, 0, 'hello you
');
INSERT INTO log_chunks VALUES (4, 0, 1, 0, 1795692720889, 1, 'why
');
