//! What others call the fields of a definition, and what to write here. Words are compared without their case, `_` and
//! `-`: `retry_policy` is `retryPolicy`.

/// Synonyms: words for the same thing, and what to write instead.
pub(super) type Synonyms = &'static [(&'static [&'static str], &'static str)];

/// The advice for `word`: what to write instead.
pub(super) fn meant(synonyms: Synonyms, word: &str) -> Option<&'static str> {
    let word: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    synonyms.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, meant)| *meant)
}

/// The synonyms of the fields of `with` of a step that runs another workflow.
pub(super) const OF_CHILD: Synonyms = &[
    (
        &["workflow", "workflowid", "workflowname", "triggerdagid", "dagid", "flowid", "id", "ref"],
        "write name: load_day",
    ),
    (
        &["args", "arguments", "inputs", "input", "conf", "parameters", "variables", "with"],
        "write params: {day: \"${{ params.day }}\"}",
    ),
    (
        &["waitforcompletion", "async", "detach", "detached", "fireandforget", "sync", "block"],
        "write wait: false",
    ),
    (&["version", "namespace"], "remove it: the current version of the workflow runs"),
];

/// The synonyms of the fields of `recursive`.
pub(super) const OF_RECURSIVE: Synonyms =
    &[(&["depth", "limit", "maxdepth", "bound", "times"], "write max: 5")];

/// The synonyms of the fields of `foreach` and `shards`.
pub(super) const OF_FAN: Synonyms = &[
    (
        &["parallel", "parallelism", "concurrency", "concurrencylimit", "limit", "maxconcurrency", "batch"],
        "write max_parallel: 8",
    ),
    (&["list", "in", "over", "values", "input", "elements"], "write items: [a, b]"),
    (&["failures", "maxfailures", "allowfailures", "tolerance", "toleratedfailures"], "write tolerate: 5%"),
    (&["stoponfailure", "failfirst", "abortonfailure"], "write fail_fast: true"),
    (&["n", "total", "size"], "write count: 4"),
];

/// The synonyms of the fields of a workflow.
pub(super) const OF_WORKFLOW: Synonyms = &[
    (
        &["cron", "crontab", "cronexpression", "scheduleinterval", "schedules", "on"],
        "write schedule: \"0 2 * * *\"",
    ),
    (&["every", "interval", "period", "fixedrate", "fixeddelay", "rate"], "write schedule: {every: 10m}"),
    (&["at", "runat", "rundate"], "write schedule: {at: \"2030-01-01T02:00:00Z\"}"),
    (&["startdate", "start"], "remove it: a schedule begins when the workflow is applied"),
    (&["tz", "zone", "timezoneid"], "write timezone: Asia/Shanghai"),
    (&["id", "dagid", "workflowid", "workflow", "title", "taskname", "jobname"], "write `name`"),
    (&["desc", "docmd", "comment", "comments", "summary"], "write `description`"),
    (&["tags", "annotations", "metadata"], "write labels: {team: finance}"),
    (&["tasks", "jobs", "stages", "nodes", "activities", "actions"], "write `steps`"),
    (
        &["run", "command", "cmd", "script", "exec", "bashcommand", "shell", "uses", "code"],
        "it is a field of a step: write steps: [{name: main, run: <a shell command>}]",
    ),
    (
        &["args", "arguments", "inputs", "parameters", "param", "input"],
        "write params: [{name: day, type: date}]",
    ),
    (&["environment", "variables", "vars", "envvars", "envs"], "write env: {NAME: text}"),
    (
        &[
            "timeoutseconds",
            "timeoutsec",
            "timeoutms",
            "timeoutminutes",
            "dagruntimeout",
            "activedeadlineseconds",
            "deadlineseconds",
            "maxduration",
            "executiontimeout",
        ],
        "write timeout: 30s",
    ),
    (
        &[
            "retry",
            "retries",
            "retrytimes",
            "retrycount",
            "retrylimit",
            "maxretries",
            "maxretry",
            "maxattempts",
            "attempts",
            "backofflimit",
            "retrypolicy",
            "retrystrategy",
        ],
        "`retry` is a field of a step, or of `defaults`: write defaults: {retry: {limit: 3}}",
    ),
    (&["retrydelay", "retryinterval"], "write defaults: {retry: {limit: 3, delay: 10s}}"),
    (&["pool", "queue", "workergroup", "workerpool"], "`pool` is a field of a step, or of `defaults`"),
    (
        &["workingdir", "workdir", "cwd", "workingdirectory"],
        "`working_dir` is a field of a step, or of `defaults`",
    ),
    (&["dependson", "dependencies", "depends", "needs", "upstream"], "`depends_on` is a field of a step"),
    (&["defaultargs", "default"], "write `defaults`"),
    (&["concurrencypolicy", "overlappolicy", "overlap"], "write concurrency: {limit: 1, policy: skip}"),
    (
        &["maxactiveruns", "maxconcurrency", "maxconcurrentruns", "parallelism", "maxinstances"],
        "write concurrency: 3",
    ),
    (
        &["enabled", "disabled", "suspend", "suspended", "paused", "active", "ispauseduponcreation"],
        "remove it, and say `millrace workflows pause NAME`",
    ),
    (&["version", "revision"], "remove it: each change that is applied is a new version"),
    (&["onfailurecallback", "notify", "notifications", "alerting"], "`on_failure` is not supported yet"),
    (&["image", "container"], IMAGE),
];

