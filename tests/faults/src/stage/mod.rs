//! The stage: servers, a fleet on them, and a proxy between each process and each server.

mod clock;
mod disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_servers::{RabbitMq, RabbitMqCluster, Redis, Sentinel};
use millrace_tests::{Fleet, Process, binary};
use tokio::task::block_in_place;

pub use clock::Clock;
pub use disk::Disk;

use crate::proxy::{Protocol, Proxy};
use crate::recovery::Living;
use crate::workload::Around;

/// The cast: how a fleet is set up.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The number of producers.
    pub producers: usize,
    /// The number of workers.
    pub workers: usize,
    /// The slots of each worker.
    pub slots: usize,
    /// Whether there are three RabbitMQ nodes with quorum queues, and Redis under Sentinel, in place of one each.
    pub is_clustered: bool,
    /// The variables that every process gets.
    pub variables: Vec<(String, String)>,
    /// The program of an older version: every process is of it at first.
    pub old: Option<PathBuf>,
}

/// The servers of a fleet.
#[derive(Debug)]
pub enum Servers {
    /// One RabbitMQ and one Redis.
    Single(Box<(RabbitMq, Redis)>),
    /// Three nodes of RabbitMQ; a primary, two replicas and three Sentinels of Redis.
    Cluster(Box<(RabbitMqCluster, Sentinel)>),
}

/// The role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A producer.
    Producer,
    /// A worker.
    Worker,
}

/// A member of the fleet: a place for a process, which may be started again and again.
#[derive(Debug)]
pub struct Member {
    /// The role of the process.
    pub role: Role,
    /// The number among those of its role, from 0.
    pub number: usize,
    /// The process, if it is there.
    pub process: Option<Process>,
    /// Whether the process is of the older version.
    pub is_old: bool,
    /// The process of the other version that is to take its place.
    newcomer: Option<Process>,
    /// The proxy between it and RabbitMQ, when that is one server.
    pub amqp: Option<Proxy>,
    /// The proxy between it and Redis, when that is one server.
    pub redis: Option<Proxy>,
    /// The clock that it sees, when it has one of its own.
    pub clock: Option<Clock>,
    /// The disk for its log and its temporary files, when it has one of its own.
    pub disk: Option<Disk>,
    variables: Vec<(String, String)>,
}

impl Member {
    /// The name of the member: `producer 1`.
    pub fn name(&self) -> String {
        let role = if self.role == Role::Producer { "producer" } else { "worker" };
        format!("{role} {}", self.number)
    }

    /// The pid of the process; 0 when it is not there.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    /// The proxy to a server.
    pub fn proxy(&self, to: Protocol) -> Option<&Proxy> {
        if to == Protocol::Amqp { self.amqp.as_ref() } else { self.redis.as_ref() }
    }
}

/// The stage: a fleet and all that it runs on. What is declared last is dropped last.
#[derive(Debug)]
pub struct Stage {
    /// The producers and the workers.
    pub members: Vec<Member>,
    /// The servers that they run on.
    pub servers: Servers,
    /// The names and the folder of the fleet.
    pub fleet: Fleet,
    slots: usize,
    old: Option<PathBuf>,
}

impl Stage {
    /// Starts servers, and makes places for the processes. What this machine does not permit is named, and left out.
    pub async fn build(cast: &Cast, seed: u64) -> Self {
        let servers = block_in_place(|| Servers::start(cast.is_clustered));
        let (amqp_url, redis_url) = servers.urls();
        let fleet = Fleet::on(amqp_url, redis_url);
        let mut stage =
            Self { members: Vec::new(), servers, fleet, slots: cast.slots, old: cast.old.clone() };
        let roles = [(Role::Producer, cast.producers), (Role::Worker, cast.workers)];
        for (role, number) in roles.into_iter().flat_map(|(role, count)| (0..count).map(move |n| (role, n))) {
            let mut member = Member {
                role,
                number,
                process: None,
                is_old: cast.old.is_some(),
                newcomer: None,
                amqp: None,
                redis: None,
                clock: None,
                disk: None,
                variables: cast.variables.clone(),
            };
            if let Servers::Single(servers) = &stage.servers {
                let seed = seed ^ (stage.members.len() as u64) << 32;
                let amqp = Proxy::start(servers.0.port(), Protocol::Amqp, seed).await;
                let redis = Proxy::start(servers.1.port(), Protocol::Bytes, !seed).await;
                let amqp_url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", amqp.port());
                let redis_url = format!("redis://127.0.0.1:{}", redis.port());
                member.variables.push(("MILLRACE_AMQP_URL".to_owned(), amqp_url));
                member.variables.push(("MILLRACE_REDIS_URL".to_owned(), redis_url));
                (member.amqp, member.redis) = (Some(amqp), Some(redis));
                match (role, number) {
                    (Role::Producer, 0) => stage.clock(&mut member),
                    (Role::Worker, 0) => stage.disk(&mut member),
                    _ => {}
                }
            }
            stage.members.push(member);
        }
        stage
    }

    fn clock(&self, member: &mut Member) {
        match Clock::new(self.fleet.folder()) {
            Ok(clock) => {
                member.variables.extend(clock.variables());
                member.clock = Some(clock);
            }
            Err(reason) => println!("no clock is moved: {reason}"),
        }
    }

    fn disk(&self, member: &mut Member) {
        match Disk::mount(&self.fleet.folder().join(format!("disk-{}", member.number))) {
            Ok(disk) => {
                member.variables.push(("TMPDIR".to_owned(), disk.path().display().to_string()));
                member.disk = Some(disk);
            }
            Err(reason) => println!("no disk is filled: {reason}"),
        }
    }

