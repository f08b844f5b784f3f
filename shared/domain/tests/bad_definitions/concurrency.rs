//! `concurrency`.

use crate::fixture::{only, with};

fn told(fields: &str) -> String {
    only(&with(&format!("params: [{{name: region, default: eu}}]\nconcurrency: {fields}")))
}

#[test]
fn a_limit_is_a_number_of_runs() {
    assert!(
        told("0").contains("`concurrency` must be a whole number from 1 to 1000000, found 0 [out-of-range]")
    );
    for other in ["many", "\"3\"", "[1]", "null", "\"${{ params.region }}\""] {
        let told = told(other);
        assert!(told.contains("a number of runs, or a map with `limit`"), "{told}");
        assert!(told.contains("hint: write concurrency: 1, or {limit: 3, policy: queue}"), "{told}");
    }
    assert!(told("{limit: 0}").contains("`limit` must be a whole number from 1 to"));
    assert!(told("{max_runs: 2}").contains("hint: write limit: 3"));
    let told = only(&with("max_active_runs: 1"));
    assert!(told.contains("hint: write concurrency: 3"), "{told}");
}

#[test]
fn a_key_is_an_expression_of_what_there_is_before_a_step_has_started() {
    let bare = told("{key: params.region}");
    assert!(
        bare.contains("`key` has no expression") && bare.contains("write key: ${{ params.region }}"),
        "{bare}"
    );
    let unknown = told("{key: \"${{ params.reigon }}\"}");
    assert!(unknown.contains("`params.reigon` is not declared") && unknown.contains("region"), "{unknown}");
    let output = told("{key: \"${{ outputs.a.x }}\"}");
    assert!(output.contains("there are no outputs yet"), "{output}");
    assert!(told("{group: x}").contains("hint: write key: ${{ params.region }}"));
}

#[test]
fn a_policy_is_one_of_four_and_the_words_of_others_lead_to_it() {
    for (word, hint) in [
        ("Forbid", "write skip"),
        ("Allow", "remove `concurrency`"),
        ("terminate", "write replace"),
        ("serial", "write queue"),
        ("skipp", "did you mean `skip`?"),
    ] {
        let told = told(&format!("{{policy: {word}}}"));
        assert!(
            told.contains("`policy` must be queue, skip, replace or fail") && told.contains(hint),
            "{told}"
        );
    }
    assert!(told("{cancel-in-progress: true}").contains("hint: write policy: replace"));
}

#[test]
fn only_runs_that_wait_can_be_too_many() {
    let told_of = |fields: &str, words: &str| {
        let told = told(fields);
        assert!(told.contains(words), "{told}");
    };
    told_of(
        "{policy: skip, max_queued: 3}",
        "`max_queued` goes with `policy: queue` only, and not with skip",
    );
    told_of("{policy: replace, on_full: merge}", "`on_full` goes with `policy: queue` only");
    told_of("{on_full: merge}", "`on_full: merge` never has its turn: any number of runs may wait");
    told_of(
        "{max_queued: 0, on_full: drop_oldest}",
        "`on_full: drop_oldest` never has its turn: no run may wait",
    );
    told_of("{max_queued: 1, on_full: drop}", "`on_full` must be reject, drop_oldest or merge");
    told_of("{max_queued: -1}", "`max_queued` must be a whole number from 0 to");
}
