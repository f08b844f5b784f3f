//! What only a Redis can do to us: evict, forget, be away, lose its scripts, be full, be a node of a cluster.
//! What holds on every store is in `conformance`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use millrace_domain::{
    ClaimToken, ClusterId, Epoch, PartitionId, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowName,
};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    Acquired, Claim, ClaimVerdict, Cluster, Commit, Dispatched, FORMAT, Finish, FinishVerdict, Membership,
    NewRun, RunDelta, RunQuery, Session, Standing, Store, StoreError, TaskRecord, Timer, Verdict,
};
use uuid::Uuid;

const P: PartitionId = PartitionId(3);

/// What a producer of a new cluster asks for.
fn cluster() -> Cluster {
    let id = ClusterId(Uuid::new_v4());
    Cluster { id, partitions: 64, queues: "classic".to_owned(), format: FORMAT, since: Epoch(0) }
}

// -- refusing -------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_server_that_evicts_or_forgets_is_refused_with_the_fix_unless_told_otherwise() {
    for (arguments, fix) in [
        (
            ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb"].as_slice(),
            "maxmemory-policy noeviction",
        ),
        (["--appendonly", "no"].as_slice(), "appendonly yes"),
    ] {
        let server = Redis::start(arguments);
        match RedisStore::connect(Options::new(server.url())).await {
            Err(StoreError::Unsafe(text)) => assert!(text.contains(fix), "{text}"),
            other => panic!("expected a refusal, got {other:?}"),
        }
        let told = Options { allow_unsafe: true, ..Options::new(server.url()) };
        RedisStore::connect(told).await.unwrap().now().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_turns_unsafe_while_away_is_refused_after_the_reconnection() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    ask(&server, &["CONFIG", "SET", "appendonly", "no"]).await;
    ask(&server, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    until("the refusal", || async { matches!(store.now().await, Err(StoreError::Unsafe(_))) }).await;
    ask(&server, &["CONFIG", "SET", "appendonly", "yes"]).await;
    until("the store is back", || async { store.now().await.is_ok() }).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_and_not_shown() {
    let server = Redis::start(&[]);
    ask(&server, &["CONFIG", "SET", "requirepass", "right"]).await;
    let with = |user: &str| Options::new(server.url().replace("redis://", &format!("redis://{user}")));
    for user in ["", ":s3cret@"] {
        match RedisStore::connect(with(user)).await {
            Err(StoreError::Configuration(text)) => {
                assert!(text.contains("password") && !text.contains("s3cret"), "{text}");
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
    RedisStore::connect(with(":right@")).await.unwrap().now().await.unwrap();
}

// -- away -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_unreachable_server_is_no_error_at_first_and_its_password_is_masked() {
    let mut server = Redis::start(&[]);
    let url = server.url().replace("redis://", "redis://me:s3cret@");
    server.stop();
    let store = RedisStore::connect(Options::new(url)).await.unwrap();
    assert!(!*store.ready().borrow());
    let error = store.now().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(..)), "{error:?}");
    let shown = format!("{error} {error:?} {store:?}");
    assert!(shown.contains("me:***@") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn a_server_that_goes_and_comes_is_used_again() {
    let mut server = Redis::start(&[]);
    server.stop();
    let store = RedisStore::connect(Options::new(server.url())).await.unwrap();
    let mut ready = store.ready();
    server.start_again();
    within(ready.wait_for(|ready| *ready)).await.unwrap();
    store.now().await.unwrap();

    server.kill();
    within(ready.wait_for(|ready| !*ready)).await.unwrap();
    assert!(matches!(store.now().await, Err(StoreError::Unavailable(..))));
    server.start_again();
    within(ready.wait_for(|ready| *ready)).await.unwrap();
    store.now().await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_is_unavailable_within_the_bound() {
    let server = Redis::start(&[]);
    let bound = Duration::from_millis(300);
    let options = Options { response_timeout: bound, ..Options::new(server.url()) };
    let store = RedisStore::connect(options).await.unwrap();
    ask(&server, &["CLIENT", "PAUSE", "1500", "ALL"]).await;
    let asked = Instant::now();
    assert!(matches!(store.now().await, Err(StoreError::Unavailable(..))));
    assert!(asked.elapsed() < bound * 4, "{:?}", asked.elapsed());
    until("the store is back", || async { store.now().await.is_ok() }).await;
}

#[tokio::test]
async fn a_killed_server_has_kept_everything_when_it_is_back() {
    // Synced every second, it holds back for up to two what it should write, while a sync goes on.
    let mut server = Redis::start(&["--appendfsync", "always"]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    let (claim, session) = (claim_of(task), session());
    store.renew_session(&session).await.unwrap();
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);

    server.kill();
    server.start_again();
    let mut ready = store.ready();
    until("the store is back", || async { store.now().await.is_ok() }).await;
    within(ready.wait_for(|ready| *ready)).await.unwrap();

    let run = store.load_runs(&[task.run]).await.unwrap().remove(0).unwrap();
    assert_eq!(run.head, "head");
    assert!(matches!(&run.tasks[..], [(StepIndex(0), 1, TaskRecord::Claimed { .. })]), "{:?}", run.tasks);
    assert_eq!(store.claim(&[claim]).await.unwrap(), [ClaimVerdict::Granted]);
    let kept = store.sessions().await.unwrap().remove(0);
    assert_eq!(kept, Session { silent_ms: kept.silent_ms, ..session });
    assert_eq!(
        store.renew(&[(P, owner.epoch)], 10_000, Timestamp::default()).await.unwrap(),
        [Some(owner.seq)]
    );
    assert_eq!(store.commit(&[owner.next()]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
}

// -- scripts --------------------------------------------------------------------------------------------

#[tokio::test]
async fn lost_scripts_are_loaded_again() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    ask(&server, &["SCRIPT", "FLUSH"]).await;
    assert_eq!(store.claim(&[claim_of(task)]).await.unwrap(), [ClaimVerdict::Granted]);
    ask(&server, &["SCRIPT", "FLUSH"]).await;
    let commits = [owner.next(), owner.next()];
    let applied = Verdict::Applied { duplicates: vec![] };
    assert_eq!(store.commit(&commits).await.unwrap(), [applied.clone(), applied]);
}

#[tokio::test]
async fn every_call_keeps_to_one_slot_as_a_cluster_demands() {
    let server = Redis::start(&["--cluster-enabled", "yes"]);
    ask(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    let options = Options::new(server.url());
    let store = RedisStore::connect(options).await.unwrap();
    until("the cluster is up", || async { store.found(&cluster()).await.is_ok() }).await;

    let mut owner = Owner::of(&store, P).await;
    let mut commit = owner.next();
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = creation(run, "daily", true);
    delta.timers.push((Timestamp::from_millis(5), Timer::Start(run)));
    commit.runs.push(delta);
    commit.workflows.push(millrace_store::WorkflowDelta::Put {
        workflow: name("daily"),
        version: 1,
        source: "source".to_owned(),
        head: "head".to_owned(),
    });
    store.commit(&[commit]).await.unwrap();
    let task = TaskId { run, step: StepIndex(0), attempt: 1 };
    let claim = claim_of(task);
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);
    store.hand_back(&[(task, claim.token)]).await.unwrap();
    store.claim(std::slice::from_ref(&claim)).await.unwrap();
    let finish = Finish { task, token: claim.token, result: "{}".to_owned() };
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    store
        .set_looks(P, owner.epoch, Timestamp::from_millis(i64::MAX), &[(Timestamp::from_millis(1), task)])
        .await
        .unwrap();
    store.revoke(P, owner.epoch, &[(task, millrace_store::Revoke::Anyway)]).await.unwrap();
    store.watched(P, Timestamp::default()..=Timestamp::from_millis(i64::MAX), 0, 10).await.unwrap();
    store.timers(P, Some((Timestamp::from_millis(4), Timer::Start(run))), 10).await.unwrap();
    let line = millrace_store::LogChunk {
        at: Timestamp::from_millis(1),
        stream: millrace_store::LogStream::Stdout,
        text: "hello".to_owned(),
    };
    store.append_log(task, std::slice::from_ref(&line), 100).await.unwrap();
    assert_eq!(store.read_log(task, 0, 10).await.unwrap(), [line]);
    let mut end = owner.next();
    end.runs.push(ending(task));
    store.commit(&[end]).await.unwrap();
    let query = RunQuery { partitions: 64, limit: 10, workflow: Some(name("daily")), after: None };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 1);
    store.load_runs(&[run]).await.unwrap();
    assert_eq!(store.expire(P, Timestamp::from_millis(i64::MAX), 0).await.unwrap(), 1);
    assert!(store.list_runs(&query).await.unwrap().is_empty());
    assert_eq!(store.list_workflows(P).await.unwrap().len(), 1);
    assert!(store.load_workflow(P, &name("daily"), None).await.unwrap().is_some());
    let session = session();
    store.renew_session(&session).await.unwrap();
    store.sessions().await.unwrap();
    store.end_session(session.id).await.unwrap();
    store.meet(owner.id, 1_000).await.unwrap();
    store.leave(owner.id).await.unwrap();
    store.release(&[(P, owner.epoch)]).await.unwrap();
}

// -- full -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn with_full_memory_what_runs_can_end_and_nothing_new_is_taken() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    let waiting = owner.create(&store).await;
    let claim = claim_of(task);
    store.claim(std::slice::from_ref(&claim)).await.unwrap();
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;

    let mut creating = owner.next();
    creating.runs.push(creation(RunId::new(Uuid::now_v7(), P), "adhoc", false));
    owner.seq = Seq(owner.seq.0 - 1);
    // A verdict each: what is behind it in another partition goes on, and it says which one was refused.
    let mut other = Owner::of(&store, PartitionId(4)).await;
    let verdicts = store.commit(&[creating, other.next()]).await.unwrap();
    assert!(matches!(&verdicts[..], [Verdict::Full { .. }, Verdict::Applied { .. }]), "{verdicts:?}");
    assert!(matches!(store.claim(&[claim_of(waiting)]).await, Err(StoreError::Full(_))));

    let finish = Finish { task, token: claim.token, result: "{}".to_owned() };
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    store.renew_session(&session()).await.unwrap();
    store.meet(owner.id, 1_000).await.unwrap();
    assert_eq!(
        store.renew(&[(P, owner.epoch)], 10_000, Timestamp::default()).await.unwrap(),
        [Some(owner.seq)]
    );
    let mut end = owner.next();
    end.runs.push(ending(task));
    assert_eq!(store.commit(&[end]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert_eq!(store.expire(P, Timestamp::from_millis(1), 10).await.unwrap(), 1);
    store.release(&[(P, owner.epoch)]).await.unwrap();
    Owner::of(&store, P).await;
}

#[tokio::test]
async fn a_commit_that_was_applied_before_memory_was_full_is_not_taken_for_refused() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let run = RunId::new(Uuid::now_v7(), P);
    let mut creating = [owner.next(), owner.next()];
    creating[0].runs.push(creation(run, "adhoc", false));
    creating[1].runs.push(creation(run, "adhoc", false));
    let [first, second] = &creating;
    store.commit(std::slice::from_ref(first)).await.unwrap();
    let duplicate = store.commit(std::slice::from_ref(second)).await.unwrap();
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(store.commit(std::slice::from_ref(second)).await.unwrap(), duplicate);
    assert_eq!(duplicate, [Verdict::Applied { duplicates: vec![run] }]);
}

#[tokio::test]
async fn it_tells_how_full_it_is_while_a_limit_is_set() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    assert_eq!(store.fullness().await.unwrap().ratio(), None);
    ask(&server, &["CONFIG", "SET", "maxmemory", "1gb"]).await;
    let full = store.fullness().await.unwrap();
    assert_eq!(full.limit_bytes, Some(1 << 30));
    assert!(full.used_bytes > 100_000 && full.ratio().unwrap() < 0.5, "{full:?}");
}

// -- lost writes ----------------------------------------------------------------------------------------

#[tokio::test]
async fn after_lost_writes_an_owner_is_fenced_off_and_what_was_lost_can_be_told() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    store.found(&cluster()).await.unwrap();
    let mut owner = Owner::of(&store, P).await;
    let own = format!("millrace:{{{P}}}:own");
    for _ in 0..3 {
        store.commit(&[owner.next()]).await.unwrap();
    }
    // What a replica has that did not hear of the last two.
    ask(&server, &["HSET", &own, "seq", "1"]).await;
    let verdicts = store.commit(&[owner.next()]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Fenced { epoch: owner.epoch, seq: Seq(1) }]);
    assert!(store.is_lost(P, owner.epoch, Seq(2)).await.unwrap());

    let old = owner.epoch;
    for _ in 0..20 {
        let acquired = store.acquire(&[P], owner.id, 60_000).await.unwrap().remove(0);
        let Acquired::Owned { epoch, .. } = acquired else { panic!("{acquired:?}") };
        (owner.epoch, owner.seq) = (epoch, Seq(0));
        if epoch.0 - old.0 < 10 {
            break;
        }
        let lost = [1, 2, 3].map(|seq| store.is_lost(P, old, Seq(seq)));
        let [first, second, third] = lost;
        let answers = (first.await.unwrap(), second.await.unwrap(), third.await.unwrap());
        let remembered = answers == (false, true, true);
        // Of the last sixteen epochs it is known where they ended; what is older counts as there.
        assert!(remembered || answers == (false, false, false), "{answers:?}");
    }
    assert!(!store.is_lost(P, old, Seq(3)).await.unwrap(), "20 epochs ago");
    store.commit(&[owner.next()]).await.unwrap();
    assert!(!store.is_lost(P, owner.epoch, Seq(1)).await.unwrap());
}

// -- an emptied store -----------------------------------------------------------------------------------

#[tokio::test]
async fn an_emptied_store_gets_its_cluster_back_and_says_that_all_of_before_was_lost() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let (mut first, mut second) = (Membership::new("classic"), Membership::new("classic"));
    assert_eq!(first.look(&store).await.unwrap(), Standing::Unfounded);
    first.found(&store, &cluster(), true).await.unwrap();
    first.agree_on_queues(&store).await.unwrap();
    let before = store.cluster().await.unwrap().0.unwrap();
    assert_eq!(before.queues, "classic");
    for member in [&mut first, &mut second] {
        assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
    }
    let owner = Owner::of(&store, P).await;
    ask(&server, &["FLUSHALL"]).await;
    assert!(store.is_lost(P, owner.epoch, Seq(1)).await.is_err(), "not founded again yet");

    for member in [&mut first, &mut second] {
        let standing = member.look(&store).await.unwrap();
        assert!(matches!(&standing, Standing::Emptied(what) if what.contains("lost")), "{standing:?}");
        assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
    }
    let after = store.cluster().await.unwrap().0.unwrap();
    assert_eq!(after, Cluster { since: after.since, ..before.clone() });
    assert!(after.since > before.since && after.since > owner.epoch);
    assert!(store.is_lost(P, owner.epoch, Seq(1)).await.unwrap(), "nobody owns it yet");
    Owner::of(&store, P).await;
    assert!(store.is_lost(P, owner.epoch, Seq(1)).await.unwrap());

    // Who comes anew is held against what the others have written again.
    let other = Cluster { partitions: 16, ..cluster() };
    let refused = Membership::new("classic").found(&store, &other, true).await.unwrap_err().to_string();
    assert!(
        refused.contains("has 64 partitions") && refused.contains("MILLRACE_PARTITIONS is 16"),
        "{refused}"
    );
    assert!(Membership::new("classic").found(&store, &other, false).await.is_ok());
    let refused = Membership::new("quorum").found(&store, &cluster(), true).await.unwrap_err().to_string();
    assert!(
        refused.contains("has classic queues") && refused.contains("set MILLRACE_QUEUE_TYPE=classic"),
        "{refused}"
    );
    let apart = Membership::new("quorum").look(&store).await.unwrap();
    assert!(matches!(&apart, Standing::Apart(why) if *why == refused), "{apart:?}");
}

#[tokio::test]
async fn a_newcomer_that_founds_an_emptied_store_first_is_joined_if_it_asks_for_the_same() {
    for (partitions, joined) in [(64, true), (16, false)] {
        let server = Redis::start(&[]);
        let store = connect(&server).await;
        let mut member = Membership::new("classic");
        member.found(&store, &cluster(), true).await.unwrap();
        assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
        ask(&server, &["FLUSHALL"]).await;
        store.found(&Cluster { partitions, ..cluster() }).await.unwrap();
        let standing = member.look(&store).await.unwrap();
        assert_eq!(matches!(standing, Standing::Emptied(_)), joined, "{standing:?}");
        assert_eq!(matches!(standing, Standing::Apart(_)), !joined, "{standing:?}");
    }
}

#[tokio::test]
async fn the_store_of_another_cluster_is_not_joined_by_a_running_process() {
    let (server, other) = (Redis::start(&[]), Redis::start(&[]));
    let (store, foreign) = (connect(&server).await, connect(&other).await);
    foreign.found(&cluster()).await.unwrap();
    ask(&other, &["HSET", "millrace:meta", "since", "1700000000000000"]).await;
    let mut member = Membership::new("classic");
    member.found(&store, &cluster(), true).await.unwrap();
    member.look(&store).await.unwrap();
    let standing = member.look(&foreign).await.unwrap();
    assert!(matches!(&standing, Standing::Apart(why) if why.contains("another cluster")), "{standing:?}");
    assert_eq!(member.look(&store).await.unwrap(), Standing::Member, "back at its own");
}

#[tokio::test]
async fn what_an_older_or_a_newer_program_has_written_is_borne_or_refused_by_its_format() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    // Version 0.1 wrote the number of partitions alone.
    ask(&server, &["HSET", "millrace:meta", "partitions", "32", "colour", "blue"]).await;
    let mut worker = Membership::new("classic");
    assert_eq!(worker.look(&store).await.unwrap(), Standing::Member);
    assert_eq!(worker.partitions(), Some(32));
    let mut member = Membership::new("classic");
    let holds = member.found(&store, &cluster(), false).await.unwrap();
    assert_eq!((holds.partitions, holds.since), (32, Epoch(0)), "nothing of before was lost");
    assert_eq!(holds.queues, "", "nobody has declared any yet");
    let mut other = Membership::new("quorum");
    other.found(&store, &cluster(), false).await.unwrap();
    member.agree_on_queues(&store).await.unwrap();
    let refused = other.agree_on_queues(&store).await.unwrap_err().to_string();
    assert!(refused.contains("has classic queues"), "{refused}");
    for one in [&mut worker, &mut member] {
        assert_eq!(one.look(&store).await.unwrap(), Standing::Member);
    }
    ask(&server, &["HSET", "millrace:meta", "format", "2"]).await;
    let refused = Membership::new("classic").found(&store, &cluster(), false).await.unwrap_err().to_string();
    assert!(refused.contains("format 2") && refused.contains("knows 1"), "{refused}");
}