    /// Starts every process, and waits until all are ready.
    pub async fn open(&mut self, around: &Arc<Around>) {
        for index in 0..self.members.len() {
            self.start(index, around);
        }
        for member in &mut self.members {
            if let Some(process) = &mut member.process {
                process.is_ready().await;
            }
        }
    }

    /// Starts the process of a place, when there is none.
    pub fn start(&mut self, index: usize, around: &Around) {
        let member = &mut self.members[index];
        if member.process.as_mut().is_some_and(|process| process.status().is_none()) {
            return;
        }
        let process = self.spawn(index, self.members[index].is_old);
        self.members[index].process = Some(process);
        self.show(index, around);
    }

    /// Whether there are two versions.
    pub fn has_versions(&self) -> bool {
        self.old.is_some()
    }

    /// Starts a process of the other version for a place, beside the one that is there, and waits until it is ready.
    ///
    /// # Errors
    /// When there is no other version.
    pub async fn start_other(&mut self, index: usize) -> Result<(), String> {
        if !self.has_versions() {
            return Err("there is no other version".to_owned());
        }
        let mut process = self.spawn(index, !self.members[index].is_old);
        process.is_ready().await;
        self.members[index].newcomer = Some(process);
        Ok(())
    }

    /// Gives a place to the process of the other version, in place of the one that was there.
    pub fn take_over(&mut self, index: usize, around: &Around) {
        let member = &mut self.members[index];
        if let Some(newcomer) = member.newcomer.take() {
            member.is_old = !member.is_old;
            member.process = Some(newcomer);
            self.show(index, around);
        }
    }

    fn spawn(&self, index: usize, is_old: bool) -> Process {
        let member = &self.members[index];
        let program = self.old.as_ref().filter(|_| is_old).cloned().unwrap_or_else(binary);
        let mut variables: Vec<(&str, &str)> =
            member.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match member.role {
            Role::Producer => {
                variables.push(("MILLRACE_LOG", "info"));
                self.fleet.start_program(&program, self.fleet.folder(), "producer", &[], &variables)
            }
            Role::Worker => {
                let slots = self.slots.to_string();
                let log = member.disk.as_ref().map_or_else(|| self.fleet.folder(), Disk::path);
                self.fleet.start_program(&program, log, "worker", &["--concurrency", &slots], &variables)
            }
        }
    }

    /// Shows clients the way to a producer.
    fn show(&self, index: usize, around: &Around) {
        let member = &self.members[index];
        if let (Role::Producer, Some(process)) = (member.role, &member.process) {
            let mut producers = around.doors.producers.write().unwrap();
            let api = process.api().clone();
            match producers.get_mut(member.number) {
                Some(known) => *known = api,
                None => producers.push(api),
            }
        }
    }

    /// Starts every process that is not there.
    pub fn complete(&mut self, around: &Around) {
        (0..self.members.len()).for_each(|index| self.start(index, around));
    }

    /// The places of the members of a role.
    pub fn of(&self, role: Role) -> Vec<usize> {
        (0..self.members.len()).filter(|index| self.members[*index].role == role).collect()
    }

    /// The members whose processes are there.
    pub fn living(&mut self) -> Living {
        let (mut producers, mut workers) = (Vec::new(), Vec::new());
        for member in &mut self.members {
            if member.process.as_mut().is_some_and(|process| process.status().is_none()) {
                match member.role {
                    Role::Producer => producers.push(member.number),
                    Role::Worker => workers.push(member.pid()),
                }
            }
        }
        Living { producers, workers }
    }

    /// The logs of all processes, by the names of the files.
    pub fn logs(&self) -> Vec<(String, String)> {
        let disks = self.members.iter().filter_map(|member| member.disk.as_ref()).map(Disk::path);
        let folders = disks.chain([self.fleet.folder()]);
        folders.flat_map(logs_in).collect()
    }
}

fn logs_in(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        Some((name, String::from_utf8_lossy(&std::fs::read(entry.path()).ok()?).into_owned()))
    };
    logs.filter_map(read).collect()
}

impl Servers {
    fn start(is_clustered: bool) -> Self {
        if is_clustered {
            let cluster = RabbitMqCluster::start(&[]);
            Self::Cluster(Box::new((cluster, Sentinel::start(&["--appendfsync", "always"]))))
        } else {
            Self::Single(Box::new((RabbitMq::start(&[]), Redis::start(&["--appendfsync", "always"]))))
        }
    }

    /// The URLs that a fleet is told: several addresses where there are several servers.
    pub fn urls(&self) -> (String, String) {
        match self {
            Self::Single(servers) => (servers.0.url(), servers.1.url()),
            Self::Cluster(servers) => {
                let (urls, sentinel) = (servers.0.urls(), &servers.1);
                let hosts = urls.iter().filter_map(|url| url.split_once('@')?.1.split('/').next());
                let amqp = format!("amqp://guest:guest@{}/%2f", hosts.collect::<Vec<_>>().join(","));
                let redis =
                    format!("redis+sentinel://{}/{}", sentinel.addresses().join(","), sentinel.service());
                (amqp, redis)
            }
        }
    }

    /// The `amqp://` URL of each node.
    pub fn amqp_urls(&self) -> Vec<String> {
        match self {
            Self::Single(servers) => vec![servers.0.url()],
            Self::Cluster(servers) => servers.0.urls(),
        }
    }
}
