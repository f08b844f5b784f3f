//! Files of other systems are known by what they are, and words of other systems lead to ours.
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its small functions too")]

use millrace_domain::definition::{self, Problem};

fn problems(source: &str) -> Vec<Problem> {
    definition::parse(source, "f").expect_err("expected problems").0
}

/// The only problem of `source`.
fn only(source: &str) -> Problem {
    let mut problems = problems(source);
    assert_eq!(problems.len(), 1, "{source}\n{problems:#?}");
    problems.remove(0)
}

const CRON_JOB: &str = r#"
apiVersion: batch/v1
kind: CronJob
metadata:
  name: hello
spec:
  schedule: "*/1 * * * *"  # 每分钟执行一次
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: hello
            image: busybox
            command:
            - /bin/sh
            - -c
            - date; echo Hello from the Kubernetes cluster
          restartPolicy: OnFailure
"#;

const FEDERATED_JOB: &str = "
apiVersion: multicluster.x.io/v1alpha1
kind: FederatedJob
metadata:
  name: data-processing
spec:
  clusters:
    - name: cluster-east
      weight: 60
  template:
    spec:
      containers:
      - name: processor
        image: data/processor:latest
";

const AIRFLOW_PYTHON: &str = r#"from airflow import DAG
from airflow.operators.bash import BashOperator
from datetime import datetime

with DAG(dag_id='example_dag', start_date=datetime(2022, 1, 1), schedule_interval='@daily') as dag:
    task1 = BashOperator(task_id='task1', bash_command='echo "Task 1"')
    task2 = BashOperator(task_id='task2', bash_command='echo "Task 2"')

    task1 >> [task2]
"#;

const AIRFLOW_YAML: &str = r#"
example_dag:
  default_args: {owner: me, retries: 1}
  schedule_interval: "0 3 * * *"
  tasks:
    task_1:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo 1
    task_2:
      operator: airflow.operators.bash.BashOperator
      bash_command: echo 2
      dependencies: [task_1]
"#;

const GITHUB: &str = "
name: nightly
on:
  schedule:
    - cron: '0 2 * * *'
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make
  test:
    needs: build
    runs-on: ubuntu-latest
    steps: [{run: make test}]
";

const GITLAB: &str = "
stages: [build, test]
default: &default
  image: alpine
build-job:
  stage: build
  <<: *default
  script:
    - make
";

const COMPOSE: &str = "
services:
  web:
    image: nginx
    ports: ['80:80']
  db:
    image: postgres
volumes: {data: {}}
";

const PIPELINE: &str = r#"
# 数据处理流水线示例
pipeline:
  - name: data_extract
    schedule: "0 2 * * *"
    dependencies: []

  - name: data_transform
    dependencies:
      - task: data_extract
        status: success
    timeout: 3600

  - name: data_load
    dependencies:
      - task: data_transform
        status: success
    resources:
      - database_lock: primary_db
"#;

const TEMPLATE: &str = r#"
template_name: database_backup
description: 数据库备份任务标准模板
parameters:
  - name: database_host
    type: string
    required: true
  - name: retention_days
    type: integer
    default: 7

task_definition:
  schedule: "0 2 * * *"
  timeout: 7200
  retry_times: 2
  command: |
    mysqldump -h ${database_host} -u backup_user
"#;

const ALERTS: &str = "
alert_rules:
  - name: critical_task_failure
    condition: priority = P0 AND status = failed
    channels: [phone, email, dingtalk]
  - name: high_failure_rate
    condition: failure_rate > 5% in last 1h
    channels: [email, dingtalk]
";

const RECOVERY: &str = "
disaster_recovery:
  level_1: # 单点故障
    detection_time: 30s
    recovery_time: 2min
    action: 自动故障转移
";

const RETRY_POLICY: &str = "
# 示例：指数退避重试策略
retryPolicy:
  maxRetries: 5
  initialInterval: 1s
  maxInterval: 5m
  backoffMultiplier: 2.0
";

const TASK: &str = r#"{
  "name": "data_backup",
  "schedule": "0 2 * * *",
  "command": "backup.sh",
  "timeout": 3600
}"#;

const SUBMISSION: &str =
    r#"{"v": 1, "run": "echo hi", "pool": "default", "priority": "P1", "idempotency_key": "order-17"}"#;