#[tokio::test]
async fn who_has_joined_goes_on_when_what_is_fixed_for_the_cluster_is_damaged() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut member = Membership::new("classic");
    member.found(&store, &cluster(), true).await.unwrap();
    for damage in
        [&["HSET", "millrace:meta", "partitions", "many"][..], &["SET", "millrace:meta", "nonsense"]]
    {
        ask(&server, damage).await;
        assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
        let refused = Membership::new("classic").look(&store).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    }
    ask(&server, &["DEL", "millrace:meta"]).await;
    assert!(matches!(member.look(&store).await.unwrap(), Standing::Emptied(_)));
    assert_eq!(store.cluster().await.unwrap().0.unwrap().partitions, 64);
}

// -- damaged --------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_run_that_somebody_spoiled_does_not_stand_in_the_way_of_the_others() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (spoiled, sound) = (owner.create(&store).await, owner.create(&store).await);
    let key = format!("millrace:{{{P}}}:run:{}", spoiled.run);
    ask(&server, &["SET", &key, "nonsense"]).await;

    let mut commit = owner.next();
    for task in [spoiled, sound] {
        let mut delta = RunDelta::new(task.run);
        delta.head = Some("changed".to_owned());
        commit.runs.push(delta);
    }
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert_eq!(store.load_runs(&[sound.run]).await.unwrap().remove(0).unwrap().head, "changed");

    let records = store.tasks(&[spoiled, sound]).await.unwrap();
    assert!(matches!(records[..], [None, Some(TaskRecord::Queued { .. })]), "{records:?}");
    let claims = [claim_of(spoiled), claim_of(sound)];
    assert_eq!(store.claim(&claims).await.unwrap(), [ClaimVerdict::Stale, ClaimVerdict::Granted]);
    let finishes =
        claims.map(|claim| Finish { task: claim.task, token: claim.token, result: "{}".to_owned() });
    assert_eq!(store.finish(&finishes).await.unwrap(), [FinishVerdict::Stale, FinishVerdict::Stored]);
}

