//! What a newer version has stored: it is left as it is, and hides nothing of what is known.

use millrace_domain::{StepIndex, Timestamp};
use millrace_servers::Redis;
use millrace_store::{
    Claim, ClaimStore, ClaimVerdict, Cluster, ClusterStore, FORMAT, Membership, ReadStore, Revoke, Revoked,
    SessionStore, Standing, TaskRecord, WatchStore,
};

use crate::fixture::{Owner, P, ask, claim_of, cluster, connect, session};

/// All instants at which anything can be looked at.
fn ever() -> std::ops::RangeInclusive<Timestamp> {
    Timestamp::default()..=Timestamp::from_millis(i64::MAX / 4)
}

#[tokio::test]
async fn a_field_of_a_run_that_is_not_known_is_named_and_the_others_are_read() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (task, other) = (owner.create(&store).await, owner.create(&store).await);
    let key = format!("millrace:{{{P}}}:run:{}", task.run);
    let newer = ["t0.5.1:1", "q|1|2|gpu", "s0.5.1", "{}", "x9", "1", "s1", "{}", "t2:1", "held|1"];
    ask(&server, &[&["HSET", &key][..], &newer[..]].concat()).await;

    let stored = store.load_runs(&[task.run, other.run]).await.unwrap();
    let [Some(newer), Some(known)] = &stored[..] else { panic!("{stored:?}") };
    assert_eq!(newer.unknown, ["s0.5.1", "t0.5.1:1", "t2:1", "x9"]);
    assert_eq!((newer.head.as_str(), &newer.steps), ("head", &vec![(StepIndex(1).into(), "{}".to_owned())]));
    let units: Vec<_> = newer.tasks.iter().map(|(unit, attempt, _)| (unit.step.0, *attempt)).collect();
    assert_eq!(units, [(0, 1), (2, 1)]);
    assert!(matches!(newer.tasks[0].2, TaskRecord::Queued { .. }), "{newer:?}");
    assert_eq!(newer.tasks[1].2, TaskRecord::Unknown);
    assert_eq!(known.unknown, Vec::<String>::new());
}

#[tokio::test]
async fn an_attempt_in_a_state_that_is_not_known_is_neither_claimed_nor_taken_back() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (task, other) = (owner.create(&store).await, owner.create(&store).await);
    let key = format!("millrace:{{{P}}}:run:{}", task.run);
    ask(&server, &["HSET", &key, "t0:1", "held|by a person"]).await;

    let records = store.tasks(&[task, other]).await.unwrap();
    assert!(
        matches!(records[..], [Some(TaskRecord::Unknown), Some(TaskRecord::Queued { .. })]),
        "{records:?}"
    );
    let claims: Vec<Claim> = [task, other].map(claim_of).into();
    assert_eq!(store.claim(&claims).await.unwrap(), [ClaimVerdict::Stale, ClaimVerdict::Granted]);
    let wanted = [(task, Revoke::Anyway), (other, Revoke::Anyway)];
    let revoked = store.revoke(P, owner.epoch, &wanted).await.unwrap();
    assert_eq!(revoked, [Revoked::Gone, Revoked::Done]);
    assert_eq!(store.tasks(&[task]).await.unwrap(), [Some(TaskRecord::Unknown)]);
}

#[tokio::test]
async fn a_watched_attempt_that_is_not_known_hides_no_others() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let mut tasks = Vec::new();
    for _ in 0..6 {
        tasks.push(owner.create(&store).await);
    }
    let key = format!("millrace:{{{P}}}:watch");
    for item in 0..20 {
        ask(&server, &["ZADD", &key, "0", &format!("{}:0.{item}.0:1", tasks[0].run)]).await;
    }
    let (mut seen, mut skip) = (Vec::new(), 0);
    loop {
        let page = store.watched(P, ever(), skip, 4).await.unwrap();
        seen.extend(page.iter().map(|(_, task)| *task));
        if page.len() < 4 {
            break;
        }
        skip += 4;
    }
    seen.sort_unstable();
    seen.dedup();
    tasks.sort_unstable();
    assert_eq!(seen, tasks);
}

#[tokio::test]
async fn a_session_in_another_form_does_not_hide_who_else_is_there() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let known = session();
    store.renew_session(&known).await.unwrap();
    let newer = r#"{"id":"9de6b49749968dc2a5cc615a89fa003f","count":3,"slots":{"gpu":1}}"#;
    for (id, text) in [("9de6b49749968dc2a5cc615a89fa003f", newer), ("somebody", r#"{"who":"knows"}"#)] {
        ask(&server, &["HSET", "millrace:{sessions}:known", id, text]).await;
        ask(&server, &["ZADD", "millrace:{sessions}:renewed", "9999999999999", id]).await;
    }
    let mut counts: Vec<u64> =
        store.sessions().await.unwrap().into_iter().map(|session| session.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [known.count, 3]);
}

#[tokio::test]
async fn a_higher_minor_number_of_the_format_is_borne_and_stays() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let first = store.found(&cluster()).await.unwrap();
    assert_eq!((first.format, first.minor), (FORMAT, 0));
    for (minor, holds) in [(3, 3), (1, 3), (12, 12)] {
        let found = store.found(&Cluster { minor, ..cluster() }).await.unwrap();
        assert_eq!(found, Cluster { minor: holds, ..first.clone() });
    }
    let mut member = Membership::new("classic");
    assert_eq!(member.found(&store, &cluster(), true).await.unwrap().minor, 12);
    assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
}

#[tokio::test]
async fn a_format_that_is_raised_while_a_process_runs_keeps_it_away() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut member = Membership::new("classic");
    member.found(&store, &cluster(), true).await.unwrap();
    assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
    ask(&server, &["HSET", "millrace:meta", "format", "2"]).await;
    let Standing::Apart(why) = member.look(&store).await.unwrap() else { panic!("it goes on") };
    assert!(
        why.contains("format 2") && why.contains("use the millrace that wrote it or a newer one"),
        "{why}"
    );
    let refused = Membership::new("classic").found(&store, &cluster(), true).await.unwrap_err();
    assert_eq!(refused.to_string(), why);
    ask(&server, &["HSET", "millrace:meta", "format", "1"]).await;
    assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
}
