//! The kinds of faults: a closed set, each with a name, and what it needs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest that a worker or producer may be away before others take over: the longer one of their leases.
pub const LEASE: Duration = Duration::from_secs(9);

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $name:literal $from:literal $to:literal $where:ident,)*) => {
        /// A kind of fault: what is done to the fleet or to its servers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[doc = $doc])* $kind,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The name of the kind on the command line and in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// The shortest and the longest that such a fault lasts.
            pub(crate) fn lasts(self) -> (Duration, Duration) {
                match self { $(Self::$kind => (Duration::from_secs($from), Duration::from_secs($to))),* }
            }

            /// The servers on which such a fault can happen.
            pub(crate) fn on(self) -> On {
                match self { $(Self::$kind => On::$where),* }
            }
        }
    };
}

/// The servers that a kind needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// Any servers.
    Any,
    /// One RabbitMQ and one Redis, with proxies before them.
    Single,
    /// Three RabbitMQ nodes, and Redis under Sentinel.
    Cluster,
}

kinds! {
    /// `kill -9` of a producer; it is started again afterwards.
    KillProducer "kill-producer" 2 12 Any,
    /// SIGSTOP and SIGCONT of a producer, within its lease.
    PauseProducer "pause-producer" 1 4 Any,
    /// SIGSTOP of a producer for longer than its lease, then SIGCONT.
    FreezeProducer "freeze-producer" 11 14 Any,
    /// SIGTERM of a producer, which gives back what it owns; it is started again afterwards.
    EndProducer "end-producer" 2 6 Any,
    /// A producer of the other version comes, and the one that was there ends or is killed.
    SwapProducer "swap-producer" 3 8 Any,
    /// `kill -9` of a worker; it is started again afterwards.
    KillWorker "kill-worker" 2 12 Any,
    /// SIGSTOP and SIGCONT of a worker, within its lease.
    PauseWorker "pause-worker" 1 4 Any,
    /// SIGSTOP of a worker for longer than its lease, then SIGCONT.
    FreezeWorker "freeze-worker" 11 14 Any,
    /// A worker of the other version comes, and the one that was there ends or is killed.
    SwapWorker "swap-worker" 3 8 Any,
    /// RabbitMQ ends gracefully, and comes back.
    RestartBroker "restart-broker" 1 4 Single,
    /// RabbitMQ is killed, and comes back.
    KillBroker "kill-broker" 1 6 Single,
    /// RabbitMQ takes no messages: its memory alarm.
    AlarmBroker "alarm-broker" 3 8 Single,
    /// Redis ends gracefully, and comes back from its append-only file.
    RestartStore "restart-store" 1 4 Single,
    /// Redis is killed, and comes back from its append-only file.
    KillStore "kill-store" 1 4 Single,
    /// Redis is away for longer than every lease.
    LoseStore "lose-store" 12 14 Single,
    /// Redis has no memory left, and evicts nothing.
    FillStore "fill-store" 4 8 Single,
    /// Redis answers nothing for 5 s.
    StallStore "stall-store" 5 5 Single,
    /// Every answer of Redis comes 5 s late.
    SlowStore "slow-store" 12 16 Single,
    /// One process is cut off from one server, for less than a lease: nothing arrives.
    Partition "partition" 2 5 Single,
    /// One process is cut off from one server for longer than a lease.
    Isolate "isolate" 11 14 Single,
    /// Nothing arrives one way between one process and one server.
    HalfOpen "half-open" 3 6 Single,
    /// The connections of one process to one server end at any byte, again and again.
    Cut "cut" 3 8 Single,
    /// Confirms do not reach one process.
    EatConfirms "eat-confirms" 3 8 Single,
    /// Acks of one process do not reach RabbitMQ.
    EatAcks "eat-acks" 3 8 Single,
    /// The clock of one producer is 90 s ahead.
    ClockAhead "clock-ahead" 5 12 Single,
    /// The clock of one producer is 90 s behind.
    ClockBehind "clock-behind" 5 12 Single,
    /// The disk of one worker's log and temporary files is full.
    FillDisk "fill-disk" 3 8 Single,
    /// A node of the RabbitMQ cluster is killed, and comes back.
    KillNode "kill-node" 2 8 Cluster,
    /// A node of the RabbitMQ cluster ends gracefully, and comes back.
    RestartNode "restart-node" 2 6 Cluster,
    /// The Redis primary is killed, Sentinel makes a replica the primary, and the old one comes back.
    KillPrimary "kill-primary" 1 5 Cluster,
    /// The Redis primary freezes for longer than Sentinel waits, and wakes up as a stale primary.
    FreezePrimary "freeze-primary" 8 12 Cluster,
    /// A Sentinel is killed, and comes back.
    KillSentinel "kill-sentinel" 2 6 Cluster,
}

impl Kind {
    /// Do both kinds strike the same thing, so that the end of one could undo the other?
    pub(crate) fn on_same(self, other: Self) -> bool {
        self.family() == other.family()
    }

    fn family(self) -> u8 {
        match self {
            Self::KillProducer | Self::PauseProducer | Self::FreezeProducer | Self::EndProducer => 0,
            Self::SwapProducer => 0,
            Self::KillWorker | Self::PauseWorker | Self::FreezeWorker | Self::FillDisk => 1,
            Self::SwapWorker => 1,
            Self::RestartBroker | Self::KillBroker | Self::AlarmBroker => 2,
            Self::RestartStore | Self::KillStore | Self::LoseStore | Self::FillStore | Self::StallStore => 3,
            Self::SlowStore | Self::Partition | Self::Isolate | Self::HalfOpen | Self::Cut => 4,
            Self::EatConfirms | Self::EatAcks => 4,
            Self::ClockAhead | Self::ClockBehind => 5,
            Self::KillNode | Self::RestartNode => 6,
            Self::KillPrimary | Self::FreezePrimary | Self::KillSentinel => 7,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no kind of fault: expected one of {}", names.join(", "))
        })
    }
}