// -- size -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_commit_of_thousands_of_runs_and_one_of_a_very_large_run_are_applied_in_bounded_time() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    for count in [1_000, 9_000] {
        let mut commit = owner.next();
        let runs = (0..count).map(|_| creation(RunId::new(Uuid::now_v7(), P), "adhoc", false));
        commit.runs.extend(runs);
        let began = Instant::now();
        store.commit(&[commit]).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{count} took {:?}", began.elapsed());
    }
    let mut commit = owner.next();
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = creation(run, "large", false);
    delta.steps = (0..9_000).map(|step| (StepIndex(step), "{}".to_owned())).collect();
    commit.runs.push(delta);
    store.commit(&[commit]).await.unwrap();
    assert_eq!(store.load_runs(&[run]).await.unwrap().remove(0).unwrap().steps.len(), 9_000);

    let query = RunQuery { partitions: 64, limit: 20_000, ..RunQuery::default() };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 10_001);
}

#[tokio::test]
async fn a_commit_with_a_duplicate_applies_the_rest_and_what_follows_and_answers_so_again() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let old = owner.create(&store).await.run;
    let (first, second) = (RunId::new(Uuid::now_v7(), P), RunId::new(Uuid::now_v7(), P));
    let mut commits = [owner.next(), owner.next()];
    commits[0].runs = vec![creation(old, "adhoc", false), creation(first, "adhoc", false)];
    commits[1].runs = vec![creation(second, "adhoc", false)];
    let (duplicate, plain) =
        (Verdict::Applied { duplicates: vec![old] }, Verdict::Applied { duplicates: vec![] });
    assert_eq!(store.commit(&commits[..1]).await.unwrap(), vec![duplicate.clone()]);
    assert_eq!(store.commit(&commits[..1]).await.unwrap(), [duplicate]);
    assert_eq!(store.commit(&commits[1..]).await.unwrap(), vec![plain.clone()]);
    assert!(store.load_runs(&[first, second]).await.unwrap().iter().all(Option::is_some));

    // Both at once: the one that follows is not fenced off by the wait of the first.
    let mut commits = [owner.next(), owner.next()];
    commits[0].runs = vec![creation(old, "adhoc", false)];
    let verdicts = store.commit(&commits).await.unwrap();
    assert_eq!(verdicts, [Verdict::Applied { duplicates: vec![old] }, plain]);
}

