//! Writes that were lost by a failover.

use millrace_domain::Seq;
use millrace_servers::Redis;
use millrace_store::{Acquired, ClusterStore, PartitionStore, Verdict};

use crate::fixture::{Owner, P, ask, cluster, connect};

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