/// The synonyms of the fields of a step.
pub(super) const OF_STEP: Synonyms = &[
    (
        &[
            "needs",
            "dependencies",
            "dependency",
            "depends",
            "upstream",
            "upstreamtasks",
            "after",
            "requires",
            "parents",
            "prerequisites",
            "runafter",
        ],
        "write depends_on: [extract]",
    ),
    (
        &[
            "command",
            "cmd",
            "script",
            "bash",
            "bashcommand",
            "exec",
            "entrypoint",
            "code",
            "commands",
            "shellcommand",
        ],
        "write run: <a shell command>",
    ),
    (&["args", "arguments"], "write them into `run`, as in a shell"),
    (&["id", "key", "task", "taskid", "taskname", "step", "stepname", "job"], "write `name`"),
    (
        &[
            "retries",
            "retrytimes",
            "retrycount",
            "retrylimit",
            "maxretries",
            "maxretry",
            "maxattempts",
            "attempts",
            "backofflimit",
            "retrypolicy",
            "retrystrategy",
        ],
        "write retry: {limit: 3}",
    ),
    (&["retrydelay", "retryinterval", "backoff"], "write retry: {limit: 3, delay: 10s}"),
    (
        &[
            "timeoutseconds",
            "timeoutsec",
            "timeoutms",
            "timeoutminutes",
            "executiontimeout",
            "activedeadlineseconds",
            "maxduration",
        ],
        "write timeout: 30s",
    ),
    (&["image", "container", "containers"], IMAGE),
    (&["environment", "variables", "vars", "envvars", "envs"], "write env: {NAME: text}"),
    (
        &["queue", "worker", "workergroup", "workerpool", "agent", "runson", "nodeselector", "executor"],
        "write `pool`",
    ),
    (&["operator", "type", "plugin", "action", "kind"], "write `run` for a command, or uses: http"),
    (
        &["parameters", "inputs", "input", "config", "configuration"],
        "write `env`, or `with` of what the step uses",
    ),
    (&["cwd", "workdir", "dir", "workingdirectory", "directory"], "write `working_dir`"),
    (&["priority", "priorityweight"], "`priority` is a field of the workflow"),
    (
        &["schedule", "cron", "interval", "every", "scheduleinterval"],
        "`schedule` is a field of the workflow: all its steps start from it",
    ),
    (&["params", "param"], "`params` is a field of the workflow"),
    (&["labels", "tags"], "`labels` is a field of the workflow"),
    (&["description", "desc", "comment", "title"], "a step has none: write a comment, # ..."),
    (&["output", "artifacts", "xcompush"], "a script writes its outputs to the file \"$MILLRACE_OUTPUT\""),
    (&["when", "condition", "onlyif"], "write if: outputs.extract.rows > 0"),
    (&["triggerrules", "rule", "startwhen"], "write trigger_rule: all_finished"),
    (&["notearlierthan", "starttime", "waituntil"], "write not_before: \"08:00\""),
    (
        &["allowfailure", "ignoreerrors", "ignorefailure", "failureignored", "softfail"],
        "write continue_on_error: true",
    ),
    (&["loop", "withitems", "withparam", "parallel", "map", "each", "expand"], "write foreach: [a, b]"),
    (
        &["maxparallel", "failfast", "tolerate"],
        "write it beside the items: foreach: {items: [a, b], max_parallel: 8}, or shards: {count: 4, max_parallel: 8}",
    ),
    (&["strategy"], "write matrix: {rate: [0.1, 0.01]}"),
    (
        &["workflow", "subworkflow", "subflow", "subdag", "childworkflow", "triggerdagid", "call"],
        "write uses: workflow, and with: {name: load_day}",
    ),
    (
        &[
            "approval",
            "approvals",
            "approver",
            "approvers",
            "manual",
            "gate",
            "suspend",
            "reviewers",
            "signoff",
        ],
        "write uses: approval",
    ),
    (&["sharding", "shardcount", "partitions", "splits"], "write shards: 4"),
    (&["lock", "mutex", "semaphore"], "write locks: [primary_db]"),
    (&["ratelimit", "throttle", "limiter", "quota", "rpm", "qps"], "write rate: {limit: 100, per: 1m}"),
    (&["memory", "cpu", "limits"], "`resources` is not supported yet"),
    (
        &["concurrencypolicy", "concurrency", "poolslots", "maxactivetisperdag"],
        "write locks: [{name: db, slots: 3}]",
    ),
    (&["idempotent", "restartable"], "write at_most_once: true for a step that must not be started twice"),
];

