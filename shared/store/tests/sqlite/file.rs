//! The file: what it holds after restarts and crashes, and what is said of one that is not ours, damaged, or newer.

use super::*;

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let founded = store.found(&cluster(32)).await.unwrap();
    assert_eq!(founded.partitions, 32);
    let epoch = own(&store).await;
    let (commit, task) = creating(epoch, 1);
    store.commit(std::slice::from_ref(&commit)).await.unwrap();
    let claim = Claim { task, token: ClaimToken(Uuid::new_v4()), session: SessionId(Uuid::new_v4()) };
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);
    drop(store);

    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.found(&cluster(64)).await.unwrap(), founded);
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert_eq!(store.timers(P, None, 10).await.unwrap(), [(at(4), Timer::RunTimeout(task.run))]);
    let record = store.tasks(&[task]).await.unwrap().remove(0);
    assert!(matches!(record, Some(TaskRecord::Claimed { session, .. }) if session == claim.session));
    let finish = Finish { task, token: claim.token, result: "end".into() };
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    let answer = take(&store, ProducerId(Uuid::new_v4()), 1_000).await;
    assert!(matches!(answer, Acquired::Held { .. }), "{answer:?}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash() {
    let (folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let epoch = own(&store).await;
    let mut tasks = Vec::new();
    for seq in 1..=20 {
        let (commit, task) = creating(epoch, seq);
        store.commit(&[commit]).await.unwrap();
        tasks.push(task);
    }
    let after = SqliteStore::open(crashed_copy(&file, folder.path())).unwrap();
    let records = after.tasks(&tasks).await.unwrap();
    assert!(records.iter().all(Option::is_some), "{records:?}");
    let (next, _) = creating(epoch, 21);
    assert_eq!(after.commit(&[next]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
}

#[tokio::test]
async fn a_log_that_was_torn_loses_its_last_transactions_whole() {
    let (folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let epoch = own(&store).await;
    let mut commits = Vec::new();
    for seq in 1..=20 {
        commits.push(creating(epoch, seq));
        store.commit(&[commits[commits.len() - 1].0.clone()]).await.unwrap();
    }
    let copy = crashed_copy(&file, folder.path());
    let log = fs::OpenOptions::new().write(true).open(wal(&copy)).unwrap();
    log.set_len(log.metadata().unwrap().len() * 2 / 3 + 100).unwrap();

    let after = SqliteStore::open(&copy).unwrap();
    let (probe, _) = creating(epoch, 1_000);
    let verdict = after.commit(&[probe]).await.unwrap().remove(0);
    let Verdict::Fenced { epoch: stored, seq } = verdict else { panic!("{verdict:?}") };
    assert_eq!(stored, epoch);
    assert!(0 < seq.0 && seq.0 < 20, "{seq:?}");
    // What the seq says is there is there, and nothing of what follows.
    for (commit, task) in commits {
        let run = after.load_runs(&[task.run]).await.unwrap().remove(0);
        assert_eq!(run.is_some(), commit.seq <= seq);
        assert_eq!(run.is_some_and(|run| run.tasks.len() == 1), commit.seq <= seq);
    }
}

#[tokio::test]
async fn a_file_in_use_is_refused_until_it_is_closed() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let error = refusal(SqliteStore::open(&file));
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("in use") && error.to_string().contains("--data"), "{error}");
    own(&store).await;
    drop(store);
    SqliteStore::open(&file).unwrap();
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (_folder, file) = folder();
    drop(SqliteStore::open(&file).unwrap());
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let error = refusal(SqliteStore::open(&file));
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("version 99") && error.to_string().contains("newer"), "{error}");
    let version: i64 = rusqlite::Connection::open(&file)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_file_of_0_1_is_brought_up_to_date_with_all_that_it_holds() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let founded = store.found(&cluster(32)).await.unwrap();
    let epoch = own(&store).await;
    let (commit, task) = creating(epoch, 1);
    store.commit(std::slice::from_ref(&commit)).await.unwrap();
    drop(store);
    let older = rusqlite::Connection::open(&file).unwrap();
    older
        .execute_batch(
            "DROP TABLE letters; DROP TABLE table_rows; DROP TABLE items; DROP TABLE lists; DROP TABLE history;
             DROP TABLE paused_pools;
             PRAGMA user_version = 3",
        )
        .unwrap();
    drop(older);

    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.found(&cluster(64)).await.unwrap(), founded);
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert!(store.load_runs(&[task.run]).await.unwrap()[0].is_some());
    let mut next = Commit::new(P, epoch, Seq(2), at(9));
    next.letters.push(Letter { n: 0, at: at(10), to: PartitionId(6), body: "{}".into() });
    next.tables.push(RowDelta::put(Table("locks"), "a", "1"));
    store.commit(&[next]).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.letters(P, at(9), None, 10).await.unwrap().len(), 1);
    assert_eq!(store.read_table(P, Table("locks")).await.unwrap(), [("a".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn a_format_of_a_newer_version_keeps_a_process_away() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    Membership::new("memory").found(&store, &cluster(8), true).await.unwrap();
    drop(store);
    rusqlite::Connection::open(&file).unwrap().execute("UPDATE cluster SET format = 2", []).unwrap();
    let store = SqliteStore::open(&file).unwrap();
    let refused = Membership::new("memory").found(&store, &cluster(8), true).await.unwrap_err().to_string();
    assert!(refused.contains("format 2") && refused.contains("use the millrace that wrote it"), "{refused}");
    assert_eq!(Membership::new("memory").look(&store).await.unwrap(), Standing::Apart(refused));
}

#[tokio::test]
async fn an_attempt_in_a_state_that_is_not_known_stays_as_it_is() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let epoch = own(&store).await;
    let (commit, task) = creating(epoch, 1);
    store.commit(&[commit]).await.unwrap();
    drop(store);
    for newer in ["state = 9", "state = 0, level = 7"] {
        let sql = format!("UPDATE tasks SET {newer}");
        rusqlite::Connection::open(&file).unwrap().execute(&sql, []).unwrap();
        let store = SqliteStore::open(&file).unwrap();
        assert_eq!(store.tasks(&[task]).await.unwrap(), [Some(TaskRecord::Unknown)], "{newer}");
        let run = store.load_runs(&[task.run]).await.unwrap().remove(0).unwrap();
        assert_eq!((run.head.as_str(), run.unknown), ("head", vec!["t0:1".to_owned()]));
        let revoked = store.revoke(P, epoch, &[(task, Revoke::Anyway)]).await.unwrap();
        assert_eq!(revoked, [Revoked::Gone]);
        assert_eq!(store.tasks(&[task]).await.unwrap(), [Some(TaskRecord::Unknown)], "{newer}");
    }
}

#[test]
fn the_database_of_another_program_is_refused() {
    for preparation in ["CREATE TABLE theirs (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"] {
        let (_folder, file) = folder();
        rusqlite::Connection::open(&file).unwrap().execute_batch(preparation).unwrap();
        let error = refusal(SqliteStore::open(&file));
        assert!(matches!(error, StoreError::Configuration(_)), "{preparation}: {error:?}");
        assert!(error.to_string().contains("another program"), "{error}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let (_folder, file) = folder();
    let text = "name: daily_sales\n".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refusal(SqliteStore::open(&file));
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_missing_folder_is_named() {
    let (folder, _) = folder();
    let error = refusal(SqliteStore::open(folder.path().join("missing/store.db")));
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    assert!(error.to_string().contains("missing/store.db"), "{error}");
    let error = refusal(SqliteStore::open(folder.path()));
    assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
}

/// The numbers of the pages at which the tables and indexes of a database begin.
fn root_pages(file: &Path) -> Vec<usize> {
    let database = rusqlite::Connection::open(file).unwrap();
    let mut pages = database.prepare("SELECT rootpage FROM sqlite_schema WHERE rootpage > 1").unwrap();
    pages.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_damaged_page_is_said_and_not_taken_for_an_answer() {
    let (_folder, file) = folder();
    let store = SqliteStore::open(&file).unwrap();
    let epoch = own(&store).await;
    for seq in 1..=200 {
        store.commit(&[creating(epoch, seq).0]).await.unwrap();
    }
    drop(store);
    let mut bytes = fs::read(&file).unwrap();
    // The schema stays; the first page of each table and index is overwritten.
    for page in root_pages(&file) {
        bytes[(page - 1) * 4_096..page * 4_096].fill(0xAB);
    }
    fs::write(&file, bytes).unwrap();
    let store = SqliteStore::open(&file).unwrap();
    let (commit, _) = creating(epoch, 201);
    let error = store.commit(&[commit]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}
