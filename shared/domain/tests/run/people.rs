//! Steps that ask people: for their approval, or for values.

use std::time::Duration;

use millrace_domain::Outcome;
use millrace_domain::run::{Act, Asks, Blocker, Deed, Event, StepState};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Order};

const RELEASE: &str = "name: w\nparams: [{name: version, default: \"1.2\"}, {name: boss, default: zed}]\nsteps:
  - name: sign_off
    uses: approval
    with: {message: \"Release ${{ params.version }}?\", who: [ann, bob, \"${{ params.boss }}\"], of: 2, timeout: 24h}
  - name: ship
    depends_on: [sign_off]
    run: x
    env: {BY: \"${{ outputs.sign_off.by | join('+') }}\", WHY: \"${{ outputs.sign_off.comment }}\"}\n";

const AMOUNT: &str = "name: w\nsteps:
  - name: ask
    uses: input
    with:
      message: How much?
      timeout: 2h
      fields: [{name: amount, type: int, min: 1}, {name: reason, default: none}]
  - {name: pay, depends_on: [ask], run: x, env: {N: \"${{ outputs.ask.amount }}\", WHY: \"${{ outputs.ask.reason }}\"}}\n";

/// A run of this, or of what was made of it.
fn release(source: &str) -> Fleet {
    Fleet::start(&Order { params: json!({"version": "1.2", "boss": "zed"}), ..Order::of(source) })
}

fn act(fleet: &Fleet, name: &str, by: &str, deed: Deed) -> Act {
    let unit = fleet.index(name).into();
    let id = format!("{name} {by} {}", fleet.history.len());
    Act { id, unit, attempt: fleet.run.last_attempt(unit), deed, by: by.to_owned(), why: "looks good".into() }
}

fn does(fleet: &mut Fleet, name: &str, by: &str, deed: Deed) -> Result<(), String> {
    let act = act(fleet, name, by, deed);
    let refused = fleet.apply(Event::Act(Box::new(act.clone())));
    refused.map_err(|refusal| fleet.run.why_refused(&act, &refusal))
}

fn values(values: &Value) -> Deed {
    Deed::Supply { values: values.as_object().cloned().unwrap() }
}

fn why(fleet: &Fleet, name: &str) -> String {
    fleet.run.blockers(fleet.index(name).into(), fleet.now).iter().map(Blocker::words).collect()
}

#[test]
fn an_approval_is_given_by_as_many_different_people_as_have_to() {
    let mut fleet = release(RELEASE);
    assert_eq!((fleet.stands("sign_off"), fleet.sent().len()), ("asking", 0));
    let id = fleet.run.id;
    let until = fleet.now + Duration::from_secs(24 * 60 * 60);
    assert_eq!(
        why(&fleet, "sign_off"),
        format!(
            "waits for approval of 2 people: \"Release 1.2?\"; ann, bob and zed may; at {until} it times out \
             (millrace runs approve {id} sign_off, or reject)"
        )
    );
    does(&mut fleet, "sign_off", "zed", Deed::Approve).unwrap();
    assert_eq!(fleet.stands("sign_off"), "asking");
    assert!(why(&fleet, "sign_off").contains("of 2 people, and has that of zed: "));
    assert_eq!(
        does(&mut fleet, "sign_off", "zed", Deed::Approve).unwrap_err(),
        "step sign_off cannot be approved: zed has approved already; 1 of 2"
    );
    for (by, told) in
        [("eve", "eve may not: ann, bob and zed may"), ("", "say who you are (by): ann, bob and zed may")]
    {
        for deed in [Deed::Approve, Deed::Reject] {
            let refused = does(&mut fleet, "sign_off", by, deed).unwrap_err();
            assert!(refused.ends_with(told), "{refused}");
        }
    }
    // What was said is in the record of the run.
    assert_eq!(fleet.load().steps[0], fleet.run.steps[0]);
    does(&mut fleet, "sign_off", "ann", Deed::Approve).unwrap();
    let end = fleet.ended("sign_off");
    assert_eq!(end.reason.as_deref(), Some("approved by zed and ann: looks good"));
    assert_eq!((end.by.as_deref(), end.attempts.attempt), (Some("ann"), 0));
    let env = &fleet.task("ship").env;
    assert_eq!((env["BY"].as_str(), env["WHY"].as_str()), ("zed+ann", "looks good"));
    let told = does(&mut fleet, "sign_off", "bob", Deed::Approve).unwrap_err();
    assert_eq!(told, "step sign_off cannot be approved: it has ended: succeeded");
}

#[test]
fn one_rejection_fails_the_step_and_no_retry_is_made() {
    let source = RELEASE.replacen("name: w", "name: w\ndefaults: {retry: {limit: 3, then: ask}}", 1);
    let mut fleet = release(&source);
    does(&mut fleet, "sign_off", "bob", Deed::Approve).unwrap();
    does(&mut fleet, "sign_off", "bob", Deed::Reject).unwrap();
    assert_eq!(
        (fleet.stands("sign_off"), fleet.stands("ship"), fleet.state()),
        ("failed", "skipped", "failed")
    );
    assert_eq!(fleet.reason(), "step sign_off: rejected by bob: looks good");
    assert_eq!(
        Value::Object(fleet.ended("sign_off").outputs.clone()),
        json!({"approved": false, "by": ["bob"], "comment": "looks good"})
    );
    assert!(fleet.timers.is_empty());
}

#[test]
fn what_follows_a_rejection_goes_by_the_rules_of_any_failure() {
    let source = "name: w\nsteps:
  - {name: ask, uses: approval, continue_on_error: true, on_failure: [{name: tell, run: x}]}
  - {name: yes, depends_on: [ask], run: x, if: outputs.ask.approved}
  - {name: no, depends_on: [ask], run: x, if: not outputs.ask.approved}\n";
    let mut fleet = Fleet::of(source);
    does(&mut fleet, "ask", "", Deed::Reject).unwrap();
    assert_eq!((fleet.stands("yes"), fleet.stands("no")), ("skipped", "dispatched"));
    assert_eq!(fleet.ended("ask").reason.as_deref(), Some("rejected: looks good"));
}

#[test]
fn an_approval_that_nobody_gives_in_time_comes_to_its_default() {
    let mut fleet = release(RELEASE);
    does(&mut fleet, "sign_off", "bob", Deed::Approve).unwrap();
    fleet.fire();
    assert_eq!((fleet.stands("sign_off"), fleet.state()), ("timed_out", "timed_out"));
    assert_eq!(fleet.reason(), "step sign_off: only 1 of 2 approved within 1d");

    let by_default = RELEASE.replace("of: 2", "default: approve");
    let mut fleet = release(&by_default);
    fleet.fire();
    let end = fleet.ended("sign_off");
    assert_eq!(end.reason.as_deref(), Some("nobody approved within 1d, and it is approved by default"));
    assert_eq!((end.outcome, &end.by), (Outcome::Succeeded, &None));
    assert_eq!(Value::Object(end.outputs.clone()), json!({"approved": true, "by": [], "comment": ""}));
    assert_eq!(fleet.task("ship").env["BY"], "");
}

#[test]
fn values_are_held_against_the_fields_and_completed_with_their_defaults() {
    let mut fleet = Fleet::of(AMOUNT);
    let told = why(&fleet, "ask");
    assert!(told.starts_with("waits for amount (int) and reason (string, \"none\" by default): \"How much?\"; anybody may give them; "), "{told}");
    assert!(
        told.contains("it times out (millrace runs supply ") && told.ends_with("ask -p amount=...)"),
        "{told}"
    );
    for (given, told) in [
        (json!({}), "field `amount`: no value and no default: expected a whole number of 64 bits"),
        (json!({"amount": "5"}), "field `amount`: expected a whole number of 64 bits, found the text `5`"),
        (json!({"amount": 0}), "field `amount`: expected at least 1, found 0"),
        (
            json!({"amount": 5, "amuont": 6}),
            "field `amuont` is not declared; fields: amount, reason; did you mean `amount`?",
        ),
        (json!({"amount": 5, "reason": "x".repeat(70_000)}), "its outputs take "),
    ] {
        let refused = does(&mut fleet, "ask", "ann", values(&given)).unwrap_err();
        let refused = refused.strip_prefix("step ask cannot be given values: ").unwrap();
        assert!(refused.starts_with(told) || told.ends_with(' '), "{refused}");
    }
    does(&mut fleet, "ask", "ann", values(&json!({"amount": 5}))).unwrap();
    assert_eq!(fleet.ended("ask").reason.as_deref(), Some("given values by ann: looks good"));
    let env = &fleet.task("pay").env;
    assert_eq!((env["N"].as_str(), env["WHY"].as_str()), ("5", "none"));
}

#[test]
fn an_input_that_nobody_gives_in_time_times_out_or_comes_to_its_default() {
    let mut fleet = Fleet::of(AMOUNT);
    fleet.fire();
    assert_eq!((fleet.stands("ask"), fleet.state()), ("timed_out", "timed_out"));
    assert_eq!(fleet.reason(), "step ask: nobody gave values within 2h");

    let mut fleet = Fleet::of(&AMOUNT.replace("timeout: 2h", "timeout: 2h\n      default: {amount: 7}"));
    fleet.fire();
    let told = "nobody gave values within 2h, and the default counts";
    assert_eq!(fleet.ended("ask").reason.as_deref(), Some(told));
    let env = &fleet.task("pay").env;
    assert_eq!((env["N"].as_str(), env["WHY"].as_str()), ("7", "none"));
}

#[test]
fn what_is_not_asked_is_not_answered() {
    let source = "name: w\nsteps:
  - {name: task, run: x, retry: {limit: 0, then: ask}}
  - {name: gate, uses: approval, with: {of: 2}}
  - {name: form, uses: input, with: {fields: [{name: n, type: int}]}}
  - {name: later, depends_on: [gate], uses: approval}
  - {name: held, uses: approval, not_before: \"23:59\"}\n";
    let mut fleet = Fleet::of(source);
    fleet.end("task", Outcome::Failed);
    let n = || values(&json!({"n": 1}));
    for (name, deed, told) in [
        ("task", Deed::Approve, "step task cannot be approved: it is no approval: it uses shell"),
        ("task", n(), "step task cannot be given values: it is no input: it uses shell"),
        (
            "form",
            Deed::Approve,
            "step form cannot be approved: it asks for values, and not for approval (millrace runs supply)",
        ),
        (
            "gate",
            n(),
            "step gate cannot be given values: it asks for approval, and not for values (millrace runs approve, reject)",
        ),
        ("later", Deed::Approve, "step later cannot be approved: its turn has not come: it waits for gate"),
        ("held", Deed::Reject, "step held cannot be rejected: its turn has not come"),
        ("gate", Deed::Retry, "step gate cannot be tried again: it had no attempt that could be tried again"),
    ] {
        assert_eq!(does(&mut fleet, name, "ann", deed).unwrap_err(), told);
    }
    let told = does(&mut fleet, "gate", " ", Deed::Approve).unwrap_err();
    assert!(told.ends_with("say who you are (by): 2 different people have to approve"), "{told}");
}

#[test]
fn an_answer_that_comes_again_counts_once_and_that_of_another_is_another() {
    let mut fleet = release(RELEASE);
    let first = act(&fleet, "sign_off", "ann", Deed::Approve);
    fleet.apply(Event::Act(Box::new(first.clone()))).unwrap();
    fleet.apply(Event::Act(Box::new(first.clone()))).unwrap();
    assert_eq!(fleet.stands("sign_off"), "asking");
    let other = Act { by: "bob".to_owned(), ..first };
    assert!(
        fleet.apply(Event::Act(Box::new(other))).unwrap_err().to_string().contains("another act has the id")
    );
}

#[test]
fn whoever_runs_the_fleet_ends_a_question_without_the_right_to_answer_it() {
    let succeed = |outputs: Value| Deed::Succeed { outputs: outputs.as_object().cloned().unwrap() };
    let mut fleet = release(RELEASE);
    does(&mut fleet, "sign_off", "root", succeed(json!({}))).unwrap();
    assert_eq!(fleet.ended("sign_off").reason.as_deref(), Some("marked as succeeded by root: looks good"));
    assert_eq!(fleet.task("ship").env["BY"], "root");

    let mut fleet = Fleet::of(AMOUNT);
    let told = does(&mut fleet, "ask", "root", succeed(json!({}))).unwrap_err();
    assert!(told.contains("field `amount`: no value and no default"), "{told}");
    does(&mut fleet, "ask", "root", succeed(json!({"amount": 3}))).unwrap();
    assert_eq!(fleet.task("pay").env["N"], "3");

    let mut fleet = Fleet::of(AMOUNT);
    does(&mut fleet, "ask", "root", Deed::Skip).unwrap();
    assert_eq!(
        (fleet.stands("ask"), fleet.stands("pay"), fleet.state()),
        ("skipped", "skipped", "succeeded")
    );
}

#[test]
fn each_item_is_an_approval_of_its_own_and_those_that_are_given_up_ask_no_more() {
    let source = "name: w\nsteps:
  - name: each
    uses: approval
    foreach: {items: [eu, us, cn, de], max_parallel: 3, fail_fast: true, tolerate: 1}
    with: {message: \"Deploy to ${{ item }}?\", who: [\"${{ item }}_lead\"]}
  - {name: after, depends_on: [each], trigger_rule: all_finished, run: x, env: {ALL: \"${{ outputs.each }}\"}}\n";
    let mut fleet = Fleet::of(source);
    let answer = |fleet: &mut Fleet, item: u32, by: &str, deed: Deed| {
        let (unit, id) = (fleet.item("each", item), format!("{item} {}", fleet.history.len()));
        let act = Act { id, unit, attempt: 0, deed, by: by.to_owned(), why: String::new() };
        fleet.apply(Event::Act(Box::new(act)))
    };
    answer(&mut fleet, 0, "us_lead", Deed::Approve).unwrap_err();
    answer(&mut fleet, 3, "de_lead", Deed::Approve).unwrap_err();
    answer(&mut fleet, 0, "eu_lead", Deed::Approve).unwrap();
    assert_eq!(fleet.timers.len(), 3, "the fourth asks now");
    let told: String =
        fleet.run.blockers(fleet.item("each", 3), fleet.now).iter().map(Blocker::words).collect();
    assert!(told.contains("Deploy to de?") && told.contains(" each --item 3, or reject"), "{told}");
    answer(&mut fleet, 1, "us_lead", Deed::Reject).unwrap();
    answer(&mut fleet, 2, "cn_lead", Deed::Reject).unwrap();
    assert_eq!(fleet.stands("each"), "failed");
    assert!(fleet.timers.keys().all(|timer| !format!("{timer:?}").contains("Some")), "{:?}", fleet.timers);
    fleet.fire();
    let all: Value = serde_json::from_str(&fleet.task("after").env["ALL"]).unwrap();
    assert_eq!((&all[0]["by"], &all[1], &all[3]), (&json!(["eu_lead"]), &Value::Null, &Value::Null));
}

#[test]
fn a_question_that_cannot_be_rendered_fails_its_step_and_asks_nobody() {
    for (who, told) in [
        ("\"${{ params.who }}\"", "`who`: an approval nobody may give: 2 have to approve, and 1 may"),
        ("[\"${{ params.who[0] }}\", ann]", "`who`: `ann` is named twice"),
    ] {
        let source = format!(
            "name: w\nparams: [{{name: who, type: json, default: [ann]}}]\nsteps:\n  - {{name: a, uses: approval, with: {{who: {who}, of: 2}}}}\n"
        );
        let fleet = Fleet::start(&Order { params: json!({"who": ["ann"]}), ..Order::of(&source) });
        assert_eq!((fleet.stands("a"), fleet.ended("a").reason.as_deref()), ("failed", Some(told)));
        assert_eq!(fleet.ended("a").outputs["approved"], false, "an `if` can go by it");
    }
}

#[test]
fn an_approval_that_is_marked_gives_what_an_approval_gives() {
    let mut fleet = release(RELEASE);
    let succeed = |outputs: Value| Deed::Succeed { outputs: outputs.as_object().cloned().unwrap() };
    for outputs in [json!({"by": 5}), json!({"by": [5]}), json!({"approved": false})] {
        let refused = does(&mut fleet, "sign_off", "root", succeed(outputs)).unwrap_err();
        assert!(refused.contains("an approval gives approved (true), by (a list of names)"), "{refused}");
    }
    does(&mut fleet, "sign_off", "root", succeed(json!({"comment": "by phone"}))).unwrap();
    assert_eq!(
        json!(fleet.ended("sign_off").outputs),
        json!({"approved": true, "by": ["root"], "comment": "by phone"})
    );
    let mut fleet = release(RELEASE);
    does(&mut fleet, "sign_off", "root", Deed::Fail).unwrap();
    assert_eq!(
        json!(fleet.ended("sign_off").outputs),
        json!({"approved": false, "by": ["root"], "comment": "looks good"})
    );
}

#[test]
fn values_for_which_there_is_no_room_beside_those_of_other_items_are_refused_and_not_lost() {
    let items: Vec<String> = (0..140).map(|item| item.to_string()).collect();
    let source = format!(
        "name: w\nsteps:\n  - {{name: ask, uses: input, foreach: {{items: [{}], max_parallel: 140}}, with: {{fields: [{{name: text}}]}}}}\n",
        items.join(", ")
    );
    let mut fleet = Fleet::of(&source);
    let text = "x".repeat(64_000);
    let refused = (0..140).find_map(|item| {
        let unit = fleet.item("ask", item);
        let act = Act {
            id: format!("{item}"),
            unit,
            attempt: 0,
            deed: values(&json!({"text": text})),
            by: "ann".into(),
            why: String::new(),
        };
        let refused = fleet.apply(Event::Act(Box::new(act.clone())));
        refused.err().map(|refusal| (item, fleet.run.why_refused(&act, &refusal)))
    });
    let (item, why) = refused.unwrap();
    assert!(why.contains("with these, ") && why.contains("8388608"), "{why}");
    assert!(matches!(fleet.run.state_of(fleet.item("ask", item)), Some(StepState::Asking { .. })));
}

#[test]
fn hooks_ask_too_and_a_cancel_ends_every_question() {
    let source = "name: w\nsteps: [{name: a, run: x}]\non_failure: [{name: may, uses: approval}, {name: undo, depends_on: [may], run: x}]\n";
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("may"), "asking");
    does(&mut fleet, "may", "ann", Deed::Approve).unwrap();
    assert_eq!(fleet.stands("undo"), "dispatched");

    let mut fleet = release(RELEASE);
    fleet.cancel();
    assert_eq!((fleet.stands("sign_off"), fleet.state(), fleet.timers.len()), ("cancelled", "cancelled", 0));
}

#[test]
fn a_record_that_an_older_version_wrote_asks_what_is_to_become_of_its_unit() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x, retry: {limit: 0, then: ask}}]\n");
    fleet.end("a", Outcome::Failed);
    let record = fleet.run.unit_record(fleet.index("a").into()).unwrap();
    assert!(!record.contains("asks"), "{record}");
    let StepState::Asking { asks, .. } = &fleet.load().steps[0] else { panic!("{record}") };
    assert_eq!(*asks, Asks::AfterFailure);
}