/// The synonyms of the fields of a dependency.
pub(super) const OF_DEPENDENCY: Synonyms = &[
    (&["task", "name", "job", "id", "on", "taskid", "stepname"], "write `step`"),
    (&["condition", "state", "when", "type", "outcome", "result"], "write status: failed"),
];

/// The synonyms of the fields of `defaults`.
pub(super) const OF_DEFAULTS: Synonyms = &[
    (&["priority"], "`priority` is a field of the workflow"),
    (&["atmostonce"], "`at_most_once` is a field of a step"),
    (&["shell"], "`shell` is a field of a step"),
    (&["queue", "workergroup"], "write `pool`"),
    (&["environment", "variables", "vars"], "write env: {NAME: text}"),
    (&["timeoutseconds", "executiontimeout", "timeoutminutes"], "write timeout: 30s"),
    (
        &[
            "retries",
            "retrytimes",
            "retrycount",
            "retrylimit",
            "maxretries",
            "maxattempts",
            "attempts",
            "backofflimit",
            "retrypolicy",
            "retrystrategy",
        ],
        "write retry: {limit: 3}",
    ),
    (&["retrydelay", "retryinterval"], "write retry: {limit: 3, delay: 10s}"),
    (&["owner", "email"], "write `labels` of the workflow"),
    (&["image", "container"], IMAGE),
];

/// The synonyms of the fields of `retry`.
pub(super) const OF_RETRY: Synonyms = &[
    (
        &[
            "attempts",
            "retries",
            "maxattempts",
            "maxretries",
            "maxretry",
            "times",
            "count",
            "max",
            "retrytimes",
            "retrycount",
            "retrylimit",
        ],
        "write `limit`: it counts the retries after the first attempt",
    ),
    (
        &["interval", "initialinterval", "initialdelay", "wait", "retrydelay", "retryinterval", "mindelay"],
        "write delay: 10s",
    ),
    (
        &[
            "multiplier",
            "backoffmultiplier",
            "backofffactor",
            "backoffcoefficient",
            "factor",
            "exponentialbackoff",
        ],
        "write backoff: 2.0",
    ),
    (&["maxinterval", "maximuminterval", "maxretrydelay", "cap", "maxbackoff"], "write max_delay: 5m"),
    (&["on", "when", "retryon", "if"], "write outcomes: [failed, timed_out]"),
    (
        &["strategy", "policy", "type"],
        "write backoff: 1 for a wait that stays the same, 2.0 for one that doubles",
    ),
];