#[tokio::test]
async fn many_young_keyed_runs_do_not_stand_in_the_way_of_what_may_be_forgotten() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let now = store.now().await.unwrap();
    let mut commit = owner.next();
    let mut add = |keyed: bool, created_at: Timestamp, expires_at: i64| {
        let run = RunId::new(Uuid::now_v7(), P);
        let mut delta = creation(run, "daily", keyed);
        delta.create.as_mut().unwrap().created_at = created_at;
        delta.expires_at = Some(Timestamp::from_millis(expires_at));
        commit.runs.push(delta);
        run
    };
    let young: Vec<RunId> = (0..500).map(|_| add(true, now, 1)).collect();
    let old_keyed = add(true, now - Duration::from_secs(25 * 3_600), 2);
    let plain = add(false, now, 3);
    store.commit(&[commit]).await.unwrap();

    let mut forgotten = 0;
    while forgotten < 2 {
        let count = store.expire(P, Timestamp::from_millis(10), 1_000).await.unwrap();
        assert!(count > 0, "{forgotten} of 2 were forgotten");
        forgotten += count;
    }
    assert_eq!(store.expire(P, Timestamp::from_millis(10), 0).await.unwrap(), 0);
    assert_eq!(store.load_runs(&[old_keyed, plain]).await.unwrap(), [None, None]);
    assert!(store.load_runs(&young).await.unwrap().iter().all(Option::is_some));
    let query = RunQuery { partitions: 64, limit: 1_000, workflow: Some(name("daily")), after: None };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 500);
}