const CRONTAB: &str =
    "# nightly\nMAILTO=ops@example.com\n*/5 * * * * /usr/bin/check --all\n0 2 * * MON-FRI backup.sh\n";

const SCRIPT: &str = "#!/bin/sh\nset -e\necho hi\n";

const STATE_MACHINE: &str =
    r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:x", "End": true}}}"#;

#[test]
fn a_file_of_another_system_is_told_by_one_sentence_and_what_becomes_of_it() {
    for (source, line, what, hint) in [
        (CRON_JOB, 2, "a Kubernetes object (CronJob)", "the container's command"),
        (FEDERATED_JOB, 2, "a Kubernetes object (FederatedJob)", "the container's command"),
        (AIRFLOW_PYTHON, 1, "an Airflow DAG in Python", "`bash_command` its `run`"),
        (AIRFLOW_YAML, 2, "an Airflow DAG in YAML", "`task_id` is its `name`"),
        (GITHUB, 6, "a workflow of GitHub Actions", "`needs` to `depends_on`"),
        (GITLAB, 2, "a pipeline of GitLab CI", "`script` goes to `run`"),
        (COMPOSE, 2, "a Compose file", "no services"),
        (PIPELINE, 3, "a pipeline of tasks in another form", "depends_on: [data_transform]"),
        (TEMPLATE, 2, "a template of a task in another form", "`params` for `parameters`"),
        (ALERTS, 2, "a list of alert rules", "/metrics"),
        (RECOVERY, 2, "a plan for disasters", "docs/operations.md"),
        (RETRY_POLICY, 3, "a retry policy alone", "retry: {limit: 5, delay: 1s"),
        (TASK, 4, "a task of the API's short form", "POST /api/v1/tasks"),
        (SUBMISSION, 1, "a submission, as AMQP and the API take it", "millrace submit --batch"),
        (CRONTAB, 3, "a crontab", "each line becomes a document"),
        (SCRIPT, 1, "a script", "give a step `run:`"),
        (STATE_MACHINE, 1, "a state machine of AWS Step Functions", "`Next` becomes `depends_on`"),
    ] {
        let problem = only(source);
        assert_eq!((problem.code, problem.line), ("foreign-file", line), "{source}\n{problem}");
        assert_eq!(problem.message, format!("this is {what}: expected a workflow"));
        let told = problem.hint.as_deref().unwrap_or_default();
        assert!(told.contains(hint), "{hint}: {told}");
        assert!(!told.contains("not supported"), "{told}");
    }
}

#[test]
fn each_document_of_a_foreign_stream_is_told_and_ours_beside_it_is_still_checked() {
    let two = format!("{CRON_JOB}---{FEDERATED_JOB}");
    assert_eq!(problems(&two).len(), 2);
    let mixed = format!("{COMPOSE}---\nname: w\ntimeout: 30\nsteps: [{{name: a, run: x}}]\n");
    let codes: Vec<&str> = problems(&mixed).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["foreign-file", "bad-duration"]);
}

#[test]
fn a_file_with_steps_is_never_taken_for_another_one() {
    for field in
        ["services: {}", "jobs: {a: {steps: []}}", "pipeline: []", "command: x", "apiVersion: v1\nkind: Job"]
    {
        let source = format!("name: w\n{field}\nsteps: [{{name: a, run: x}}]\n");
        assert!(problems(&source).iter().all(|problem| problem.code == "unknown-field"), "{field}");
    }
}