/// The synonyms of the fields of a schedule.
pub(super) const OF_SCHEDULE: Synonyms = &[
    (&["interval", "rate", "period", "seconds", "minutes", "fixedrate"], "write every: 10m"),
    (&["expression", "crontab", "cronexpression", "expr"], "write cron: \"0 2 * * *\""),
    (&["tz", "zone", "location"], "write timezone: Asia/Shanghai"),
    (&["time", "date", "runat", "once", "datetime"], "write at: \"2030-01-01T02:00:00Z\""),
    (&["start", "startdate"], "remove it: a schedule begins when the workflow is applied"),
];

/// The synonyms of the fields of a param.
pub(super) const OF_PARAM: Synonyms = &[
    (&["required", "optional"], "a param without a default is required"),
    (&["options", "choices", "allowed", "enumvalues"], "write `values`"),
    (&["enum"], "write type: enum and `values`"),
    (&["value", "defaultvalue"], "write `default`"),
    (&["kind", "datatype"], "write `type`"),
    (&["desc", "help", "comment"], "write `description`"),
    (&["id", "key"], "write `name`"),
];

/// The synonyms of an output that a step declares.
pub(super) const OF_OUTPUT: Synonyms = &[
    (
        &["required", "optional", "default"],
        "each output that is declared must be given: leave out one that may be missing",
    ),
    (&["options", "choices", "allowed", "enumvalues"], "write `values`"),
    (&["enum"], "write type: enum and `values`"),
    (&["kind", "datatype"], "write `type`"),
    (&["desc", "help", "comment"], "write `description`"),
    (&["value", "valuefrom", "path", "from"], "a script writes its outputs to the file \"$MILLRACE_OUTPUT\""),
];

/// The synonyms of the input of `http`.
pub(super) const OF_HTTP: Synonyms = &[
    (&["timeout"], "`timeout` is a field of the step"),
    (&["json"], "write `body`: a map is sent as JSON"),
    (&["data", "payload", "form"], "write `body`: a text is sent as it is, a map as JSON"),
    (&["uri", "endpoint", "address"], "write `url`"),
    (&["header"], "write headers: {Accept: text/plain}"),
    (&["status", "statuscodes", "expectedstatus", "successcodes", "validstatus"], "write expect: [200, 204]"),
    (&["followredirects", "allowredirects", "followredirect"], "write redirects: follow, or none"),
    (&["query", "queryparams", "params"], "write it into `url`: https://host/path?a=b"),
    (&["auth", "token", "bearer"], "write headers: {Authorization: ...}"),
    (&["retry", "retries"], "`retry` is a field of the step"),
];

const IMAGE: &str = "`run` starts a program of the worker; the executor `docker` is not supported yet: \
                     write run: docker run --rm <image> <command>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_marks() {
        for word in ["retryPolicy", "retry_policy", "retry-policy", "RETRY_POLICY"] {
            assert_eq!(meant(OF_STEP, word), Some("write retry: {limit: 3}"), "{word}");
        }
        assert_eq!(meant(OF_STEP, "colour"), None);
    }

    #[test]
    fn each_word_stands_once_in_its_plain_form() {
        for synonyms in
            [OF_FAN, OF_WORKFLOW, OF_STEP, OF_DEFAULTS, OF_RETRY, OF_SCHEDULE, OF_PARAM, OF_OUTPUT, OF_HTTP]
        {
            let mut words: Vec<&str> = synonyms.iter().flat_map(|(words, _)| *words).copied().collect();
            assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())), "{words:?}");
            let count = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), count);
        }
    }
}
