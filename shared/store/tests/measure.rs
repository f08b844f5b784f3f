//! measurement
use millrace_domain::*;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::*;
use std::time::Instant;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn measure() {
    let server = millrace_servers::Redis::start(&[]);
    let store = RedisStore::connect(Options::new(server.url())).await.unwrap();
    let owner = ProducerId(Uuid::new_v4());
    for (spread, parts) in [("1 partition", 1u16), ("4 partitions", 4), ("64 partitions", 64)] {
        let ps: Vec<_> = (0..parts).map(PartitionId).collect();
        let mut epochs = Vec::new();
        for a in store.acquire(&ps, owner, 60_000).await.unwrap() {
            let Acquired::Owned { epoch, .. } = a else { panic!() };
            epochs.push(epoch);
        }
        let mut seqs = vec![Seq(0); parts as usize];
        let rounds = 80;
        let now = store.now().await.unwrap();
        let def = format!("{{\"run\":\"{}\"}}", "x".repeat(300));
        let head = format!("{{\"state\":\"{}\"}}", "h".repeat(200));
        let result = format!("{{\"outcome\":\"{}\"}}", "r".repeat(120));
        let mut creates = Vec::new();
        let mut results = Vec::new();
        let mut tasks = Vec::new();
        for what in 0..2 {
            for round in 0..rounds {
                let mut commits: Vec<Commit> = ps
                    .iter()
                    .map(|p| {
                        seqs[p.0 as usize] = seqs[p.0 as usize].next();
                        commit(*p, epochs[p.0 as usize], seqs[p.0 as usize], now)
                    })
                    .collect();
                for i in 0..256usize {
                    if what == 0 {
                        let p = PartitionId((i % parts as usize) as u16);
                        let run = RunId::new(Uuid::now_v7(), p);
                        let mut d = RunDelta::new(run);
                        d.create = Some(NewRun {
                            created_at: now,
                            workflow: WorkflowName::adhoc(),
                            keyed: false,
                            definition: def.clone(),
                        });
                        d.head = Some(head.clone());
                        d.dispatched.push(Dispatched {
                            step: StepIndex(0),
                            attempt: 1,
                            at: now,
                            look_at: now,
                        });
                        d.steps.push((StepIndex(0), "{\"state\":\"queued\"}".into()));
                        commits[p.0 as usize].runs.push(d);
                        tasks.push(TaskId { run, step: StepIndex(0), attempt: 1 });
                    } else {
                        let t = tasks[round * 256 + i];
                        let mut d = RunDelta::new(t.run);
                        d.head = Some(head.clone());
                        d.retired.push((t.step, 1));
                        d.steps.push((StepIndex(0), "{\"state\":\"succeeded\",\"exit\":0}".into()));
                        d.expires_at = Some(now);
                        commits[t.run.partition().0 as usize].runs.push(d);
                    }
                }
                if what == 0 { creates.push(commits) } else { results.push(commits) }
            }
        }
        let session = SessionId(Uuid::new_v4());
        let claims: Vec<_> =
            tasks.iter().map(|t| Claim { task: *t, token: ClaimToken(Uuid::new_v4()), session }).collect();
        let fins: Vec<_> =
            claims.iter().map(|c| Finish { task: c.task, token: c.token, result: result.clone() }).collect();
        let n = tasks.len() as f64;
        println!("{spread} (us a run: wall, script, redis cpu, own cpu)");
        let report = |name: &str, t: Instant, a: [u128; 3], b: [u128; 3]| {
            println!(
                "  {name}: {:.2}  {:.2} {:.2} {:.2}",
                t.elapsed().as_micros() as f64 / n,
                (b[0] - a[0]) as f64 / n,
                (b[1] - a[1]) as f64 / n,
                (b[2] - a[2]) as f64 / n
            );
        };
        let (a, t) = (stats(&server), Instant::now());
        for c in &creates {
            for v in store.commit(c).await.unwrap() {
                assert!(matches!(v, Verdict::Applied { .. }));
            }
        }
        report("create", t, a, stats(&server));
        let (a, t) = (stats(&server), Instant::now());
        for c in claims.chunks(64) {
            for v in store.claim(c).await.unwrap() {
                assert_eq!(v, ClaimVerdict::Granted);
            }
        }
        report("claim ", t, a, stats(&server));
        let (a, t) = (stats(&server), Instant::now());
        for c in fins.chunks(64) {
            for v in store.finish(c).await.unwrap() {
                assert_eq!(v, FinishVerdict::Stored);
            }
        }
        report("finish", t, a, stats(&server));
        let (a, t) = (stats(&server), Instant::now());
        for c in &results {
            for v in store.commit(c).await.unwrap() {
                assert!(matches!(v, Verdict::Applied { .. }));
            }
        }
        report("result", t, a, stats(&server));
        let t = Instant::now();
        let mut f = 0;
        for p in &ps {
            loop {
                let k = store.expire(*p, now, usize::MAX).await.unwrap();
                f += k;
                if k == 0 {
                    break;
                }
            }
        }
        println!("  expire {:.2} us/run of {f}", t.elapsed().as_micros() as f64 / f as f64);
    }
}

fn commit(partition: PartitionId, epoch: Epoch, seq: Seq, now: Timestamp) -> Commit {
    Commit {
        partition,
        epoch,
        seq,
        published_until: now,
        runs: vec![],
        workflows: vec![],
        timers: vec![],
        cleared: vec![],
    }
}

/// (evalsha usec, redis cpu usec, own cpu usec)
fn stats(server: &millrace_servers::Redis) -> [u128; 3] {
    let out = std::process::Command::new("redis-cli")
        .args(["-u", &server.url(), "info", "everything"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let eval = text
        .lines()
        .find_map(|l| l.strip_prefix("cmdstat_evalsha:"))
        .map(|l| l.split("usec=").nth(1).unwrap().split(',').next().unwrap().parse::<u128>().unwrap())
        .unwrap_or(0);
    let pid: u32 = text.lines().find_map(|l| l.strip_prefix("process_id:")).unwrap().trim().parse().unwrap();
    [eval, cpu(pid), cpu(std::process::id())]
}
fn cpu(pid: u32) -> u128 {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .map(|t| {
            let s = std::fs::read_to_string(t.unwrap().path().join("schedstat")).unwrap_or_default();
            s.split(' ').next().unwrap().parse::<u128>().unwrap_or(0) / 1000
        })
        .sum()
}