#[test]
fn a_word_of_another_system_leads_to_ours_at_its_line() {
    let workflow = |field: &str| only(&format!("name: w\n{field}\nsteps: [{{name: a, run: x}}]\n"));
    for (field, hint) in [
        ("parameters: []", "write params: [{name: day, type: date}]"),
        ("retry_times: 2", "write defaults: {retry: {limit: 3}}"),
        ("retryPolicy: {maxRetries: 5}", "write defaults: {retry: {limit: 3}}"),
        ("concurrencyPolicy: Forbid", "write concurrency: {limit: 1, policy: skip}"),
        ("max_active_runs: 1", "write concurrency: 3"),
        ("interval: 30s", "write schedule: {every: 10m}"),
        ("cron: \"0 2 * * *\"", "write schedule: \"0 2 * * *\""),
        ("schedule_interval: \"@daily\"", "write schedule: \"0 2 * * *\""),
        ("tasks: []", "write `steps`"),
        ("jobs: []", "write `steps`"),
        ("dag_id: x", "write `name`"),
        ("tags: [a]", "write labels"),
        ("timeout_seconds: 30", "write timeout: 30s"),
        ("command: x", "it is a field of a step"),
        ("environment: {}", "write env"),
        ("start_date: 2022-01-01", "a schedule begins when the workflow is applied"),
        ("suspend: true", "millrace workflows pause NAME"),
        ("image: busybox", "docker run --rm <image> <command>"),
    ] {
        let problem = workflow(field);
        assert_eq!((problem.code, problem.line), ("unknown-field", 2), "{problem}");
        assert!(problem.hint.as_deref().is_some_and(|told| told.contains(hint)), "{problem}");
    }
    let step = |field: &str| only(&format!("name: w\nsteps:\n  - name: a\n    run: x\n    {field}\n"));
    for (field, hint) in [
        ("dependencies: [b]", "write depends_on: [extract]"),
        ("needs: b", "write depends_on: [extract]"),
        ("depends: [b]", "write depends_on: [extract]"),
        ("command: x", "write run: <a shell command>"),
        ("retries: 3", "write retry: {limit: 3}"),
        ("retry_times: 3", "write retry: {limit: 3}"),
        ("retryPolicy: {maxRetries: 5}", "write retry: {limit: 3}"),
        ("backoffLimit: 6", "write retry: {limit: 3}"),
        ("image: busybox", "docker run --rm <image> <command>"),
        ("timeout_seconds: 30", "write timeout: 30s"),
        ("environment: {}", "write env"),
        ("runs-on: linux", "write `pool`"),
        ("working-directory: /x", "did you mean `working_dir`?|write `working_dir`"),
        ("interval: 5m", "`schedule` is a field of the workflow"),
    ] {
        let problem = step(field);
        assert_eq!((problem.code, problem.line), ("unknown-field", 5), "{problem}");
        let told = problem.hint.clone().unwrap_or_default();
        assert!(hint.split('|').any(|hint| told.contains(hint)), "{problem}");
    }
    for (field, hint) in [
        ("retry: {maxRetries: 5}", "write `limit`"),
        ("retry: {initialInterval: 1s}", "write delay: 10s"),
        ("retry: {maxInterval: 5m}", "write max_delay: 5m"),
        ("retry: {backoffMultiplier: 2.0}", "write backoff: 2.0"),
    ] {
        let problem = step(field);
        assert!(problem.hint.as_deref().is_some_and(|told| told.contains(hint)), "{problem}");
    }
}

#[test]
fn a_dependency_on_a_task_is_answered_with_what_it_is_called_here() {
    let source = "name: w\nsteps:\n  - {name: a, run: x}\n  - name: b\n    run: x\n    depends_on:\n      - task: a\n        status: success\n";
    let problem = only(source);
    let told = (problem.code, problem.line, problem.hint.as_deref());
    assert_eq!(told, ("unknown-field", 7, Some("write `step`")));
}

#[test]
fn a_pipeline_is_answered_with_the_lines_to_write_which_are_a_workflow_but_for_the_commands() {
    let hint = only(PIPELINE).hint.unwrap();
    let lines = hint.strip_prefix("write\n").unwrap();
    let expected = "    name: my_pipeline
    schedule: \"0 2 * * *\"
    steps:
      - name: data_extract
        run: <a shell command>
      - name: data_transform
        depends_on: [data_extract]
        timeout: 3600s
        run: <a shell command>
      - name: data_load
        depends_on: [data_transform]
        run: <a shell command>
        locks: [primary_db]";
    assert_eq!(lines, expected);
    let written = definition::parse(lines, "f").unwrap().remove(0).workflow;
    assert_eq!((written.steps.len(), written.schedules.len()), (3, 1));
    let other = "pipeline: [{name: A b, command: 'echo \"x\"'}, {name: c, dependencies: [{task: A b, status: failed}]}]\n";
    let hint = only(other).hint.unwrap();
    assert!(
        hint.contains("run: \"echo \\\"x\\\"\"")
            && hint.contains("depends_on: [{step: a_b, status: failed}]"),
        "{hint}"
    );
    // What is not of that form is told in words.
    assert!(only("pipeline: {a: b}\n").hint.unwrap().contains("`timeout: 3600s` for 3600"));
}
