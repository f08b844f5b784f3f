//! What a task gives to the steps after it.

use millrace_domain::Outcome;
use serde_json::{Value, json};

use super::Bench;

#[tokio::test]
async fn outputs_are_lines_of_text_or_one_typed_object() {
    let bench = Bench::new();
    let ran =
        bench.script("echo rows=3 >> \"$MILLRACE_OUTPUT\"; echo 'name=a b=c' >> \"$MILLRACE_OUTPUT\"").await;
    assert_eq!(Value::Object(ran.ended.outputs), json!({"rows": "3", "name": "a b=c"}));
    let ran = bench.script("echo '{\"rows\": 3, \"ok\": true}' > \"$MILLRACE_OUTPUT\"").await;
    assert_eq!(Value::Object(ran.ended.outputs), json!({"rows": 3, "ok": true}));
    assert!(bench.script("rm \"$MILLRACE_OUTPUT\"").await.ended.outputs.is_empty());
}

#[tokio::test]
async fn malformed_outputs_fail_the_task_and_name_the_line() {
    let bench = Bench::new();
    let ran = bench.script("printf 'a=1\\nnonsense\\n' > \"$MILLRACE_OUTPUT\"").await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, Some(0)));
    assert_eq!(ran.reason(), "outputs, line 2: expected key=value, found \"nonsense\"");
    let large = "head -c 8400000 /dev/zero | tr '\\0' a";
    let ran = bench.script(&format!("{large} > \"$MILLRACE_OUTPUT\"")).await;
    assert!(ran.reason().starts_with("outputs are larger than 8388608 bytes"), "{}", ran.reason());
    // A control character takes six bytes as JSON.
    let script = "{ printf a=; head -c 2000000 /dev/zero | tr '\\0' '\\1'; } > \"$MILLRACE_OUTPUT\"";
    let ran = bench.script(script).await;
    assert!(ran.reason().starts_with("outputs are larger than 8388608 bytes"), "{}", ran.reason());
    let script = "{ printf a=; head -c 8000000 /dev/zero | tr '\\0' a; } > \"$MILLRACE_OUTPUT\"";
    assert_eq!(bench.script(script).await.ended.outputs["a"].as_str().map(str::len), Some(8_000_000));
}

#[tokio::test]
async fn a_failed_task_keeps_its_outputs_and_its_own_reason() {
    let bench = Bench::new();
    let ran = bench.script("echo done=7 > \"$MILLRACE_OUTPUT\"; exit 2").await;
    assert_eq!((ran.reason(), &ran.ended.outputs["done"]), ("exit code 2", &json!("7")));
    let ran = bench.script("echo nonsense > \"$MILLRACE_OUTPUT\"; exit 2").await;
    assert_eq!((ran.reason(), ran.ended.outputs.len()), ("exit code 2", 0));
}

#[tokio::test]
async fn the_file_of_outputs_is_gone_afterwards() {
    let bench = Bench::new();
    let ran = bench.script("test -f \"$MILLRACE_OUTPUT\"; echo \"$MILLRACE_OUTPUT\"").await;
    assert_eq!(ran.ended.outcome, Outcome::Succeeded);
    assert!(!std::path::Path::new(ran.stdout().trim()).exists());
}