// -- the ground these stand on --------------------------------------------------------------------------

async fn connect(server: &Redis) -> RedisStore {
    RedisStore::connect(Options::new(server.url())).await.unwrap()
}

/// Speaks to the server past the store.
async fn ask(server: &Redis, words: &[&str]) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let _: redis::Value = command.query_async(&mut connection).await.unwrap();
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} did not happen within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Owner of a partition.
struct Owner {
    id: ProducerId,
    partition: PartitionId,
    epoch: Epoch,
    seq: Seq,
}

impl Owner {
    async fn of(store: &RedisStore, partition: PartitionId) -> Self {
        let id = ProducerId(Uuid::new_v4());
        match store.acquire(&[partition], id, 60_000).await.unwrap().remove(0) {
            Acquired::Owned { epoch, .. } => Self { id, partition, epoch, seq: Seq(0) },
            held @ Acquired::Held { .. } => panic!("{held:?}"),
        }
    }

    /// An empty commit that follows the last one.
    fn next(&mut self) -> Commit {
        self.seq = self.seq.next();
        Commit {
            partition: self.partition,
            epoch: self.epoch,
            seq: self.seq,
            published_until: Timestamp::default(),
            runs: Vec::new(),
            workflows: Vec::new(),
            timers: Vec::new(),
            cleared: Vec::new(),
        }
    }

