//! Stores that were emptied, and those of other clusters and other programs.

use millrace_domain::{Epoch, Seq};
use millrace_servers::Redis;
use millrace_store::{Cluster, ClusterStore, Membership, PartitionStore, Standing};

use crate::fixture::{Owner, P, ask, cluster, connect};

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