    /// Commits a new run; its one task.
    async fn create(&mut self, store: &RedisStore) -> TaskId {
        let run = RunId::new(Uuid::now_v7(), self.partition);
        let mut commit = self.next();
        commit.runs.push(creation(run, "adhoc", false));
        let verdicts = store.commit(&[commit]).await.unwrap();
        assert_eq!(verdicts, [Verdict::Applied { duplicates: vec![] }]);
        TaskId { run, step: StepIndex(0), attempt: 1 }
    }
}

fn name(workflow: &str) -> WorkflowName {
    workflow.parse().unwrap()
}

fn creation(run: RunId, workflow: &str, keyed: bool) -> RunDelta {
    let at = Timestamp::from_millis(1);
    let mut delta = RunDelta::new(run);
    delta.create =
        Some(NewRun { created_at: at, workflow: name(workflow), keyed, definition: "definition".to_owned() });
    delta.head = Some("head".to_owned());
    delta.dispatched.push(Dispatched {
        step: StepIndex(0),
        attempt: 1,
        at,
        look_at: at,
        lane: millrace_store::Lane::default(),
    });
    delta
}

/// The run of `task` ends with it, and may be forgotten from millisecond 1 on.
fn ending(task: TaskId) -> RunDelta {
    let mut delta = RunDelta::new(task.run);
    delta.retired.push((task.step, task.attempt));
    delta.expires_at = Some(Timestamp::from_millis(1));
    delta
}

fn claim_of(task: TaskId) -> Claim {
    Claim { task, token: ClaimToken(Uuid::new_v4()), session: SessionId(Uuid::new_v4()) }
}

fn session() -> Session {
    Session {
        id: SessionId(Uuid::new_v4()),
        count: 1,
        host: "host".to_owned(),
        pid: 1,
        pools: vec!["default".to_owned()],
        slots: 4,
        running: 1,
        draining: false,
        started_at: 1,
        silent_ms: None,
        labels: Vec::new(),
    }
}
